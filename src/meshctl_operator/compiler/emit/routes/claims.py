"""Emit ``MetadataMatcher`` for claims of tokens."""

from __future__ import annotations

from typing import Final

from envoy.type.matcher.v3 import metadata_pb2, value_pb2

from meshctl_operator.compiler.emit.values import emit_string_matcher
from meshctl_operator.compiler.inputs.routes import ClaimMatchInput, MatchKind

_JWT_FILTER: Final = "envoy.filters.http.jwt_authn"
_PAYLOAD: Final = "payload"
"""The key under which Istio has the filter leave the claims."""


def emit_claim_match(claim: ClaimMatchInput) -> metadata_pb2.MetadataMatcher:
    """Return the matcher: a claim may be a text, or a list of texts of which one fits."""
    message = metadata_pb2.MetadataMatcher(filter=_JWT_FILTER, invert=claim.invert)
    for key in (_PAYLOAD, *claim.path):
        message.path.add(key=key)
    if claim.value.kind is MatchKind.PRESENT:
        message.value.present_match = True
        return message
    text = value_pb2.ValueMatcher(string_match=emit_string_matcher(claim.value))
    one_of = message.value.or_match.value_matchers.add()
    one_of.list_match.one_of.CopyFrom(text)
    message.value.or_match.value_matchers.append(text)
    return message
