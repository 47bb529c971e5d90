"""``meshctl version``."""

from __future__ import annotations

import json
from importlib import metadata

import pytest

from meshctl_operator import __version__
from meshctl_operator.cli import version
from meshctl_operator.cli.main import main


def test_versions_of_what_is_installed(capsys: pytest.CaptureFixture[str]) -> None:
    """As text and as data."""
    assert main(["version", "-o", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["meshctl"], found["grpc"]) == (__version__, metadata.version("grpcio"))
    assert main(["version"]) == 0
    assert f"meshctl  {__version__}" in capsys.readouterr().out


def test_what_is_not_installed_is_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The Envoy binary is an extra."""
    monkeypatch.setattr(version, "_PARTS", {"envoy": "no-such-distribution"})
    assert main(["version"]) == 0
    assert "not installed" in capsys.readouterr().out
