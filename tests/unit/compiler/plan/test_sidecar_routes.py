"""Route configurations of sidecars, with the worked example of bookinfo."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from meshctl_operator.apis.kinds import Kind
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.compiler.findings import mesh_findings
from meshctl_operator.compiler.inputs.routes import DirectResponseInput, ForwardInput
from tests.support.mesh_text import TextMesh
from tests.support.plans import plan_sidecar_route
from tests.support.route_mesh import (
    BOOKINFO,
    BUILT_IN_RETRY,
    SERVICES,
    SIDECAR,
    VS_RATINGS,
    VS_REVIEWS,
    destination_rule,
    host_named,
    host_names,
    service,
    sidecar_input,
    sidecar_json,
    virtual_service,
)

FAULT = "type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault"
JASON = [{"name": "end-user", "string_match": {"exact": "jason"}}]
LOCAL = replace(SIDECAR, http_proxy_port=15080, local=True)
REGISTRY_ONLY = {"outboundTrafficPolicy": {"mode": "REGISTRY_ONLY"}}


def forward(timeout: str = "0s", **more: Any) -> dict[str, Any]:
    """Return the action of a route with the fields that every one has."""
    return {"timeout": timeout, "max_grpc_timeout": timeout, "retry_policy": BUILT_IN_RETRY, **more}


def metadata(name: str) -> dict[str, Any]:
    """Return the metadata by which a route names its VirtualService."""
    return {"filter_metadata": {"istio": {"config": f"/apis/networking.istio.io/v1/namespaces/default/virtual-service/{name}"}}}


def virtual_host(name: str, address: str, routes: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the virtual host of a service of bookinfo, as clients of its namespace see it."""
    host = f"{name}.default.svc.cluster.local"
    domains = [host, f"{host}.", name, f"{name}.default.svc", f"{name}.default", address]
    return {"name": f"{host}:9080", "domains": domains, "routes": routes, "include_request_attempt_count": True}


def default_route(name: str) -> dict[str, Any]:
    """Return the route of a service without VirtualService."""
    host = f"{name}.default.svc.cluster.local"
    action = forward(cluster=f"outbound|9080||{host}")
    return {"name": "default", "match": {"prefix": "/"}, "decorator": {"operation": f"{host}:9080/*"}, "route": action}


def test_worked_example() -> None:
    """Port 9080 of bookinfo: default routes, a fault with a time-out, a header match, weights, and pass-through for the rest."""
    ratings, reviews = "ratings.default.svc.cluster.local", "reviews.default.svc.cluster.local"
    fault = {"@type": FAULT, "delay": {"percentage": {"numerator": 1000000, "denominator": "MILLION"}, "fixed_delay": "7s"}}
    assert sidecar_json(TextMesh(BOOKINFO)) == {
        "name": "9080",
        "validate_clusters": False,
        "ignore_port_in_host_matching": True,
        "max_direct_response_body_size_bytes": 1048576,
        "virtual_hosts": [
            virtual_host("details", "10.96.0.11", [default_route("details")]),
            virtual_host("productpage", "10.96.0.12", [default_route("productpage")]),
            virtual_host(
                "ratings",
                "10.96.0.13",
                [
                    {
                        "match": {"prefix": "/", "case_sensitive": True, "headers": JASON},
                        "metadata": metadata("ratings"),
                        "decorator": {"operation": f"{ratings}:9080/*"},
                        "typed_per_filter_config": {"envoy.filters.http.fault": fault},
                        "route": forward("10s", cluster=f"outbound|9080|v1|{ratings}"),
                    },
                    {
                        "match": {"prefix": "/"},
                        "metadata": metadata("ratings"),
                        "decorator": {"operation": f"{ratings}:9080/*"},
                        "route": forward(cluster=f"outbound|9080|v1|{ratings}"),
                    },
                ],
            ),
            virtual_host(
                "reviews",
                "10.96.0.14",
                [
                    {
                        "name": "tester",
                        "match": {"prefix": "/", "case_sensitive": True, "headers": JASON},
                        "metadata": metadata("reviews"),
                        "decorator": {"operation": f"{reviews}:9080/*"},
                        "route": forward(cluster=f"outbound|9080|v2|{reviews}"),
                    },
                    {
                        "match": {"prefix": "/"},
                        "metadata": metadata("reviews"),
                        "decorator": {"operation": "reviews:9080/*"},
                        "route": forward(
                            weighted_clusters={
                                "clusters": [
                                    {"name": f"outbound|9080|v1|{reviews}", "weight": 80},
                                    {"name": f"outbound|9080|v3|{reviews}", "weight": 20},
                                ]
                            }
                        ),
                    },
                ],
            ),
            {
                "name": "allow_any",
                "domains": ["*"],
                "routes": [
                    {
                        "name": "allow_any",
                        "match": {"prefix": "/"},
                        "route": {"cluster": "PassthroughCluster", "timeout": "0s", "max_grpc_timeout": "0s"},
                    }
                ],
                "include_request_attempt_count": True,
            },
        ],
    }


def test_worked_example_has_no_findings() -> None:
    """An example without mistakes gives no findings."""
    assert TextMesh(BOOKINFO).evaluate(mesh_findings) == ()


def test_provenance_names_what_was_used() -> None:
    """The provenance holds services and VirtualServices of the port, and nothing that is for gateways."""
    provenance = TextMesh(BOOKINFO).evaluate(plan_sidecar_route, SIDECAR, "9080").provenance
    assert ObjectKey(Kind.VIRTUAL_SERVICE, "default", "reviews") in provenance
    assert ObjectKey(Kind.SERVICE, "default", "details") in provenance
    assert ObjectKey(Kind.VIRTUAL_SERVICE, "default", "bookinfo") not in provenance


def test_second_virtual_service_for_a_host_is_ignored() -> None:
    """For sidecars the oldest VirtualService decides about a host alone; the younger one is told so."""
    spec = "{hosts: [reviews], http: [{route: [{destination: {host: reviews, subset: v3}}]}]}"
    mesh = TextMesh(BOOKINFO + virtual_service("younger", spec, created="2025-01-01T00:00:00Z"))
    assert sidecar_json(mesh) == sidecar_json(TextMesh(BOOKINFO))
    (finding,) = mesh.evaluate(mesh_findings)
    assert (finding.code, finding.istio_code, finding.subject.name, finding.path) == ("MC2207", "IST0109", "younger", "spec.hosts[0]")


def test_private_virtual_service_is_not_seen_elsewhere() -> None:
    """With exportTo "." a sidecar of another namespace has the default route, under names that carry the namespace."""
    mesh = TextMesh(SERVICES + VS_REVIEWS.replace("hosts: [reviews]", 'hosts: [reviews]\n  exportTo: ["."]'))
    other = replace(SIDECAR, namespace="other", dns_domain="other.svc.cluster.local")
    host = host_named(sidecar_input(mesh, view=other), "reviews.default.svc.cluster.local:9080")
    assert host.domains[:4] == (
        "reviews.default.svc.cluster.local",
        "reviews.default.svc.cluster.local.",
        "reviews.default",
        "reviews.default.svc",
    )
    assert [route.name for route in host.routes] == ["default"]


def test_source_labels_decide_while_compiling() -> None:
    """A block for other workloads yields no route."""
    text = VS_REVIEWS.replace("{headers: {end-user: {exact: jason}}}", "{sourceLabels: {app: x}}")
    host = "reviews.default.svc.cluster.local:9080"
    mine = host_named(sidecar_input(TextMesh(SERVICES + text), view=replace(SIDECAR, labels=(("app", "x"),))), host)
    theirs = host_named(sidecar_input(TextMesh(SERVICES + text)), host)
    assert [route.name for route in mine.routes] == ["tester"]
    assert [route.name for route in theirs.routes] == [""]


def test_unknown_destination_keeps_its_cluster_name() -> None:
    """A destination that nobody declares is served as named: only its requests fail."""
    mesh = TextMesh(SERVICES + VS_RATINGS.replace("host: ratings", "host: nope"))
    clusters = {
        route.action.clusters
        for route in host_named(sidecar_input(mesh), "ratings.default.svc.cluster.local:9080").routes
        if isinstance(route.action, ForwardInput)
    }
    assert clusters == {"outbound|9080|v1|nope.default.svc.cluster.local"}


def test_virtual_service_without_routes_for_the_proxy_leaves_the_default() -> None:
    """Where no rule survives, the services fall back to their default route."""
    spec = "{hosts: [reviews], http: [{match: [{sourceLabels: {app: x}}], route: [{destination: {host: reviews}}]}]}"
    host = host_named(sidecar_input(TextMesh(SERVICES + virtual_service("reviews", spec))), "reviews.default.svc.cluster.local:9080")
    assert [route.name for route in host.routes] == ["default"]


def test_default_route_hashes() -> None:
    """The default route carries the hash policy of the DestinationRule and still avoids hosts that failed."""
    rule = destination_rule("details", "{host: details, trafficPolicy: {loadBalancer: {consistentHash: {httpHeaderName: x-user}}}}")
    mesh = TextMesh(service("details", "10.96.0.11") + rule)
    action = sidecar_json(mesh)["virtual_hosts"][0]["routes"][0]["route"]
    assert action["hash_policy"] == [{"header": {"header_name": "x-user"}}]
    assert "retry_host_predicate" in action["retry_policy"]
    assert ObjectKey(Kind.DESTINATION_RULE, "default", "details") in mesh.evaluate(plan_sidecar_route, SIDECAR, "9080").provenance


def test_port_80_takes_hosts_without_service() -> None:
    """Port 80 has every host of the mesh's VirtualServices, also those of services with other ports."""
    spec = "{hosts: [out.example.com, reviews], http: [{route: [{destination: {host: reviews}}]}]}"
    route = sidecar_input(TextMesh(SERVICES + virtual_service("out", spec)), "80")
    assert host_names(route) == ["out.example.com:80", "reviews.default.svc.cluster.local:80", "allow_any"]
    assert host_named(route, "out.example.com:80").domains == ("out.example.com",)


@pytest.mark.parametrize(
    ("view", "settings", "name"),
    [(SIDECAR, {}, "allow_any"), (SIDECAR, REGISTRY_ONLY, "block_all"), (LOCAL, {}, "block_all")],
    ids=["pass on", "registry only", "local mesh"],
)
def test_unknown_hosts(view: Any, settings: dict[str, Any], name: str) -> None:
    """Requests for unknown hosts are passed on, or answered 502 where the registry is all there is and in the local mesh."""
    last = sidecar_input(TextMesh(SERVICES, **settings), "http_proxy", view).virtual_hosts[-1]
    assert (last.name, last.domains) == (name, ("*",))
    assert (last.routes[0].action == DirectResponseInput(502)) == (name == "block_all")


def test_http_proxy_matches_ports() -> None:
    """On the HTTP proxy port every domain carries its port, but those of port 80, and the port counts."""
    mesh = TextMesh(service("shop", "10.0.0.1", 80, 9080))
    route = sidecar_input(mesh, "http_proxy", LOCAL)
    assert not route.ignore_port_in_host_matching
    assert host_named(route, "shop.default.svc.cluster.local:80").domains[:4] == (
        "shop.default.svc.cluster.local",
        "shop.default.svc.cluster.local:80",
        "shop.default.svc.cluster.local.",
        "shop.default.svc.cluster.local.:80",
    )
    assert all(domain.endswith(":9080") for domain in host_named(route, "shop.default.svc.cluster.local:9080").domains)
    assert "shop:9080" in host_named(route, "shop.default.svc.cluster.local:9080").domains


def test_http_proxy_routes_by_the_port_of_the_url() -> None:
    """A destination without port gets the port that the client named, on the HTTP proxy port as well."""
    spec = "{hosts: [shop], http: [{route: [{destination: {host: shop, subset: v1}}]}]}"
    mesh = TextMesh(service("shop", "10.0.0.1", 80, 9080) + virtual_service("shop", spec))
    found = {
        host.name: host.routes[0].action.clusters
        for host in sidecar_input(mesh, "http_proxy", LOCAL).virtual_hosts
        if isinstance(host.routes[0].action, ForwardInput)
    }
    assert found["shop.default.svc.cluster.local:80"] == "outbound|80|v1|shop.default.svc.cluster.local"
    assert found["shop.default.svc.cluster.local:9080"] == "outbound|9080|v1|shop.default.svc.cluster.local"


def test_sniffed_port_has_one_host_for_everything() -> None:
    """The route configuration of a sniffed service port holds its one virtual host, which takes any host name."""
    mesh = TextMesh(service("raw", "10.0.0.1", 7000, protocol="x") + service("other", "10.0.0.2", 7000, protocol="x"))
    route = sidecar_input(mesh, "raw.default.svc.cluster.local:7000")
    assert [(host.name, host.domains) for host in route.virtual_hosts] == [("raw.default.svc.cluster.local:7000", ("*",))]


@pytest.mark.parametrize("name", ["unix:///tmp/x", "nonsense", "0", "host:0", ""])
def test_unknown_name_is_empty(name: str) -> None:
    """A name that stands for nothing gives an empty route configuration, so that a listener can still drain."""
    assert sidecar_json(TextMesh(SERVICES), name) in ({"name": name, "validate_clusters": False}, {"validate_clusters": False})


def test_one_change_recomputes_one_virtual_host() -> None:
    """A change of one VirtualService leaves every other virtual host as the very object that it was."""
    mesh = TextMesh(BOOKINFO)
    before = sidecar_input(mesh)
    mesh.take_statistics()
    mesh.add(VS_RATINGS.replace("10s", "11s"))
    after = sidecar_input(mesh)
    same = [old is new for old, new in zip(before.virtual_hosts, after.virtual_hosts, strict=True)]
    assert same == [True, True, False, True, True]
    assert mesh.take_statistics().recomputed["plan_virtual_host"] == 1


def test_claimed_star_replaces_the_catch_all() -> None:
    """A VirtualService of the mesh for every host takes the place of pass-through, since a domain may stand only once."""
    spec = '{hosts: ["*"], http: [{route: [{destination: {host: reviews}}]}]}'
    route = sidecar_input(TextMesh(virtual_service("all", spec)), "80")
    assert [(host.name, host.domains) for host in route.virtual_hosts] == [("*:80", ("*",))]
