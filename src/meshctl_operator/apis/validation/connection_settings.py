"""Rules of ``connectionSettings``: the ranges that Envoy takes."""

from __future__ import annotations

from typing import Final

from meshctl_operator.apis import codes
from meshctl_operator.apis.connection_settings import ConnectionSettings
from meshctl_operator.apis.validation.findings import Findings

MAX_STREAMS: Final = 2**31 - 1
MIN_WINDOW, MAX_WINDOW = 65535, 2**31 - 1
MAX_HEADERS_KB: Final = 8192

_RANGES: Final = {
    "http_max_request_headers_kb": (1, MAX_HEADERS_KB),
    "http_max_headers_count": (1, 2**32 - 1),
    "http_max_concurrent_streams": (1, MAX_STREAMS),
    "http2_initial_stream_window_size": (MIN_WINDOW, MAX_WINDOW),
    "http2_initial_connection_window_size": (MIN_WINDOW, MAX_WINDOW),
}
_DURATIONS: Final = ("http_idle_timeout", "http_stream_idle_timeout", "http_request_timeout", "http_request_headers_timeout")


def check_connection_settings(settings: ConnectionSettings, path: str, findings: Findings) -> None:
    """Report limits that Envoy would refuse."""
    fields = ConnectionSettings.model_fields
    for name, (least, most) in _RANGES.items():
        value = getattr(settings, name)
        if value is not None and not least <= value <= most:
            hint = f"give a number from {least} to {most}"
            findings.error(codes.BAD_MESH_VALUE, f"{path}.{fields[name].alias}", f"{value} is out of range", hint=hint)
    for name in _DURATIONS:
        duration = getattr(settings, name)
        if duration is not None and duration.nanos < 0:
            findings.error(codes.BAD_MESH_VALUE, f"{path}.{fields[name].alias}", f"{duration} is negative", hint="0s turns the limit off")
