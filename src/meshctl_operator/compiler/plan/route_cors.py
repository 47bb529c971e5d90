"""CORS policies of rules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from meshctl_operator.apis.networking.virtual_service import CorsPolicy, UnmatchedPreflights
from meshctl_operator.base.diagnostics import Diagnostic
from meshctl_operator.compiler import codes
from meshctl_operator.compiler.inputs.routes import CorsInput, MatchKind, TextMatchInput
from meshctl_operator.compiler.plan.route_matches import plan_text, text_problem
from meshctl_operator.model.virtual_services import Place

_NANOS_PER_SECOND: Final = 1_000_000_000


def plan_cors(cors: CorsPolicy | None, place: Place, report: Callable[[Diagnostic], None]) -> CorsInput | None:
    """Return the policy. ``allowOrigins`` beats the deprecated list of exact origins; an origin that Envoy would refuse is left out."""
    if cors is None:
        return None
    origins = []
    for index, origin in enumerate(cors.allow_origins):
        if problem := text_problem(origin):
            path = f"{place.path}.allowOrigins[{index}]{problem[0]}"
            report(codes.UNUSABLE_PART.error(place.subject, path, f"{problem[1]}; the origin is left out"))
        else:
            origins.append(plan_text(origin))
    if not cors.allow_origins:
        origins = [TextMatchInput(MatchKind.EXACT, text) for text in cors.allow_origin]
    return CorsInput(
        origins=tuple(origins),
        methods=",".join(cors.allow_methods),
        allow_headers=",".join(cors.allow_headers),
        expose_headers=",".join(cors.expose_headers),
        max_age=str(cors.max_age.nanos // _NANOS_PER_SECOND) if cors.max_age is not None else "",
        credentials=cors.allow_credentials,
        forward_not_matching_preflights=cors.unmatched_preflights is not UnmatchedPreflights.IGNORE,
    )
