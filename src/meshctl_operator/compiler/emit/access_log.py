"""File access logs (``envoy.access_loggers.file``)."""

from __future__ import annotations

from typing import Final

from envoy.config.accesslog.v3 import accesslog_pb2
from envoy.extensions.access_loggers.file.v3 import file_pb2

from meshctl_operator.compiler.inputs.listeners import AccessLogInput

_NAME: Final = "envoy.access_loggers.file"
_NO_ROUTE: Final = "NR"


def emit_access_log(log: AccessLogInput, *, unmatched_only: bool = False) -> accesslog_pb2.AccessLog:
    """Return the logger. ``unmatched_only`` is for listeners: they log only connections that no filter chain took (response flag NR)."""
    sink = file_pb2.FileAccessLog(path=log.path)
    if log.fields:
        for key, operator in log.fields:
            sink.log_format.json_format.fields[key].string_value = operator
    else:
        sink.log_format.text_format_source.inline_string = log.text
    message = accesslog_pb2.AccessLog(name=_NAME)
    if unmatched_only:
        message.filter.response_flag_filter.flags.append(_NO_ROUTE)
    message.typed_config.Pack(sink, deterministic=True)
    return message
