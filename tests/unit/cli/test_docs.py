"""``meshctl docs``: every code has a page."""

from __future__ import annotations

import json

import pytest

from meshctl_operator.cli.docs import load_catalogue
from meshctl_operator.cli.main import main


def test_every_code_can_be_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """Cause, example and fix."""
    pages = load_catalogue()
    assert {"MC3001", "MC4001"} <= pages.keys()
    for code in pages:
        assert main(["docs", code]) == 0
        shown = capsys.readouterr().out
        assert all(title in shown for title in (code, "Cause\n", "Example\n", "Fix\n"))


def test_without_a_code_all_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """In their order."""
    assert main(["docs"]) == 0
    codes = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert codes == sorted(load_catalogue())
    assert main(["docs", "-o", "json"]) == 0
    assert [page["code"] for page in json.loads(capsys.readouterr().out)] == codes


def test_codes_are_found_in_any_case_and_by_istios_name(capsys: pytest.CaptureFixture[str]) -> None:
    """People type what they see."""
    assert main(["docs", "mc4001", "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["code"] == "MC4001"
    istio = next((page for page in load_catalogue().values() if page.istio_code), None)
    if istio is not None and istio.istio_code is not None:
        assert main(["docs", istio.istio_code, "-o", "json"]) == 0
        assert json.loads(capsys.readouterr().out)["istio_code"] == istio.istio_code


def test_an_unknown_code_is_bad_usage(capsys: pytest.CaptureFixture[str]) -> None:
    """With a suggestion."""
    assert main(["docs", "MC4010"]) == 64
    assert "did you mean" in capsys.readouterr().err
