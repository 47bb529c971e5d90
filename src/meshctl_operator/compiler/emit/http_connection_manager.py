"""The HTTP connection manager (``HttpConnectionManager``) with its filter chain."""

from __future__ import annotations

from typing import Final, assert_never

from envoy.config.core.v3 import config_source_pb2
from envoy.config.listener.v3 import listener_components_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2 as hcm_pb2

from meshctl_operator.base.durations import Duration
from meshctl_operator.compiler.emit.access_log import emit_access_log
from meshctl_operator.compiler.emit.http_limits import set_limits
from meshctl_operator.compiler.emit.routes import emit_route_configuration
from meshctl_operator.compiler.emit.values import emit_duration
from meshctl_operator.compiler.filters import cors, dynamic_forward_proxy, fault, grpc_stats, grpc_web, rbac, router
from meshctl_operator.compiler.inputs.listeners import EscapedSlashes, HttpConnectionManagerInput
from meshctl_operator.compiler.ordering import HttpFilterName

_NAME: Final = "envoy.filters.network.http_connection_manager"


def emit_http_connection_manager(manager: HttpConnectionManagerInput) -> listener_components_pb2.Filter:
    """Return the network filter. 100-continue is passed on and websockets are always allowed, as with Istio."""
    message = hcm_pb2.HttpConnectionManager(
        stat_prefix=manager.stat_prefix,
        server_name=manager.server_name or "",
        append_x_forwarded_port=manager.forwarded_port,
        xff_num_trusted_hops=manager.trusted_hops,
        merge_slashes=manager.merge_slashes,
        proxy_100_continue=True,
    )
    if isinstance(manager.route, str):
        message.rds.route_config_name = manager.route
        source = message.rds.config_source
        source.ads.SetInParent()
        source.resource_api_version = config_source_pb2.V3
        source.initial_fetch_timeout.CopyFrom(emit_duration(Duration(0)))
    else:
        message.route_config.CopyFrom(emit_route_configuration(manager.route))
    message.http_filters.extend(entry for name in manager.http_filters for entry in _http_filters(name, manager))
    set_limits(message, manager.limits)
    message.normalize_path.value = manager.normalize_path
    if manager.server_name is None:
        message.server_header_transformation = hcm_pb2.HttpConnectionManager.PASS_THROUGH
    if not manager.request_ids:
        message.generate_request_id.value = False
    if manager.use_remote_address:
        message.use_remote_address.value = True
    if manager.client_cert is not None:
        message.forward_client_cert_details = hcm_pb2.HttpConnectionManager.ForwardClientCertDetails.Value(manager.client_cert.value)
    _set_certificate_details(message, manager.certificate_details)
    if manager.escaped_slashes is not EscapedSlashes.DEFAULT:
        action = hcm_pb2.HttpConnectionManager.PathWithEscapedSlashesAction.Value(manager.escaped_slashes.value)
        message.path_with_escaped_slashes_action = action
    if manager.accept_http10:
        message.http_protocol_options.accept_http_10 = True
    if manager.allow_absolute_url:
        message.http_protocol_options.allow_absolute_url.value = True
    if manager.http2_options:
        message.http2_protocol_options.SetInParent()
    if manager.websocket:
        message.upgrade_configs.add(upgrade_type="websocket")
    if manager.access_log is not None:
        message.access_log.append(emit_access_log(manager.access_log))
    entry = listener_components_pb2.Filter(name=_NAME)
    entry.typed_config.Pack(message, deterministic=True)
    return entry


def _set_certificate_details(message: hcm_pb2.HttpConnectionManager, details: tuple[str, ...]) -> None:
    for detail in details:
        if detail == "subject":
            message.set_current_client_cert_details.subject.value = True
        else:
            setattr(message.set_current_client_cert_details, detail, True)


def _http_filters(name: HttpFilterName, manager: HttpConnectionManagerInput) -> tuple[hcm_pb2.HttpFilter, ...]:
    match name:
        case HttpFilterName.RBAC:
            return (rbac.http_filter(),)
        case HttpFilterName.GRPC_WEB:
            return (grpc_web.http_filter(),)
        case HttpFilterName.GRPC_STATS:
            return (grpc_stats.http_filter(),)
        case HttpFilterName.FAULT:
            return (fault.http_filter(),)
        case HttpFilterName.CORS:
            return (cors.http_filter(),)
        case HttpFilterName.DYNAMIC_FORWARD_PROXY:
            return tuple(map(dynamic_forward_proxy.http_filter, manager.dns_caches))
        case HttpFilterName.ROUTER:
            return (router.http_filter(suppress_envoy_headers=not manager.debug_headers),)
        case _:
            assert_never(name)
