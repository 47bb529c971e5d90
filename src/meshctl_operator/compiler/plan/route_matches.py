"""Match blocks: what is decided while compiling, and the matcher that is left for the proxy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from meshctl_operator.apis.networking.common import StringMatch
from meshctl_operator.apis.networking.virtual_service import HttpMatchRequest
from meshctl_operator.base.diagnostics import Diagnostic
from meshctl_operator.base.labels import Labels, freeze, selects
from meshctl_operator.compiler import codes
from meshctl_operator.compiler.inputs.routes import (
    ClaimMatchInput,
    HeaderMatchInput,
    MatchKind,
    QueryMatchInput,
    RouteMatchInput,
    TextMatchInput,
)
from meshctl_operator.compiler.plan.route_claims import claim_path, is_claim
from meshctl_operator.compiler.plan.route_regexes import regex_problem
from meshctl_operator.compiler.plan.route_texts import header_name_problem, plain_text_problem
from meshctl_operator.model.virtual_services import Place

_MAX_QUERY_NAME: Final = 1024  # Envoy's limit (validation of QueryParameterMatcher)
_PRESENT: Final = TextMatchInput(MatchKind.PRESENT)


@dataclass(frozen=True, slots=True)
class Conditions:
    """The conditions of a match block that need no request: port, gateways, and labels and namespace of the proxy."""

    port: int = 0
    gateways: tuple[str, ...] = ()
    source_labels: Labels = ()
    source_namespace: str = ""

    def hold(self, *, port: int, gateway: str, labels: Labels, namespace: str) -> bool:
        """Tell whether the block applies. Gateways, where given, replace the conditions on the proxy (as on istiod)."""
        if self.port and self.port != port:
            return False
        if self.gateways:
            return gateway in self.gateways
        return selects(dict(self.source_labels), dict(labels)) and self.source_namespace in {"", namespace}

    @property
    def always_hold(self) -> bool:
        """Whether the block applies to every proxy and port."""
        return not (self.port or self.gateways or self.source_labels or self.source_namespace)


@dataclass(frozen=True, slots=True)
class MatchBlock:
    """One way to match a rule; ``name`` and ``stat_prefix`` as the user gave them."""

    match: RouteMatchInput
    conditions: Conditions = Conditions()
    name: str = ""
    stat_prefix: str = ""


EVERY_REQUEST: Final = MatchBlock(RouteMatchInput())
"""The block of a rule without blocks."""


class _Unusable(Exception):  # noqa: N818  (leaves a block that turned out unusable; never passes the module)
    """Carries the finding about the first condition that Envoy would refuse."""

    def __init__(self, finding: Diagnostic) -> None:
        super().__init__(finding.message)
        self.finding = finding


def plan_match(block: HttpMatchRequest, place: Place) -> MatchBlock | Diagnostic:
    """Return the block in compiled form, or why it has to be left out."""
    try:
        return MatchBlock(
            match=_route_match(block, place),
            conditions=Conditions(block.port, block.gateways, freeze(block.source_labels), block.source_namespace),
            name=block.name,
            stat_prefix=block.stat_prefix,
        )
    except _Unusable as unusable:
        return unusable.finding


def _route_match(block: HttpMatchRequest, place: Place) -> RouteMatchInput:
    headers, claims = _headers(block.headers, place.at(".headers"), invert=False)
    missing, missing_claims = _headers(block.without_headers, place.at(".withoutHeaders"), invert=True)
    headers += missing
    pseudo = ((":method", block.method, "method"), (":authority", block.authority, "authority"), (":scheme", block.scheme, "scheme"))
    headers += [HeaderMatchInput(name, _checked(match, place.at(f".{shown}"))) for name, match, shown in pseudo if match is not None]
    return RouteMatchInput(
        path=_path(block.uri, place.at(".uri")),
        case_sensitive=not block.ignore_uri_case,
        headers=tuple(headers),
        query=_query(block.query_params, place),
        claims=(*claims, *missing_claims),
    )


def _headers(matches: Mapping[str, StringMatch], place: Place, *, invert: bool) -> tuple[list[HeaderMatchInput], list[ClaimMatchInput]]:
    """Return what is compared of headers, and of the claims of a token that stand among them, each by name."""
    headers, claims = [], []
    for name, match in sorted(matches.items()):
        if is_claim(name):
            claims.append(_claim(name, match, place.key(name), invert=invert))
        else:
            headers.append(_header(name, match, place.key(name), invert=invert))
    return headers, claims


def _claim(name: str, match: StringMatch | None, place: Place, *, invert: bool) -> ClaimMatchInput:
    path = claim_path(name)
    if path is None:
        raise _Unusable(codes.UNUSABLE_MATCH.error(place.subject, place.path, f"{name!r} names no claim; the block is left out"))
    return ClaimMatchInput(path, _checked(match, place), invert)


def _path(uri: StringMatch | None, place: Place) -> TextMatchInput:
    if uri is None:
        return RouteMatchInput().path
    if uri.regex is not None:
        return TextMatchInput(MatchKind.REGEX, _regex(uri.regex, place))
    if uri.exact is not None:
        return TextMatchInput(MatchKind.EXACT, uri.exact)
    if uri.prefix is not None:
        return TextMatchInput(MatchKind.PREFIX, uri.prefix)
    return RouteMatchInput().path


def _header(name: str, match: StringMatch | None, place: Place, *, invert: bool) -> HeaderMatchInput:
    if problem := header_name_problem(name, pseudo=True):
        raise _Unusable(codes.UNUSABLE_MATCH.error(place.subject, place.path, f"{name!r} {problem}; the block is left out"))
    return HeaderMatchInput(name, _checked(match, place), invert)


def _query(params: Mapping[str, StringMatch], place: Place) -> tuple[QueryMatchInput, ...]:
    found = []
    for name, match in sorted(params.items()):
        at = place.at(".queryParams").key(name)
        if not 0 < len(name.encode(errors="replace")) <= _MAX_QUERY_NAME:
            message = (
                f"the name of a query parameter has 1 to {_MAX_QUERY_NAME} characters, this one has {len(name)}; the block is left out"
            )
            raise _Unusable(codes.UNUSABLE_MATCH.error(at.subject, at.path, message))
        found.append(QueryMatchInput(name, _checked(match, at)))
    return tuple(found)


def plan_text(match: StringMatch | None) -> TextMatchInput:
    """Return how a text is compared; nothing set, or the regular expression ``*``, asks for presence."""
    if match is None or match.regex == "*":
        return _PRESENT
    if match.exact is not None:
        return TextMatchInput(MatchKind.EXACT, match.exact)
    if match.prefix is not None:
        return TextMatchInput(MatchKind.PREFIX, match.prefix)
    return TextMatchInput(MatchKind.REGEX, match.regex) if match.regex is not None else _PRESENT


def text_problem(match: StringMatch | None) -> tuple[str, str] | None:
    """Return field and reason of what Envoy would refuse in a comparison, or None when it would refuse nothing."""
    if match is None or match.regex == "*":
        return None
    if match.prefix == "":
        return ".prefix", "is empty, which matches everything (use {} to ask that it is present)"
    for text, field in ((match.exact, ".exact"), (match.prefix, ".prefix")):
        if text is not None and (problem := plain_text_problem(text)):
            return field, problem
    if match.regex is not None and (problem := regex_problem(match.regex)):
        return ".regex", f"{match.regex[:80]!r} {problem}"
    return None


def _checked(match: StringMatch | None, place: Place) -> TextMatchInput:
    if problem := text_problem(match):
        raise _Unusable(codes.UNUSABLE_MATCH.error(place.subject, place.path + problem[0], f"{problem[1]}; the block is left out"))
    return plan_text(match)


def _regex(pattern: str, place: Place) -> str:
    if problem := regex_problem(pattern):
        at = place.at(".regex")
        raise _Unusable(codes.UNUSABLE_MATCH.error(at.subject, at.path, f"{pattern[:80]!r} {problem}; the block is left out"))
    return pattern
