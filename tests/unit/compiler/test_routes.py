"""Route configurations are joined from parts, byte by byte as the whole message would be written."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from envoy.config.route.v3 import route_components_pb2, route_pb2

from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.base.shards import SHARDS, shard_of
from meshctl_operator.compiler.emit.routes import emit_route_configuration
from meshctl_operator.compiler.inputs.routes import RouteConfigurationInput
from meshctl_operator.compiler.routes import RouteTable, gateway_route, gateway_shard, sidecar_route, sidecar_shard, virtual_hosts
from meshctl_operator.model.views import OutboundView
from tests.support.mesh_text import TextMesh
from tests.support.plans import plan_gateway_route, plan_sidecar_route
from tests.support.route_mesh import (
    BOOKINFO,
    HTTP_SERVER,
    INGRESS,
    INGRESS_SERVICE,
    SERVICES,
    SIDECAR,
    VS_RATINGS,
    gateway,
    service,
    virtual_service,
)

LOCAL = replace(SIDECAR, local=True, http_proxy_port=15002)
MIXED = BOOKINFO + service("raw", "10.0.0.1", 7000, protocol="x") + service("Upper", "10.0.0.2")
STAR = SERVICES + virtual_service("all", '{hosts: ["*"], http: [{route: [{destination: {host: reviews}}]}]}')


def whole(route: RouteConfigurationInput) -> bytes:
    """Return the message written as one."""
    return bytes(emit_route_configuration(route).SerializeToString(deterministic=True))


@pytest.mark.parametrize("text", [BOOKINFO, MIXED, STAR, ""], ids=["bookinfo", "mixed", "star", "empty"])
@pytest.mark.parametrize("name", ["9080", "80", "http_proxy", "raw.default.svc.cluster.local:7000", "nonsense", "", "9999"])
@pytest.mark.parametrize("view", [SIDECAR, LOCAL], ids=["sidecar", "local"])
def test_joined_bytes_are_those_of_the_whole(text: str, name: str, view: OutboundView) -> None:
    """What a sidecar is sent is what protobuf writes for the message, and reads as the same message."""
    mesh = TextMesh(text)
    made, plan = mesh.evaluate(sidecar_route, view, name).whole(), mesh.evaluate(plan_sidecar_route, view, name)
    assert made.body == whole(plan.input)
    assert made.provenance == plan.provenance
    assert route_pb2.RouteConfiguration.FromString(made.body) == emit_route_configuration(plan.input)


REDIRECT = '{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*.example.com", a.com], tls: {httpsRedirect: true}}'
SEVERAL = (
    INGRESS_SERVICE
    + SERVICES
    + gateway(f"{{selector: {{istio: ingressgateway}}, servers: [{HTTP_SERVER}]}}")
    + gateway(f"{{selector: {{istio: ingressgateway}}, servers: [{REDIRECT}]}}", "second")
    + virtual_service(
        "one", "{hosts: [a.com, b.com], gateways: [bookinfo-gateway, second], http: [{route: [{destination: {host: reviews}}]}]}"
    )
    + virtual_service("two", "{hosts: [a.com], gateways: [bookinfo-gateway], http: [{match: [{uri: {prefix: /x}}], redirect: {uri: /y}}]}")
)


@pytest.mark.parametrize("text", [BOOKINFO, SEVERAL, INGRESS_SERVICE + gateway(f"{{selector: {{}}, servers: [{HTTP_SERVER}]}}"), ""])
@pytest.mark.parametrize("name", ["http.8080", "http.9999"])
def test_joined_bytes_of_gateways(text: str, name: str) -> None:
    """The same for gateways, also where a server has no virtual host or there is no server of that name."""
    mesh = TextMesh(text)
    made, plan = mesh.evaluate(gateway_route, INGRESS, name).whole(), mesh.evaluate(plan_gateway_route, INGRESS, name)
    assert made.body == whole(plan.input)
    assert made.provenance == plan.provenance


def _hosts(body: bytes) -> list[str]:
    return [host.name for host in route_pb2.RouteConfiguration.FromString(body).virtual_hosts]


def test_hosts_are_in_order_and_the_catch_all_last() -> None:
    """By name, not by shard."""
    found = _hosts(TextMesh(BOOKINFO).evaluate(sidecar_route, SIDECAR, "9080").whole().body)
    assert found[:-1] == sorted(found[:-1])
    assert found[-1] == "allow_any"
    assert len({shard_of(name) for name in found}) > 1, "the example is too poor to show anything"


def test_each_shard_has_its_hosts() -> None:
    """What a shard holds are the virtual hosts whose names are in it."""
    mesh = TextMesh(BOOKINFO)
    for number in range(SHARDS):
        assert all(shard_of(name) == number for name in mesh.evaluate(sidecar_shard, SIDECAR, "9080", number))
        assert all(shard_of(name) == number for name in mesh.evaluate(gateway_shard, INGRESS, "http.8080", number))


def test_a_part_is_emitted_once() -> None:
    """An edit of one VirtualService emits one virtual host; a view that has the others as well emits none of them again."""
    mesh = TextMesh(BOOKINFO)
    old = mesh.evaluate(sidecar_route, SIDECAR, "9080").whole()
    mesh.take_statistics()
    mesh.add(VS_RATINGS.replace("10s", "11s"))
    new = mesh.evaluate(sidecar_route, SIDECAR, "9080").whole()
    assert mesh.take_statistics().recomputed["_sidecar_part"] == 1
    assert (old.version != new.version, old.body != new.body) == (True, True)
    mesh.evaluate(sidecar_route, replace(SIDECAR, http10=True), "9080")
    assert "_sidecar_part" not in mesh.take_statistics().recomputed


def test_the_version_is_that_of_the_parts() -> None:
    """Equal messages have equal versions, and any part that differs, or stands elsewhere, makes another."""
    versions = {
        text: TextMesh(text).evaluate(sidecar_route, SIDECAR, "9080").whole().version
        for text in (BOOKINFO, BOOKINFO.replace("7s", "8s"), BOOKINFO + service("x", "10.0.0.9"))
    }
    assert len(set(versions.values())) == 3
    assert TextMesh(BOOKINFO).evaluate(sidecar_route, SIDECAR, "9080").whole().version == versions[BOOKINFO]


@pytest.mark.parametrize("field", ["ignore_port_in_host_matching", "max_direct_response_body", "name"])
def test_the_version_tells_shells_apart(field: str) -> None:
    """What is written beside the virtual hosts counts as well."""
    shell = RouteConfigurationInput("80")
    values: dict[str, Any] = {"name": "81", "max_direct_response_body": None}
    other = replace(shell, **{field: values.get(field, not getattr(shell, field))})
    assert RouteTable(shell).whole().version != RouteTable(other).whole().version


def test_provenance_has_the_sidecar() -> None:
    """The Sidecar object of a view decides what is there."""
    sidecar = "---\napiVersion: networking.istio.io/v1\nkind: Sidecar\nmetadata: {name: s, namespace: default}\nspec: {egress: [{hosts: ['./*']}]}\n"
    key = ObjectKey("Sidecar", "default", "s")
    made = TextMesh(BOOKINFO + sidecar).evaluate(sidecar_route, replace(SIDECAR, sidecar=key), "9080")
    assert key in made.whole().provenance
    assert key in made.split().provenance


def test_a_table_is_joined_once() -> None:
    """Whoever asks for the whole again gets the very resource."""
    table = TextMesh(BOOKINFO).evaluate(sidecar_route, SIDECAR, "9080")
    assert table.whole() is table.whole()


@pytest.mark.parametrize("text", [MIXED, STAR, ""], ids=["mixed", "star", "empty"])
def test_the_split_form_says_what_the_whole_one_does(text: str) -> None:
    """The shell with the virtual hosts under it is the whole configuration but for names and where the hosts come from."""
    mesh = TextMesh(text)
    table = mesh.evaluate(sidecar_route, SIDECAR, "9080")
    whole_form = route_pb2.RouteConfiguration.FromString(table.whole().body)
    shell = route_pb2.RouteConfiguration.FromString(table.split().body)
    found = {
        name: route_components_pb2.VirtualHost.FromString(made.body)
        for name, made in mesh.evaluate(virtual_hosts, SIDECAR, ("9080",)).items()
    }
    assert shell.HasField("vhds")
    assert not shell.virtual_hosts
    assert (shell.name, shell.ignore_port_in_host_matching) == (whole_form.name, whole_form.ignore_port_in_host_matching)
    for name, host in found.items():
        assert host.name == name
        host.name = name.partition("/")[2]
    assert sorted(found.values(), key=lambda host: host.name) == sorted(whole_form.virtual_hosts, key=lambda host: host.name)
    assert {key for host in mesh.evaluate(virtual_hosts, SIDECAR, ("9080",)).values() for key in host.provenance} == set(
        table.whole().provenance
    )


def test_the_configuration_of_a_sniffed_port_does_not_split() -> None:
    """Its one host is part of it, and no virtual host is a resource for it."""
    mesh, name = TextMesh(MIXED), "raw.default.svc.cluster.local:7000"
    table = mesh.evaluate(sidecar_route, SIDECAR, name)
    assert table.split() is table.whole()
    assert not mesh.evaluate(virtual_hosts, SIDECAR, (name,))


def test_virtual_hosts_of_several_configurations() -> None:
    """Each under the name of its configuration, in the shard of its name."""
    mesh = TextMesh(SEVERAL)
    found = mesh.evaluate(virtual_hosts, INGRESS, ("http.8080",))
    assert {name.partition("/")[0] for name in found} == {"http.8080"}
    both = mesh.evaluate(virtual_hosts, SIDECAR, ("80", "9080"))
    assert {name.partition("/")[0] for name in both} == {"80", "9080"}
    assert all(name in shard for shard in both.shards for name in shard if shard_of(name) == both.shards.index(shard))
    assert all(both[name].name == name for name in both)
