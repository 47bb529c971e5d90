"""Whose object it is."""

from __future__ import annotations

from typing import Any

import pytest

from meshctl_operator.kube.revisions import is_ours
from meshctl_operator.kube.settings import KubeSettings


@pytest.mark.parametrize(
    ("meta", "as_default", "as_canary"),
    [
        ({}, True, False),
        ({"labels": {"istio.io/rev": "canary"}}, False, True),
        ({"annotations": {"istio.io/rev": "canary"}}, False, True),
        ({"labels": {"istio.io/rev": "default"}}, True, False),
        ({"labels": {"istio.io/rev": "default"}, "annotations": {"istio.io/rev": "canary"}}, True, False),
        ({"labels": None, "annotations": None}, True, False),
    ],
    ids=["nothing", "label", "annotation", "default by name", "the label counts", "null"],
)
def test_the_revision_decides(meta: dict[str, Any], *, as_default: bool, as_canary: bool) -> None:
    """Equal to ours, or absent where we are the default."""
    assert is_ours(meta, KubeSettings()) is as_default
    assert is_ours(meta, KubeSettings(revision="canary")) is as_canary


def test_the_default_may_have_another_name() -> None:
    """Then it takes what names nothing, and what names the default."""
    settings = KubeSettings(revision="1-27", default_revision=True)
    assert is_ours({}, settings)
    assert is_ours({"labels": {"istio.io/rev": "default"}}, settings)
    assert not is_ours({"labels": {"istio.io/rev": "1-26"}}, settings)
