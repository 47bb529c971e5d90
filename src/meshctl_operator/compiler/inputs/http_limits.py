"""Limits of an HTTP connection manager."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from meshctl_operator.base.durations import Duration

FOR_GOOD: Final = Duration(0)
"""How Envoy spells that there is no limit of time."""


class Underscores(StrEnum):
    """``HttpProtocolOptions.headers_with_underscores_action``."""

    ALLOW = "ALLOW"
    REJECT_REQUEST = "REJECT_REQUEST"
    DROP_HEADER = "DROP_HEADER"


@dataclass(frozen=True, slots=True)
class HttpLimitsInput:
    """Time-outs and sizes; None leaves one to Envoy. Streams may be idle for good unless ``stream_idle_timeout`` says otherwise."""

    idle_timeout: Duration | None = None
    stream_idle_timeout: Duration = FOR_GOOD
    request_timeout: Duration | None = None
    request_headers_timeout: Duration | None = None
    max_headers_kb: int | None = None
    max_headers_count: int | None = None
    max_streams: int | None = None
    stream_window: int | None = None
    connection_window: int | None = None
    underscores: Underscores = Underscores.ALLOW


NO_LIMITS = HttpLimitsInput()
