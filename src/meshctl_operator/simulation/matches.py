"""Whether a route takes a request (Envoy ``RouteEntryImplBase::matchRoute``), and if not, why."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, TypeAlias

from envoy.config.route.v3 import route_components_pb2

from meshctl_operator.simulation.headers import METHOD, PATH, Headers
from meshctl_operator.simulation.texts import ascii_lower, describe_matcher, matches_regex, matches_text
from meshctl_operator.simulation.values import read_share

_Match: TypeAlias = route_components_pb2.RouteMatch
_INTEGER: Final = re.compile(r"[+-]?[0-9]+")


def mismatch(match: _Match, headers: Headers, draw: int) -> str:
    """Return why the route does not take the request, empty where it does. ``draw`` is the random number of the request."""
    return (
        _path_mismatch(match, headers)
        or _header_mismatch(match.headers, headers)
        or _query_mismatch(match.query_parameters, headers)
        or _special_mismatch(match, headers, draw)
    )


def matched_path(match: _Match, headers: Headers) -> str:
    """Return the part of the path that a prefix rewrite replaces: the prefix, or all of the path."""
    kind = match.WhichOneof("path_specifier")
    return str(getattr(match, kind)) if kind in {"prefix", "path_separated_prefix"} else headers.bare_path


def unsupported(match: _Match) -> str:
    """Return what of the match is not simulated, empty if nothing."""
    kind = match.WhichOneof("path_specifier")
    if kind == "path_match_policy":
        return "path_match_policy"
    return next((name for name in ("tls_context", "filter_state", "dynamic_metadata") if _is_set(match, name)), "")


def _is_set(match: _Match, name: str) -> bool:
    return bool(getattr(match, name)) if name != "tls_context" else bool(match.HasField(name))


def _path_mismatch(match: _Match, headers: Headers) -> str:
    path = headers.bare_path
    kind = match.WhichOneof("path_specifier")
    if kind == "safe_regex":
        return "" if matches_regex(match.safe_regex, path) else f'path "{path}" does not match regex "{match.safe_regex.regex}"'
    if kind == "connect_matcher":
        return "" if headers.text(METHOD) == "CONNECT" else "takes CONNECT alone"
    if kind == "path_match_policy":
        return ""  # whether it fits is not known here
    wanted = getattr(match, kind) if kind else ""
    exactly = match.case_sensitive.value or not match.HasField("case_sensitive")
    mine, theirs = (path, wanted) if exactly else (ascii_lower(path), ascii_lower(wanted))
    match kind:
        case "path":
            return "" if mine == theirs else f'path "{path}" is not "{wanted}"'
        case "path_separated_prefix":
            fits = mine.startswith(theirs) and mine[len(theirs) : len(theirs) + 1] in {"", "/"}
            return "" if fits else f'path "{path}" is not below "{wanted}"'
        case _:
            return "" if mine.startswith(theirs) else f'path "{path}" does not start with "{wanted}"'


def _header_mismatch(matchers: Iterable[route_components_pb2.HeaderMatcher], headers: Headers) -> str:
    for matcher in matchers:
        value = headers.get(matcher.name)
        if not _header_fits(matcher, value):
            has = f'is "{value}"' if value is not None else "is missing"
            return f"header {matcher.name} {has}, wanted is {'not ' if matcher.invert_match else ''}{_described(matcher)}"
    return ""


def _header_fits(matcher: route_components_pb2.HeaderMatcher, value: str | None) -> bool:
    kind = matcher.WhichOneof("header_match_specifier")
    if value is None and matcher.treat_missing_header_as_empty:
        value = ""
    if kind is None or kind == "present_match":
        wanted = kind is None or bool(matcher.present_match)
        return ((value is not None) == wanted) != bool(matcher.invert_match)
    if value is None:
        return False
    return _value_fits(matcher, kind, value) != bool(matcher.invert_match)


def _value_fits(matcher: route_components_pb2.HeaderMatcher, kind: str, value: str) -> bool:
    match kind:
        case "string_match":
            return matches_text(matcher.string_match, value)
        case "safe_regex_match":
            return matches_regex(matcher.safe_regex_match, value)
        case "range_match":
            return _INTEGER.fullmatch(value) is not None and matcher.range_match.start <= int(value) < matcher.range_match.end
        case "exact_match":
            return bool(not matcher.exact_match or value == matcher.exact_match)
        case "prefix_match":
            return bool(value.startswith(matcher.prefix_match))
        case "suffix_match":
            return bool(value.endswith(matcher.suffix_match))
        case _:
            return bool(matcher.contains_match in value)


def _described(matcher: route_components_pb2.HeaderMatcher) -> str:
    kind = matcher.WhichOneof("header_match_specifier")
    match kind:
        case None | "present_match":
            return "there" if kind is None or matcher.present_match else "missing"
        case "string_match":
            return describe_matcher(matcher.string_match)
        case "safe_regex_match":
            return f'regex "{matcher.safe_regex_match.regex}"'
        case "range_match":
            return f"a number from {matcher.range_match.start} to below {matcher.range_match.end}"
        case _:
            return f'{kind.removesuffix("_match")} "{getattr(matcher, kind)}"'


def _query_mismatch(matchers: Iterable[route_components_pb2.QueryParameterMatcher], headers: Headers) -> str:
    values: dict[str, str] | None = None
    for matcher in matchers:
        values = query_values(headers.text(PATH)) if values is None else values
        value = values.get(matcher.name)
        kind = matcher.WhichOneof("query_parameter_match_specifier")
        if kind == "string_match":
            if value is None or not matches_text(matcher.string_match, value):
                has = f'is "{value}"' if value is not None else "is missing"
                return f"query parameter {matcher.name} {has}, wanted is {describe_matcher(matcher.string_match)}"
        elif (value is not None) != (kind is None or matcher.present_match):
            return f"query parameter {matcher.name} {'is missing' if value is None else 'is there'}"
    return ""


def query_values(path: str) -> dict[str, str]:
    """Return the parameters of the query, of those with one name the first. Nothing is unescaped."""
    values: dict[str, str] = {}
    _, mark, query = path.partition("?")
    for parameter in query.split("&") if mark else ():
        name, _, value = parameter.partition("=")
        values.setdefault(name, value)
    return values


def _special_mismatch(match: _Match, headers: Headers, draw: int) -> str:
    if match.HasField("grpc") and not headers.text("content-type").startswith("application/grpc"):
        return "takes gRPC alone"
    if match.HasField("runtime_fraction"):
        share = read_share(match.runtime_fraction.default_value)
        if not share.contains(draw):
            return f"takes {share.percent:g} % of requests, and not this one"
    return ""
