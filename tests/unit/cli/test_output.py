"""Colour and formats."""

from __future__ import annotations

import io

import pytest

from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.cli.output import Format, colour_wanted, finding_line, print_data, print_error
from meshctl_operator.controlplane.codes import REJECTED_BY_PROXY

FINDING = REJECTED_BY_PROXY.error(ObjectKey("Service", "a", "b"), "spec", "wrong")


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def test_colour_is_for_terminals_without_no_color(monkeypatch: pytest.MonkeyPatch) -> None:
    """NO_COLOR counts when it is set at all."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert colour_wanted(Terminal())
    assert not colour_wanted(io.StringIO())
    assert "\x1b[31" in finding_line(FINDING, Terminal())
    monkeypatch.setenv("NO_COLOR", "")
    assert not colour_wanted(Terminal())
    assert finding_line(FINDING, Terminal()) == str(FINDING)


def test_data_is_printed_as_asked(capsys: pytest.CaptureFixture[str]) -> None:
    """Keys keep their order."""
    print_data({"b": 1, "a": "ü"}, Format.JSON)
    assert capsys.readouterr().out == '{\n  "b": 1,\n  "a": "ü"\n}\n'
    print_data({"b": 1, "a": "ü"}, Format.YAML)
    assert capsys.readouterr().out == "b: 1\na: ü\n"


def test_errors_go_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    """With the way out if there is one."""
    print_error("no")
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", "error: no\n")
