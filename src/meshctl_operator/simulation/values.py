"""Small messages as values: durations and shares."""

from __future__ import annotations

from typing import Final

from envoy.type.v3 import percent_pb2
from google.protobuf import duration_pb2

from meshctl_operator.base.durations import Duration
from meshctl_operator.simulation.traces import Share

_NANOS: Final = 1_000_000_000
_DENOMINATORS: Final = {
    percent_pb2.FractionalPercent.HUNDRED: 100,
    percent_pb2.FractionalPercent.TEN_THOUSAND: 10_000,
    percent_pb2.FractionalPercent.MILLION: 1_000_000,
}


def read_share(fraction: percent_pb2.FractionalPercent) -> Share:
    """Return ``envoy.type.v3.FractionalPercent`` as a value."""
    return Share(fraction.numerator, _DENOMINATORS[fraction.denominator])


def read_duration(duration: duration_pb2.Duration) -> Duration:
    """Return ``google.protobuf.Duration`` as a value."""
    return Duration(duration.seconds * _NANOS + duration.nanos)
