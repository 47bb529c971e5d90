"""HTTP towards an upstream (``envoy.extensions.upstreams.http.v3.HttpProtocolOptions``)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, assert_never

from envoy.config.common.matcher.v3 import matcher_pb2
from envoy.config.core.v3 import protocol_pb2
from envoy.extensions.upstreams.http.v3 import http_protocol_options_pb2

from meshctl_operator.compiler.emit.values import emit_duration
from meshctl_operator.compiler.inputs.clusters import Http2Input, HttpInput, UpstreamHttp

HTTP_OPTIONS: Final = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
"""The key under which a cluster carries the message."""


def emit_http_options(http: HttpInput) -> http_protocol_options_pb2.HttpProtocolOptions:
    """Return HttpProtocolOptions. Envoy wants a protocol in it: where none was chosen, HTTP/1."""
    message = http_protocol_options_pb2.HttpProtocolOptions()
    match http.protocol:
        case UpstreamHttp.HTTP1 | None:
            message.explicit_http_config.http_protocol_options.SetInParent()
        case UpstreamHttp.HTTP2:
            _set_http2(message.explicit_http_config.http2_protocol_options, http.http2)
        case UpstreamHttp.AS_DOWNSTREAM:
            message.use_downstream_protocol_config.http_protocol_options.SetInParent()
            _set_http2(message.use_downstream_protocol_config.http2_protocol_options, http.http2)
        case _:
            assert_never(http.protocol)
    common = message.common_http_protocol_options
    if http.idle_timeout is not None:
        common.idle_timeout.CopyFrom(emit_duration(http.idle_timeout))
    if http.max_connection_duration is not None:
        common.max_connection_duration.CopyFrom(emit_duration(http.max_connection_duration))
    if http.max_requests_per_connection is not None:
        common.max_requests_per_connection.value = http.max_requests_per_connection
    if http.auto_sni:
        message.upstream_http_protocol_options.auto_sni = True
    if http.auto_san_validation:
        message.upstream_http_protocol_options.auto_san_validation = True
    if http.error_codes:
        message.outlier_detection.error_matcher.CopyFrom(_any_status(http.error_codes))
    return message


def _set_http2(message: protocol_pb2.Http2ProtocolOptions, http2: Http2Input) -> None:
    message.SetInParent()
    if http2.max_concurrent_streams is not None:
        message.max_concurrent_streams.value = http2.max_concurrent_streams
    if http2.keepalive_interval is not None:
        message.connection_keepalive.interval.CopyFrom(emit_duration(http2.keepalive_interval))
    if http2.keepalive_timeout is not None:
        message.connection_keepalive.timeout.CopyFrom(emit_duration(http2.keepalive_timeout))


def _any_status(codes: Sequence[int]) -> matcher_pb2.MatchPredicate:
    """Return a predicate that holds for each of the statuses; a set of rules needs two members at least."""
    rules = []
    for code in codes:
        rule = matcher_pb2.MatchPredicate()
        header = rule.http_response_headers_match.headers.add(name=":status")
        header.string_match.exact = str(code)
        rules.append(rule)
    if len(rules) == 1:
        return rules[0]
    either = matcher_pb2.MatchPredicate()
    either.or_match.rules.extend(rules)
    return either
