"""Access logs as messages."""

from __future__ import annotations

from meshctl_operator.compiler.emit.access_log import emit_access_log
from meshctl_operator.compiler.inputs.listeners import AccessLogInput
from tests.support.mesh_text import as_json


def test_text() -> None:
    """A text log has one format line."""
    shown = as_json(emit_access_log(AccessLogInput("/dev/stdout", text="%PATH%\n")))
    assert shown["name"] == "envoy.access_loggers.file"
    assert shown["typed_config"]["path"] == "/dev/stdout"
    assert shown["typed_config"]["log_format"] == {"text_format_source": {"inline_string": "%PATH%\n"}}
    assert "filter" not in shown


def test_json() -> None:
    """A JSON log has one operator per key."""
    shown = as_json(emit_access_log(AccessLogInput("/dev/stdout", fields=(("a", "%A%"), ("b", "%B%")))))
    assert shown["typed_config"]["log_format"] == {"json_format": {"a": "%A%", "b": "%B%"}}


def test_unmatched_only() -> None:
    """The log of a listener tells only of connections that no chain took."""
    shown = as_json(emit_access_log(AccessLogInput("/dev/stdout", text="x"), unmatched_only=True))
    assert shown["filter"] == {"response_flag_filter": {"flags": ["NR"]}}
