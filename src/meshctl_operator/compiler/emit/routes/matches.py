"""Emit ``RouteMatch``."""

from __future__ import annotations

from typing import assert_never

from envoy.config.route.v3 import route_components_pb2

from meshctl_operator.compiler.emit.routes.claims import emit_claim_match
from meshctl_operator.compiler.emit.values import emit_regex, emit_string_matcher
from meshctl_operator.compiler.inputs.routes import HeaderMatchInput, MatchKind, QueryMatchInput, RouteMatchInput


def emit_match(match: RouteMatchInput) -> route_components_pb2.RouteMatch:
    """Return the matcher with path, headers and query parameters in the order of the Input."""
    message = route_components_pb2.RouteMatch()
    match match.path.kind:
        case MatchKind.EXACT:
            message.path = match.path.text
        case MatchKind.PREFIX | MatchKind.PRESENT:
            message.prefix = match.path.text
        case MatchKind.REGEX:
            message.safe_regex.CopyFrom(emit_regex(match.path.text))
        case _:
            assert_never(match.path.kind)
    if match.case_sensitive is not None:
        message.case_sensitive.value = match.case_sensitive
    message.headers.extend(emit_header_match(header) for header in match.headers)
    message.query_parameters.extend(_query(query) for query in match.query)
    message.dynamic_metadata.extend(emit_claim_match(claim) for claim in match.claims)
    return message


def emit_header_match(header: HeaderMatchInput) -> route_components_pb2.HeaderMatcher:
    """Return ``HeaderMatcher``.

    Without ``treat_missing_header_as_empty`` an inverted comparison would fail for requests that lack the header.
    """
    message = route_components_pb2.HeaderMatcher(name=header.name, invert_match=header.invert)
    if header.value.kind is MatchKind.PRESENT:
        message.present_match = True
    else:
        message.string_match.CopyFrom(emit_string_matcher(header.value))
        message.treat_missing_header_as_empty = header.invert
    return message


def _query(query: QueryMatchInput) -> route_components_pb2.QueryParameterMatcher:
    message = route_components_pb2.QueryParameterMatcher(name=query.name)
    if query.value.kind is MatchKind.PRESENT:
        message.present_match = True
    else:
        message.string_match.CopyFrom(emit_string_matcher(query.value))
    return message
