"""HTTP connection managers: what differs between the outbound side, the inbound side and gateways, in one place."""

from __future__ import annotations

from typing import Final

from meshctl_operator.compiler.inputs.listeners import HttpConnectionManagerInput
from meshctl_operator.compiler.inputs.routes import RouteConfigurationInput
from meshctl_operator.compiler.ordering import HttpFilterName, http_filter_order
from meshctl_operator.compiler.plan.http_limits import Limits, limits_for
from meshctl_operator.compiler.plan.listener_settings import ListenerSettings
from meshctl_operator.model.protocols import Protocol

SERVER_NAME: Final = "istio-envoy"
HTTP_PROTOCOLS: Final = ("http/1.1", "h2c")
HTTP10_PROTOCOLS: Final = ("http/1.0", *HTTP_PROTOCOLS)
_FILTERS: Final = (HttpFilterName.GRPC_STATS, HttpFilterName.FAULT, HttpFilterName.CORS, HttpFilterName.ROUTER)


def application_protocols(*, http10: bool) -> tuple[str, ...]:
    """Return what the HTTP inspector may have found for a chain that speaks HTTP."""
    return HTTP10_PROTOCOLS if http10 else HTTP_PROTOCOLS


def outbound_manager(
    settings: ListenerSettings,
    listener: str,
    route: str | RouteConfigurationInput,
    *,
    protocol: Protocol,
    http10: bool,
    absolute_url: bool = False,
) -> HttpConnectionManagerInput:
    """Return the manager of an outbound listener of a sidecar. It hides nothing of the client: the application is the client."""
    return HttpConnectionManagerInput(
        stat_prefix=f"outbound_{listener};",
        route=route,
        http_filters=_filters(protocol),
        normalize_path=settings.normalize_path,
        merge_slashes=_merges(settings, settings.sidecars),
        escaped_slashes=settings.sidecars.escaped_slashes or settings.escaped_slashes,
        limits=limits_for(settings.sidecars.http, protocol),
        accept_http10=http10,
        allow_absolute_url=absolute_url,
        access_log=settings.access_log,
        server_name=_server(settings, ""),
        request_ids=settings.headers.request_id,
        debug_headers=settings.headers.debug,
        forwarded_port=settings.headers.forwarded_port,
    )


def inbound_manager(
    settings: ListenerSettings, stat_prefix: str, route: RouteConfigurationInput, *, protocol: Protocol, http10: bool
) -> HttpConnectionManagerInput:
    """Return the manager of an inbound chain of a sidecar; its route to the application is inline."""
    return HttpConnectionManagerInput(
        stat_prefix=stat_prefix,
        route=route,
        http_filters=_filters(protocol),
        client_cert=settings.headers.client_cert,
        certificate_details=settings.headers.certificate_details,
        normalize_path=settings.normalize_path,
        merge_slashes=_merges(settings, settings.sidecars),
        escaped_slashes=settings.sidecars.escaped_slashes or settings.escaped_slashes,
        limits=limits_for(settings.sidecars.http, protocol),
        accept_http10=http10,
        http2_options=protocol.is_http2,
        access_log=settings.access_log,
        server_name=_server(settings, SERVER_NAME),
        request_ids=settings.headers.request_id,
        debug_headers=settings.headers.debug,
        forwarded_port=settings.headers.forwarded_port,
    )


def gateway_manager(
    settings: ListenerSettings, stat_prefix: str, route: str, *, protocol: Protocol, http10: bool
) -> HttpConnectionManagerInput:
    """Return the manager of a gateway: the edge, where the address of the peer is the address of the client."""
    return HttpConnectionManagerInput(
        stat_prefix=stat_prefix,
        route=route,
        http_filters=_filters(protocol),
        use_remote_address=True,
        trusted_hops=settings.trusted_hops,
        client_cert=settings.gateway_client_cert,
        certificate_details=("subject", "cert", "dns", "uri"),
        normalize_path=settings.normalize_path,
        merge_slashes=_merges(settings, settings.gateways),
        escaped_slashes=settings.gateways.escaped_slashes or settings.escaped_slashes,
        limits=limits_for(settings.gateways.http, protocol),
        accept_http10=http10,
        access_log=settings.access_log,
        server_name=_server(settings, SERVER_NAME),
        request_ids=settings.headers.request_id,
        debug_headers=settings.headers.debug,
        forwarded_port=settings.headers.forwarded_port,
    )


def _server(settings: ListenerSettings, usual: str) -> str | None:
    declared = settings.headers.server
    return None if declared is None else declared or usual


def _filters(protocol: Protocol) -> tuple[HttpFilterName, ...]:
    return http_filter_order((*_FILTERS, HttpFilterName.GRPC_WEB) if protocol is Protocol.GRPC_WEB else _FILTERS)


def _merges(settings: ListenerSettings, limits: Limits) -> bool:
    return settings.merge_slashes if limits.merge_slashes is None else limits.merge_slashes
