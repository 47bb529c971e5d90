"""Logs are events with facts."""

from __future__ import annotations

import logging
import sys

from meshctl_operator.cli.logs import KeyValueFormatter, configure_logging


def record(message: str, **facts: object) -> logging.LogRecord:
    """Return a record with facts."""
    made = logging.LogRecord("meshctl.xds", logging.INFO, "", 0, message, None, None)
    vars(made).update(facts)
    return made


def test_facts_follow_the_event() -> None:
    """Values with spaces are quoted."""
    line = KeyValueFormatter().format(record("push", proxy="a.b", detail="not good", empty=""))
    assert line.endswith("info meshctl.xds push proxy=a.b detail='not good' empty=''")
    assert KeyValueFormatter().format(record("stopped")).endswith("info meshctl.xds stopped")


def test_a_traceback_follows_its_line() -> None:
    """Only defects of ours have one."""
    made = record("compile bug")
    try:
        _ = 1 / len("")
    except ZeroDivisionError:
        made.exc_info = sys.exc_info()
    first, *rest = KeyValueFormatter().format(made).splitlines()
    assert first.endswith("compile bug")
    assert rest[-1].startswith("ZeroDivisionError")


def test_our_level_is_asked_for_and_libraries_only_warn() -> None:
    """Configuring twice adds no second line."""
    root, ours = logging.getLogger(), logging.getLogger("meshctl")
    handlers, levels = root.handlers[:], (root.level, ours.level)
    try:
        configure_logging("debug")
        configure_logging("debug")
        assert (len(root.handlers), root.level, ours.level) == (1, logging.WARNING, logging.DEBUG)
    finally:
        root.handlers[:] = handlers
        root.setLevel(levels[0])
        ours.setLevel(levels[1])
