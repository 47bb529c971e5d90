"""Go durations are read exactly and written canonically."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshctl_operator.base.durations import Duration


@pytest.mark.parametrize(
    ("text", "nanos"),
    [
        ("1h30m", 5_400_000_000_000),
        ("24h", 86_400_000_000_000),
        ("8ms", 8_000_000),
        ("1.5s", 1_500_000_000),
        (".5s", 500_000_000),
        ("0", 0),
        ("0s", 0),
        ("-2s", -2_000_000_000),
        ("+2s", 2_000_000_000),
        ("3us", 3_000),
        ("3\N{MICRO SIGN}s", 3_000),
        ("100ns", 100),
    ],
)
def test_go_notation_is_read(text: str, nanos: int) -> None:
    """Every form of ``time.ParseDuration`` has its value."""
    assert Duration.parse(text).nanos == nanos


@pytest.mark.parametrize("text", ["", "5", "1d", "s", "1s ", "1 s", "1h-5m", "1.2.3s", "--1s", "9999999999999h"])
def test_anything_else_is_refused(text: str) -> None:
    """What Go does not read is an error that names the text."""
    with pytest.raises(ValueError, match="is not a duration"):
        Duration.parse(text)


@pytest.mark.parametrize(
    ("nanos", "text"),
    [(0, "0s"), (8_000_000, "8ms"), (5_400_000_000_000, "1h30m0s"), (1_500_000_000, "1.5s"), (1, "1ns"), (60_000_000_000, "1m0s")],
)
def test_written_as_go_writes_it(nanos: int, text: str) -> None:
    """The text is Go's own canonical form."""
    assert str(Duration(nanos)) == text


@given(st.integers(min_value=-(2**62), max_value=2**62))
def test_round_trip(nanos: int) -> None:
    """Reading what was written gives the same duration."""
    assert Duration.parse(str(Duration(nanos))) == Duration(nanos)


def test_seconds_and_milliseconds() -> None:
    """A duration can be built from seconds and milliseconds, and gives seconds."""
    assert Duration.of(seconds=1.5, milliseconds=20).seconds == 1.52
