"""Durations and shares out of messages."""

from __future__ import annotations

from envoy.type.v3 import percent_pb2
from google.protobuf import duration_pb2

from meshctl_operator.base.durations import Duration
from meshctl_operator.simulation.traces import Share
from meshctl_operator.simulation.values import read_duration, read_share


def test_values() -> None:
    """Messages are read to the last digit."""
    assert read_duration(duration_pb2.Duration(seconds=1, nanos=5)) == Duration(1_000_000_005)
    assert read_share(percent_pb2.FractionalPercent(numerator=5, denominator="TEN_THOUSAND")) == Share(5, 10_000)
