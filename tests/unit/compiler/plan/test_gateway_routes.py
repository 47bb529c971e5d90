"""Route configurations of gateways, with the worked example of bookinfo."""

from __future__ import annotations

from typing import Any

from meshctl_operator.apis.kinds import Kind
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.compiler.findings import mesh_findings
from tests.support.mesh_text import TextMesh
from tests.support.plans import plan_gateway_route
from tests.support.route_mesh import (
    BOOKINFO,
    BUILT_IN_RETRY,
    GATEWAY,
    HTTP_SERVER,
    INGRESS,
    INGRESS_SERVICE,
    SERVICES,
    VS_BOOKINFO,
    gateway,
    gateway_input,
    gateway_json,
    host_names,
    shown,
    virtual_service,
)

REDIRECTING = '{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"], tls: {httpsRedirect: true}}'
METADATA = {"filter_metadata": {"istio": {"config": "/apis/networking.istio.io/v1/namespaces/default/virtual-service/bookinfo"}}}
PRODUCTPAGE = "productpage.default.svc.cluster.local"


def served(*servers: str) -> str:
    """Return the gateway of the example with other servers."""
    return gateway(f"{{selector: {{istio: ingressgateway}}, servers: [{', '.join(servers)}]}}")


def route(match: dict[str, Any], shown: str) -> dict[str, Any]:
    """Return a route of the example."""
    return {
        "match": {**match, "case_sensitive": True},
        "metadata": METADATA,
        "decorator": {"operation": f"{PRODUCTPAGE}:9080{shown}"},
        "route": {"cluster": f"outbound|9080||{PRODUCTPAGE}", "timeout": "0s", "max_grpc_timeout": "0s", "retry_policy": BUILT_IN_RETRY},
    }


ROUTES = [route({"path": "/productpage"}, "/productpage"), route({"prefix": "/static"}, "/static*")]


def test_worked_example() -> None:
    """The name of the route configuration has the translated port, the virtual host the declared one."""
    assert gateway_json(TextMesh(BOOKINFO)) == {
        "name": "http.8080",
        "validate_clusters": False,
        "ignore_port_in_host_matching": True,
        "max_direct_response_body_size_bytes": 1048576,
        "virtual_hosts": [{"name": "*:80", "domains": ["*"], "routes": ROUTES, "include_request_attempt_count": True}],
    }


def test_provenance() -> None:
    """Gateways, VirtualServices and destination services count."""
    found = TextMesh(BOOKINFO).evaluate(plan_gateway_route, INGRESS, "http.8080")
    assert found.provenance == (
        ObjectKey(Kind.GATEWAY, "default", "bookinfo-gateway"),
        ObjectKey(Kind.SERVICE, "default", "productpage"),
        ObjectKey(Kind.VIRTUAL_SERVICE, "default", "bookinfo"),
    )


def test_https_redirect_keeps_the_routes() -> None:
    """The flag httpsRedirect is one of the virtual host beside its routes."""
    mesh = TextMesh(INGRESS_SERVICE + SERVICES + served(REDIRECTING) + VS_BOOKINFO)
    assert gateway_json(mesh)["virtual_hosts"] == [
        {"name": "*:80", "domains": ["*"], "routes": ROUTES, "require_tls": "ALL", "include_request_attempt_count": True}
    ]


def test_https_redirect_without_virtual_service() -> None:
    """Hosts are redirected even if nobody routes them, and without the namespace that a server host may carry."""
    server = REDIRECTING.replace('["*"]', '["default/shop.example.com", "a.example.com"]')
    mesh = TextMesh(INGRESS_SERVICE + served(server))
    assert gateway_json(mesh)["virtual_hosts"] == [
        {"name": f"{host}:80", "domains": [host], "require_tls": "ALL", "include_request_attempt_count": True}
        for host in ("a.example.com", "shop.example.com")
    ]


def test_no_virtual_service_is_a_black_hole() -> None:
    """Without any VirtualService every request is answered 404."""
    mesh = TextMesh(INGRESS_SERVICE + GATEWAY)
    assert gateway_json(mesh)["virtual_hosts"] == [{"name": "blackhole:80", "domains": ["*"], "include_request_attempt_count": True}]


def test_https_server_has_routes_of_its_own() -> None:
    """A terminating HTTPS server has a route configuration by its port, port name and gateway."""
    server = '{port: {number: 443, name: https, protocol: HTTPS}, hosts: ["*"], tls: {mode: SIMPLE, credentialName: bk}}'
    mesh = TextMesh(INGRESS_SERVICE + SERVICES + served(server) + VS_BOOKINFO)
    assert gateway_json(mesh, "https.443.https.bookinfo-gateway.default")["virtual_hosts"][0]["routes"] == ROUTES


def test_server_host_of_another_namespace_binds_nothing() -> None:
    """``prod/*`` lets only VirtualServices of namespace prod in."""
    mesh = TextMesh(INGRESS_SERVICE + SERVICES + served(HTTP_SERVER.replace("*", "prod/*")) + VS_BOOKINFO)
    assert host_names(gateway_input(mesh)) == ["blackhole:80"]


def test_younger_virtual_service_is_appended() -> None:
    """Routes of several VirtualServices follow one another, oldest first; what matches everything comes last."""
    spec = (
        '{hosts: ["*"], gateways: [bookinfo-gateway], http: ['
        "{match: [{uri: {prefix: /api}}], route: [{destination: {host: details}}]}, {route: [{destination: {host: ratings}}]}]}"
    )
    older = virtual_service("older", spec.replace("/api", "/old"), created="2023-01-01T00:00:00Z")
    younger = virtual_service("younger", spec, created="2025-01-01T00:00:00Z")
    (host,) = gateway_input(TextMesh(INGRESS_SERVICE + SERVICES + GATEWAY + VS_BOOKINFO + older + younger)).virtual_hosts
    assert [route.match.path.text for route in host.routes] == ["/old", "/productpage", "/static", "/api", "/", "/"]
    assert [route.config.rpartition("/")[2] for route in host.routes[-2:]] == ["older", "younger"]


def test_hosts_with_the_same_routes_share_a_virtual_host() -> None:
    """The most specific host names the virtual host that all of them share."""
    spec = '{hosts: ["*.b.com", a.com, B.com], gateways: [bookinfo-gateway], http: [{route: [{destination: {host: details}}]}]}'
    mesh = TextMesh(INGRESS_SERVICE + SERVICES + GATEWAY + virtual_service("shared", spec))
    assert [(host.name, host.domains) for host in gateway_input(mesh).virtual_hosts] == [("a.com:80", ("a.com", "b.com", "*.b.com"))]


def test_hosts_with_other_routes_stay_apart() -> None:
    """A host that a second VirtualService also has does not share with one that it has not."""
    shared = "gateways: [bookinfo-gateway], http: [{route: [{destination: {host: details}}]}]"
    one = virtual_service("one", f"{{hosts: [a.com, b.com], {shared}}}")
    two = virtual_service("two", f"{{hosts: [b.com], {shared}}}")
    route = gateway_input(TextMesh(INGRESS_SERVICE + SERVICES + GATEWAY + one + two))
    assert host_names(route) == ["a.com:80", "b.com:80"]


def test_narrower_of_server_and_virtual_service_host() -> None:
    """The domain is the narrower of the two hosts; hosts that do not meet are left out."""
    server = HTTP_SERVER.replace('"*"', '"*.shop.com", www.other.com')
    spec = (
        '{hosts: [a.shop.com, "*.other.com", x.third.com], gateways: [bookinfo-gateway], http: [{route: [{destination: {host: details}}]}]}'
    )
    route = gateway_input(TextMesh(INGRESS_SERVICE + SERVICES + served(server) + virtual_service("vs", spec)))
    assert route.virtual_hosts[0].domains == ("www.other.com", "a.shop.com")


def test_two_servers_do_not_double_routes() -> None:
    """Two servers with one host give each route once."""
    other = HTTP_SERVER.replace("name: http", "name: http-2")
    mesh = TextMesh(INGRESS_SERVICE + SERVICES + served(HTTP_SERVER, other) + VS_BOOKINFO)
    assert gateway_json(mesh)["virtual_hosts"][0]["routes"] == ROUTES


def test_match_gateways_narrows() -> None:
    """A block for another gateway yields no route here."""
    spec = (
        '{hosts: ["*"], gateways: [bookinfo-gateway, mesh], http: [{match: [{gateways: [mesh]}], route: [{destination: {host: details}}]},'
        " {match: [{gateways: [bookinfo-gateway]}], name: here, route: [{destination: {host: details}}]}]}"
    )
    (host,) = gateway_input(TextMesh(INGRESS_SERVICE + SERVICES + GATEWAY + virtual_service("vs", spec))).virtual_hosts
    assert [route.name for route in host.routes] == ["here"]


def test_name_without_server_is_empty() -> None:
    """A listener that drains still gets an answer."""
    assert gateway_json(TextMesh(BOOKINFO), "http.9999") == {"name": "http.9999", "validate_clusters": False}


def test_unusable_host_is_left_out() -> None:
    """A host that Envoy would refuse is left out with a finding; the other hosts are served."""
    spec = '{hosts: ["a\\nb.com", ok.com], gateways: [bookinfo-gateway], http: [{route: [{destination: {host: details}}]}]}'
    mesh = TextMesh(INGRESS_SERVICE + SERVICES + GATEWAY + virtual_service("vs", spec))
    assert host_names(gateway_input(mesh)) == ["ok.com:80"]
    assert shown(mesh.evaluate(mesh_findings)) == [("MC2215", "spec.hosts[0]")]
