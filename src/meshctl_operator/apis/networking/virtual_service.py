"""The structure of ``VirtualService``."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated

from pydantic import BeforeValidator, Field

from meshctl_operator.apis.meta import OneOfModel, StrictModel
from meshctl_operator.apis.networking.common import (
    Base64Bytes,
    Destination,
    Flag,
    FrozenMap,
    GoDuration,
    Int32,
    Percent,
    StringMatch,
    UInt32,
)
from meshctl_operator.apis.support import NullItems, validated_only


def _null_is_presence(value: object) -> object:
    """Istio accepts null for a query parameter and for a header that must be absent, with the meaning of ``{}``."""
    return {key: StringMatch() if match is None else match for key, match in value.items()} if isinstance(value, Mapping) else value


def _null_is_every_request(value: object) -> object:
    """Istio accepts null for a match block, with the meaning of ``{}``: it matches every request."""
    return [{} if block is None else block for block in value] if isinstance(value, list | tuple) else value


class HeaderOperations(StrictModel):
    """Headers to overwrite, append and remove (Istio ``Headers.HeaderOperations``)."""

    set: FrozenMap[str, str] = Field(default_factory=dict)
    add: FrozenMap[str, str] = Field(default_factory=dict)
    remove: tuple[str, ...] = ()


class Headers(StrictModel):
    """Header operations on the way there and on the way back (Istio ``Headers``)."""

    request: HeaderOperations | None = None
    response: HeaderOperations | None = None


class HttpMatchRequest(StrictModel):
    """Conditions of one match block, all of which must hold (Istio ``HTTPMatchRequest``)."""

    name: str = ""
    uri: StringMatch | None = None
    scheme: StringMatch | None = None
    method: StringMatch | None = None
    authority: StringMatch | None = None
    headers: FrozenMap[str, StringMatch] = Field(default_factory=dict)
    port: UInt32 = 0
    source_labels: FrozenMap[str, str] = Field(default_factory=dict)
    gateways: tuple[str, ...] = ()
    query_params: Annotated[FrozenMap[str, StringMatch], BeforeValidator(_null_is_presence), NullItems()] = Field(default_factory=dict)
    ignore_uri_case: Flag = False
    without_headers: Annotated[FrozenMap[str, StringMatch], BeforeValidator(_null_is_presence), NullItems()] = Field(default_factory=dict)
    source_namespace: str = ""
    stat_prefix: str = ""


class HttpRouteDestination(StrictModel):
    """One weighted destination of an HTTP route (Istio ``HTTPRouteDestination``)."""

    destination: Destination
    weight: Int32 = 0
    headers: Headers | None = None


class DerivePort(StrEnum):
    """Where a redirect takes its port from (Istio ``HTTPRedirect.RedirectPortSelection``)."""

    FROM_PROTOCOL_DEFAULT = "FROM_PROTOCOL_DEFAULT"
    FROM_REQUEST_PORT = "FROM_REQUEST_PORT"


class HttpRedirect(OneOfModel):
    """Answer with a redirect (Istio ``HTTPRedirect``)."""

    one_ofs = (("port", "derive_port"),)

    uri: str = ""
    prefix_rewrite: str = ""
    authority: str = ""
    port: UInt32 | None = None
    derive_port: DerivePort | None = None
    scheme: str = ""
    redirect_code: UInt32 = 0


class HttpBody(OneOfModel):
    """The body of a direct response, as text or as base64 (Istio ``HTTPBody``)."""

    one_ofs = (("string", "bytes_"),)

    string: str | None = None
    bytes_: Base64Bytes | None = Field(default=None, alias="bytes")


class HttpDirectResponse(StrictModel):
    """Answer without any upstream (Istio ``HTTPDirectResponse``)."""

    status: UInt32 = 0
    body: HttpBody | None = None


class Delegate(StrictModel):
    """The VirtualService that holds the routes (Istio ``Delegate``)."""

    name: str = ""
    namespace: str = ""


class RegexRewrite(StrictModel):
    r"""Rewrite of the path by a regular expression with ``\\1`` groups (Istio ``RegexRewrite``)."""

    match: str = ""
    rewrite: str = ""


class HttpRewrite(StrictModel):
    """Rewrite of path and authority before the request is sent on (Istio ``HTTPRewrite``)."""

    uri: str = ""
    authority: str = ""
    uri_regex_rewrite: RegexRewrite | None = None


class HttpRetry(StrictModel):
    """Retry policy (Istio ``HTTPRetry``). Zero attempts turn retries off."""

    attempts: Int32 = 0
    per_try_timeout: GoDuration | None = None
    retry_on: str = ""
    retry_remote_localities: Flag | None = None
    retry_ignore_previous_hosts: Flag | None = None
    backoff: GoDuration | None = None


class FaultDelay(OneOfModel):
    """Delay before a request is sent on (Istio ``HTTPFaultInjection.Delay``)."""

    one_ofs = (("fixed_delay", "exponential_delay"),)

    percent: Int32 = 0
    fixed_delay: GoDuration | None = None
    exponential_delay: GoDuration | None = None
    percentage: Percent | None = None


class FaultAbort(OneOfModel):
    """Answer with an error instead of sending a request on (Istio ``HTTPFaultInjection.Abort``)."""

    one_ofs = (("http_status", "grpc_status", "http2_error"),)

    http_status: Int32 | None = None
    grpc_status: str | None = None
    http2_error: str | None = None
    percentage: Percent | None = None


class HttpFaultInjection(StrictModel):
    """Faults for a share of the requests (Istio ``HTTPFaultInjection``)."""

    delay: FaultDelay | None = None
    abort: FaultAbort | None = None


class HttpMirrorPolicy(StrictModel):
    """One destination that gets a copy of the requests (Istio ``HTTPMirrorPolicy``)."""

    destination: Destination | None = None
    percentage: Percent | None = None


class UnmatchedPreflights(StrEnum):
    """What happens to preflight requests of other origins (Istio ``CorsPolicy.UnmatchedPreflights``)."""

    UNSPECIFIED = "UNSPECIFIED"
    FORWARD = "FORWARD"
    IGNORE = "IGNORE"


class CorsPolicy(StrictModel):
    """Cross-origin resource sharing (Istio ``CorsPolicy``). ``allow_origin`` is the deprecated list of exact origins."""

    allow_origin: tuple[str, ...] = ()
    allow_origins: tuple[StringMatch, ...] = ()
    allow_methods: tuple[str, ...] = ()
    allow_headers: tuple[str, ...] = ()
    expose_headers: tuple[str, ...] = ()
    max_age: GoDuration | None = None
    allow_credentials: Flag | None = None
    unmatched_preflights: UnmatchedPreflights = UnmatchedPreflights.UNSPECIFIED


class HttpRoute(StrictModel):
    """One rule: match blocks, any of which may hold, and what to do with the request (Istio ``HTTPRoute``)."""

    name: str = ""
    match: Annotated[tuple[HttpMatchRequest, ...], BeforeValidator(_null_is_every_request), NullItems()] = ()
    route: tuple[HttpRouteDestination, ...] = ()
    redirect: HttpRedirect | None = None
    direct_response: HttpDirectResponse | None = None
    delegate: Delegate | None = None
    rewrite: HttpRewrite | None = None
    timeout: GoDuration | None = None
    retries: HttpRetry | None = None
    fault: HttpFaultInjection | None = None
    mirror: Destination | None = None
    mirrors: tuple[HttpMirrorPolicy, ...] = ()
    mirror_percent: UInt32 | None = None
    mirror_percentage: Percent | None = None
    cors_policy: CorsPolicy | None = None
    headers: Headers | None = None


class RouteDestination(StrictModel):
    """One weighted destination of a TCP or TLS route (Istio ``RouteDestination``)."""

    destination: Destination
    weight: Int32 = 0


class L4MatchAttributes(StrictModel):
    """Conditions on a TCP connection, all of which must hold (Istio ``L4MatchAttributes``)."""

    destination_subnets: tuple[str, ...] = ()
    port: UInt32 = 0
    source_subnet: Annotated[str, validated_only("Istio has never acted on it either")] = ""
    source_labels: FrozenMap[str, str] = Field(default_factory=dict)
    gateways: tuple[str, ...] = ()
    source_namespace: str = ""


class TcpRoute(StrictModel):
    """One rule for TCP connections (Istio ``TCPRoute``)."""

    match: tuple[L4MatchAttributes, ...] = ()
    route: tuple[RouteDestination, ...] = ()


class TlsMatchAttributes(StrictModel):
    """Conditions on a TLS connection that is not terminated, all of which must hold (Istio ``TLSMatchAttributes``)."""

    sni_hosts: tuple[str, ...] = ()
    destination_subnets: tuple[str, ...] = ()
    port: UInt32 = 0
    source_labels: FrozenMap[str, str] = Field(default_factory=dict)
    gateways: tuple[str, ...] = ()
    source_namespace: str = ""


class TlsRoute(StrictModel):
    """One rule for TLS connections that are not terminated (Istio ``TLSRoute``)."""

    match: tuple[TlsMatchAttributes, ...] = ()
    route: tuple[RouteDestination, ...] = ()


class VirtualServiceSpec(StrictModel):
    """The ``spec`` of a VirtualService. Without hosts it is a delegate; without gateways it applies to ``mesh``."""

    hosts: tuple[str, ...] = ()
    gateways: tuple[str, ...] = ()
    http: tuple[HttpRoute, ...] = ()
    tls: tuple[TlsRoute, ...] = ()
    tcp: tuple[TcpRoute, ...] = ()
    export_to: tuple[str, ...] = ()
