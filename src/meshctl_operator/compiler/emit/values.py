"""Small values that occur in many messages: durations, fractions, regular expressions, string matchers."""

from __future__ import annotations

from typing import Final, assert_never

from envoy.type.matcher.v3 import regex_pb2, string_pb2
from envoy.type.v3 import percent_pb2
from google.protobuf import duration_pb2

from meshctl_operator.base.durations import Duration
from meshctl_operator.compiler.inputs.routes import FractionInput, MatchKind, TextMatchInput

_ANY_TEXT: Final = ".+"
_NANOS_PER_SECOND: Final = 1_000_000_000


def emit_duration(duration: Duration) -> duration_pb2.Duration:
    """Return ``google.protobuf.Duration``; seconds and nanoseconds carry one sign."""
    sign = -1 if duration.nanos < 0 else 1
    seconds, nanos = divmod(abs(duration.nanos), _NANOS_PER_SECOND)
    return duration_pb2.Duration(seconds=sign * seconds, nanos=sign * nanos)


def emit_fraction(fraction: FractionInput) -> percent_pb2.FractionalPercent:
    """Return ``envoy.type.v3.FractionalPercent``."""
    return percent_pb2.FractionalPercent(numerator=fraction.numerator, denominator=fraction.denominator.value)


def emit_regex(pattern: str) -> regex_pb2.RegexMatcher:
    """Return ``envoy.type.matcher.v3.RegexMatcher``; RE2 is the engine that Envoy takes when none is named."""
    return regex_pb2.RegexMatcher(regex=pattern)


def emit_string_matcher(match: TextMatchInput) -> string_pb2.StringMatcher:
    """Return ``envoy.type.matcher.v3.StringMatcher``. PRESENT, which it cannot say, becomes "has any text"."""
    match match.kind:
        case MatchKind.EXACT:
            return string_pb2.StringMatcher(exact=match.text)
        case MatchKind.PREFIX:
            return string_pb2.StringMatcher(prefix=match.text)
        case MatchKind.REGEX:
            return string_pb2.StringMatcher(safe_regex=emit_regex(match.text))
        case MatchKind.PRESENT:
            return string_pb2.StringMatcher(safe_regex=emit_regex(_ANY_TEXT))
        case _:
            assert_never(match.kind)
