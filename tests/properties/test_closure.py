"""What a proxy is served holds together: each name that it discovers by exists, and nothing is said twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.endpoint.v3 import endpoint_pb2
from envoy.config.listener.v3 import listener_pb2
from envoy.config.route.v3 import route_components_pb2, route_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2
from envoy.extensions.transport_sockets.tls.v3 import secret_pb2
from hypothesis import given
from hypothesis import strategies as st

from meshctl_operator.base.diagnostics import Diagnostic
from meshctl_operator.compiler import codes
from meshctl_operator.compiler.emit.routes import NO_VIRTUAL_HOST
from meshctl_operator.compiler.resources import CompiledProxy
from meshctl_operator.model.proxies import Proxy
from meshctl_operator.xds.resources import TypeUrl
from tests.support.strategies.meshes import MeshState, mesh_states
from tests.support.world import FLEET, compiled, world_of
from tests.support.xds_references import cluster_names, parts, references

pytestmark = pytest.mark.property

MESSAGES: dict[TypeUrl, Any] = {
    TypeUrl.CLUSTER: cluster_pb2.Cluster,
    TypeUrl.ENDPOINT: endpoint_pb2.ClusterLoadAssignment,
    TypeUrl.LISTENER: listener_pb2.Listener,
    TypeUrl.ROUTE: route_pb2.RouteConfiguration,
    TypeUrl.SECRET: secret_pb2.Secret,
}
"""The class of each type of resource."""
UNKNOWN = {codes.UNKNOWN_DESTINATION.code, codes.UNKNOWN_SUBSET.code, codes.UNKNOWN_PORT.code, codes.PORT_NEEDED.code}
"""What a diagnostic says where the cluster of a destination does not exist."""


def _messages(held: CompiledProxy, type_url: TypeUrl) -> Iterator[Any]:
    for resource in held.resources[type_url].values():
        yield MESSAGES[type_url].FromString(resource.body)


def _twice(things: Iterable[Any]) -> list[Any]:
    """Return what is there more than once."""
    return [thing for thing, count in Counter(things).items() if count > 1]


@given(state=mesh_states(least=6, most=16), proxy=st.sampled_from(FLEET))
def test_what_is_discovered_by_name_exists(state: MeshState, proxy: Proxy) -> None:
    """Each RDS name has its RouteConfiguration, each SDS name its Secret, each EDS cluster its endpoints, and none is there for nothing."""
    held = compiled(state, proxy)
    wanted = {reference for type_url in MESSAGES for message in _messages(held, type_url) for reference in references(message)}
    there = {
        (TypeUrl(type_url), name) for type_url in (TypeUrl.ROUTE, TypeUrl.SECRET, TypeUrl.ENDPOINT) for name in held.resources[type_url]
    }
    assert wanted == there


@given(state=mesh_states(least=6, most=16), proxy=st.sampled_from(FLEET))
def test_a_cluster_that_does_not_exist_is_reported(state: MeshState, proxy: Proxy) -> None:
    """A route may name a cluster that the proxy does not have (the request is answered 503), but a diagnostic says so."""
    world = world_of(state)
    held = world.compile(proxy)
    findings = (*held.diagnostics, *world.findings())
    clusters = set(held.resources[TypeUrl.CLUSTER])
    for type_url in (TypeUrl.LISTENER, TypeUrl.ROUTE):
        for resource in held.resources[type_url].values():
            missing = cluster_names(MESSAGES[type_url].FromString(resource.body)) - clusters
            unreported = [name for name in missing if not any(_explains(found, name, resource.provenance) for found in findings)]
            assert not unreported, f"{resource.name} names {unreported}, and no diagnostic says so"


def _explains(found: Diagnostic, cluster: str, provenance: tuple[Any, ...]) -> bool:
    """Tell whether the finding is about a destination in one of the objects, of the host of the cluster."""
    host = cluster.rpartition("|")[2]
    return found.code in UNKNOWN and found.subject in provenance and host.partition(".")[0] in found.message


@given(state=mesh_states(least=6, most=16), proxy=st.sampled_from(FLEET))
def test_nothing_is_said_twice(state: MeshState, proxy: Proxy) -> None:
    """No two listeners share an address and port, no two chains of a listener a match, no two virtual hosts a name or domain."""
    held = compiled(state, proxy)
    listeners = list(_messages(held, TypeUrl.LISTENER))
    assert not _twice((message.address.SerializeToString(deterministic=True)) for message in listeners)
    for listener in listeners:
        assert not _twice(chain.filter_chain_match.SerializeToString(deterministic=True) for chain in listener.filter_chains), listener.name
        for server_names in ([*chain.filter_chain_match.server_names] for chain in listener.filter_chains):
            assert not _twice(server_names)
    inline = [
        part.route_config
        for listener in listeners
        for part in parts(listener)
        if isinstance(part, http_connection_manager_pb2.HttpConnectionManager) and part.HasField("route_config")
    ]
    for route in [*_messages(held, TypeUrl.ROUTE), *inline]:
        assert not _twice(host.name for host in route.virtual_hosts), route.name
        assert not _twice(domain.lower() for host in route.virtual_hosts for domain in host.domains), route.name
        assert all(host.domains for host in route.virtual_hosts), route.name


@given(state=mesh_states(least=6, most=16), proxy=st.sampled_from(FLEET))
def test_the_split_form_says_what_the_whole_one_does(state: MeshState, proxy: Proxy) -> None:
    """Shells and virtual hosts apart are the whole route configurations; no shell has hosts of its own, none is without one."""
    held = compiled(state, proxy)
    hosts: dict[str, list[Any]] = {}
    for name, resource in held.split[TypeUrl.VIRTUAL_HOST].items():
        message = route_components_pb2.VirtualHost.FromString(resource.body)
        assert message.name == name
        message.name = name.rpartition("/")[2]
        hosts.setdefault(name.rpartition("/")[0], []).append(message)
    assert held.split[TypeUrl.ROUTE].keys() == held.resources[TypeUrl.ROUTE].keys()
    for name, resource in held.split[TypeUrl.ROUTE].items():
        shell = route_pb2.RouteConfiguration.FromString(resource.body)
        whole = route_pb2.RouteConfiguration.FromString(held.resources[TypeUrl.ROUTE][name].body)
        if not shell.HasField("vhds"):
            assert shell == whole
            continue
        assert not shell.virtual_hosts
        split = hosts.pop(name)
        assert sum("*" in host.domains for host in split) <= 1
        real = [host for host in split if host.name != NO_VIRTUAL_HOST.name]
        assert sorted(real, key=_name) == sorted(whole.virtual_hosts, key=_name)
    assert not hosts, "virtual hosts of a configuration that is not there"


def _name(host: Any) -> str:
    return str(host.name)
