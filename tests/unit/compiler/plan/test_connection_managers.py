"""Connection managers of the three sides."""

from __future__ import annotations

from dataclasses import replace

from meshctl_operator.compiler.inputs.http_limits import NO_LIMITS
from meshctl_operator.compiler.inputs.listeners import ClientCertForwarding
from meshctl_operator.compiler.inputs.routes import RouteConfigurationInput
from meshctl_operator.compiler.ordering import HttpFilterName
from meshctl_operator.compiler.plan.connection_managers import application_protocols, gateway_manager, inbound_manager, outbound_manager
from meshctl_operator.compiler.plan.http_limits import GATEWAY_LIMITS
from meshctl_operator.compiler.plan.listener_settings import listener_settings
from meshctl_operator.model.protocols import Protocol
from tests.support.mesh_text import TextMesh

SETTINGS = TextMesh("").evaluate(listener_settings)


def test_outbound() -> None:
    """The outbound side adds nothing about the client and names its statistics after the listener."""
    manager = outbound_manager(SETTINGS, "0.0.0.0_80", "80", protocol=Protocol.HTTP, http10=False)
    assert (manager.stat_prefix, manager.route, manager.server_name) == ("outbound_0.0.0.0_80;", "80", "")
    assert (manager.use_remote_address, manager.client_cert) == (False, None)


def test_inbound() -> None:
    """The inbound side appends the client's certificate and has its route inline."""
    route = RouteConfigurationInput("inbound|80||")
    manager = inbound_manager(SETTINGS, "p", route, protocol=Protocol.HTTP2, http10=False)
    assert (manager.route, manager.client_cert, manager.http2_options) == (route, ClientCertForwarding.APPEND_FORWARD, True)


def test_gateway() -> None:
    """A gateway takes the peer's address as the client's, and drops what clients say about certificates."""
    manager = gateway_manager(replace(SETTINGS, trusted_hops=1), "p", "http.80", protocol=Protocol.HTTP, http10=True)
    assert (manager.use_remote_address, manager.trusted_hops, manager.client_cert) == (True, 1, ClientCertForwarding.SANITIZE_SET)
    assert manager.accept_http10


def test_filters() -> None:
    """The gRPC-Web bridge is there for ports that are declared so, and nowhere else."""
    plain = outbound_manager(SETTINGS, "l", "80", protocol=Protocol.GRPC, http10=False)
    bridged = outbound_manager(SETTINGS, "l", "80", protocol=Protocol.GRPC_WEB, http10=False)
    assert bridged.http_filters == (HttpFilterName.GRPC_WEB, *plain.http_filters)
    assert plain.http_filters[-1] is HttpFilterName.ROUTER


def test_normalisation_reaches_every_side() -> None:
    """Path normalisation of the mesh holds on every side, or a path could be judged differently by two proxies."""
    settings = replace(SETTINGS, normalize_path=False, merge_slashes=True)
    managers = (
        outbound_manager(settings, "l", "80", protocol=Protocol.HTTP, http10=False),
        inbound_manager(settings, "p", RouteConfigurationInput("r"), protocol=Protocol.HTTP, http10=False),
        gateway_manager(settings, "p", "r", protocol=Protocol.HTTP, http10=False),
    )
    assert {(manager.normalize_path, manager.merge_slashes) for manager in managers} == {(False, True)}


def test_application_protocols() -> None:
    """HTTP/1.0 is recognised only where the proxy accepts it."""
    assert application_protocols(http10=False) == ("http/1.1", "h2c")
    assert application_protocols(http10=True) == ("http/1.0", "http/1.1", "h2c")


def test_limits() -> None:
    """Gateways are limited by default; a server of gRPC has no limit for the length of a request."""
    http = gateway_manager(SETTINGS, "p", "http.80", protocol=Protocol.HTTP, http10=False).limits
    grpc = gateway_manager(SETTINGS, "p", "http.80", protocol=Protocol.GRPC, http10=False).limits
    assert (http, grpc) == (GATEWAY_LIMITS, replace(GATEWAY_LIMITS, request_timeout=None))
    assert outbound_manager(SETTINGS, "l", "80", protocol=Protocol.HTTP, http10=False).limits == NO_LIMITS
