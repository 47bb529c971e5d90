"""Cross-origin resource sharing: ``envoy.filters.http.cors``. The chain carries an empty filter; routes carry the policy."""

from __future__ import annotations

from envoy.extensions.filters.http.cors.v3 import cors_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2 as hcm_pb2

from meshctl_operator.compiler.emit.values import emit_fraction, emit_string_matcher
from meshctl_operator.compiler.inputs.routes import CorsInput, FractionInput
from meshctl_operator.compiler.ordering import HttpFilterName

_ALWAYS = FractionInput(100)


def http_filter() -> hcm_pb2.HttpFilter:
    """Return the entry of the filter chain (``envoy.extensions.filters.http.cors.v3.Cors``)."""
    entry = hcm_pb2.HttpFilter(name=HttpFilterName.CORS.value)
    entry.typed_config.Pack(cors_pb2.Cors(), deterministic=True)
    return entry


def per_route(cors: CorsInput) -> cors_pb2.CorsPolicy:
    """Return the policy of one route (``envoy.extensions.filters.http.cors.v3.CorsPolicy``)."""
    message = cors_pb2.CorsPolicy(
        allow_origin_string_match=[emit_string_matcher(origin) for origin in cors.origins],
        allow_methods=cors.methods,
        allow_headers=cors.allow_headers,
        expose_headers=cors.expose_headers,
        max_age=cors.max_age,
    )
    message.filter_enabled.default_value.CopyFrom(emit_fraction(_ALWAYS))
    message.forward_not_matching_preflights.value = cors.forward_not_matching_preflights
    if cors.credentials is not None:
        message.allow_credentials.value = cors.credentials
    return message
