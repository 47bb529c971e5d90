"""Each code has one meaning."""

from __future__ import annotations

import pytest

from meshctl_operator.base import codes


def test_a_code_is_defined_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two meanings of one code are refused; the catalogue is in order."""
    monkeypatch.setattr(codes, "_CATALOGUE", {})
    codes.define("MC1", "title", cause="c", example="e", fix="f")
    with pytest.raises(ValueError, match="MC1 is defined twice"):
        codes.define("MC1", "t", cause="c", example="e", fix="f")
    codes.define("MC0", "t", cause="c", example="e", fix="f")
    assert list(codes.catalogue()) == ["MC0", "MC1"]
