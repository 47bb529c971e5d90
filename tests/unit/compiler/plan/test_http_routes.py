"""Routes of one VirtualService: binding rules to a proxy and port, destinations, hashing, redirects, names."""

from __future__ import annotations

from typing import Any

import pytest

from meshctl_operator.apis.kinds import Kind
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.compiler.inputs.routes import ForwardInput
from meshctl_operator.compiler.plan.http_routes import RouteTarget, plan_default_route, plan_routes
from tests.support.mesh_text import TextMesh
from tests.support.route_mesh import BUILT_IN_RETRY, destination_rule, gateway_routes, service, virtual_service

KEY = ObjectKey(Kind.VIRTUAL_SERVICE, "default", "vs")
SIDECAR = RouteTarget("mesh", 9080, "default")
ROUTE = "route: [{destination: {host: reviews}}]"
REVIEWS = "reviews.default.svc.cluster.local"


def names(rules: str, target: RouteTarget = SIDECAR, more: str = "") -> list[str]:
    """Return the names of the routes that HTTP rules (YAML flow style) give for a target."""
    mesh = TextMesh(service("reviews", "10.0.0.1") + virtual_service("vs", f"{{hosts: [reviews], http: {rules}}}") + more)
    return [route.name for route in mesh.evaluate(plan_routes, target, KEY).routes]


def cluster(destination: str, target: RouteTarget = SIDECAR, *services: str) -> Any:
    """Return the cluster of the one route to a destination (YAML flow style)."""
    rules = f"[{{route: [{{destination: {destination}}}]}}]"
    mesh = TextMesh("".join(services) + virtual_service("vs", f"{{hosts: [reviews], http: {rules}}}"))
    (route,) = mesh.evaluate(plan_routes, target, KEY).routes
    assert isinstance(route.action, ForwardInput)
    return route.action.clusters


@pytest.mark.parametrize(
    ("block", "target", "applies"),
    [
        ("{port: 9080}", SIDECAR, True),
        ("{port: 80}", SIDECAR, False),
        ("{gateways: [mesh]}", SIDECAR, True),
        ("{gateways: [gw]}", SIDECAR, False),
        ("{gateways: [gw]}", RouteTarget("default/gw", 80, "istio-system"), True),
        ("{gateways: [mesh], sourceLabels: {app: nobody}, sourceNamespace: nowhere}", SIDECAR, True),
        ("{gateways: [mesh], port: 80}", SIDECAR, False),
        ("{sourceNamespace: default}", SIDECAR, True),
        ("{sourceNamespace: other}", SIDECAR, False),
        ("{sourceLabels: {app: a}}", RouteTarget("mesh", 9080, "default", (("app", "a"), ("v", "1"))), True),
        ("{sourceLabels: {app: a, v: '2'}}", RouteTarget("mesh", 9080, "default", (("app", "a"), ("v", "1"))), False),
    ],
)
def test_conditions_on_the_proxy(block: str, target: RouteTarget, applies: bool) -> None:  # noqa: FBT001  (a column of the table)
    """Conditions that need no request decide whether a block yields a route; gateways replace those on the source."""
    assert names(f"[{{name: x, match: [{block}], {ROUTE}}}]", target) == (["x"] if applies else [])


def test_one_route_per_block() -> None:
    """Each block is a route of its own; names of rule and block are joined with a dot."""
    rules = f"[{{name: r, match: [{{uri: {{prefix: /a}}, name: m}}, {{uri: {{prefix: /b}}}}], {ROUTE}}}, {{match: [{{uri: {{prefix: /c}}, name: z}}], {ROUTE}}}]"
    assert names(rules) == ["r.m", "r", ".z"]


@pytest.mark.parametrize(
    "block",
    ["", "match: [{uri: {prefix: /}}, {uri: {prefix: /x}}], ", 'match: [{uri: {regex: ".*"}}], ', "match: [{port: 9080}], "],
    ids=["no match", "prefix", "regex", "static only"],
)
def test_nothing_follows_a_catch_all(block: str) -> None:
    """What follows a route that matches every request is dropped, blocks of the same rule included."""
    assert names(f"[{{name: all, {block}{ROUTE}}}, {{name: later, {ROUTE}}}]") == ["all"]


@pytest.mark.parametrize("block", ["method: {exact: GET}", "queryParams: {q: {}}", "headers: {x: {}}", "withoutHeaders: {x: {}}"])
def test_conditional_block_is_no_catch_all(block: str) -> None:
    """A block with any condition on the request lets later rules be reached."""
    assert names(f"[{{name: a, match: [{{uri: {{prefix: /}}, {block}}}], {ROUTE}}}, {{name: later, {ROUTE}}}]") == ["a", "later"]


def test_absent_virtual_service() -> None:
    """A key that nothing stands for gives no routes."""
    assert TextMesh("").evaluate(plan_routes, SIDECAR, KEY).routes == ()


@pytest.mark.parametrize(
    ("destination", "services", "expected"),
    [
        ("{host: reviews}", [service("reviews", "10.0.0.1", 9080)], f"outbound|9080||{REVIEWS}"),
        ("{host: reviews}", [service("reviews", "10.0.0.1", 8000)], f"outbound|8000||{REVIEWS}"),
        ("{host: reviews}", [service("reviews", "10.0.0.1", 8000, 9080)], f"outbound|9080||{REVIEWS}"),
        ("{host: reviews, port: {number: 77}, subset: v1}", [service("reviews", "10.0.0.1", 8000)], f"outbound|77|v1|{REVIEWS}"),
        ("{host: api.example.com, subset: v1}", [], "outbound|9080|v1|api.example.com"),
        ('{host: ""}', [], "UnknownService"),
    ],
    ids=["only port", "only port is another", "several ports", "named port", "unknown host", "no host"],
)
def test_port_of_a_destination(destination: str, services: list[str], expected: str) -> None:
    """A destination without port means the only port of its service, else the port that the request came in on."""
    assert cluster(destination, SIDECAR, *services) == expected


ALIAS = """
---
apiVersion: v1
kind: Service
metadata: {name: away, namespace: default}
spec: {type: ExternalName, externalName: api.example.com, ports: [{name: http, port: 80}]}
"""


def test_unknown_service_behind_an_alias() -> None:
    """A destination that is an ExternalName Service has the cluster of what it names, even where that is no service of the mesh."""
    assert cluster("{host: away}", SIDECAR, ALIAS) == "outbound|9080||api.example.com"


def test_weights() -> None:
    """Zero weights are left out, also when one cluster remains; that remains weighted."""
    (route,) = gateway_routes("[{route: [{destination: {host: details}, weight: 0}, {destination: {host: ratings}, weight: 7}]}]")
    assert route["route"]["weighted_clusters"] == {"clusters": [{"name": "outbound|9080||ratings.default.svc.cluster.local", "weight": 7}]}
    assert route["decorator"] == {"operation": "shop:80/*"}


def test_single_destination_ignores_its_weight() -> None:
    """With one destination there is nothing to weigh."""
    (route,) = gateway_routes("[{route: [{destination: {host: details}, weight: 0}]}]")
    assert route["route"]["cluster"] == "outbound|9080||details.default.svc.cluster.local"


def test_headers_of_destinations() -> None:
    """Headers of a single destination follow those of the rule; those of weighted ones stay with their cluster, the authority too."""
    rule_headers = "headers: {request: {set: {x-rule: r}}}"
    own = "headers: {request: {set: {x-own: o, Host: own.example.com}, remove: [x-gone]}}"
    (single,) = gateway_routes(f"[{{{rule_headers}, route: [{{destination: {{host: details}}, {own}}}]}}]")
    assert [entry["header"]["key"] for entry in single["request_headers_to_add"]] == ["x-rule", "x-own"]
    assert single["request_headers_to_remove"] == ["x-gone"]
    assert single["route"]["host_rewrite_literal"] == "own.example.com"
    (many,) = gateway_routes(
        f"[{{{rule_headers}, route: [{{destination: {{host: details}}, weight: 1, {own}}}, {{destination: {{host: ratings}}, weight: 1}}]}}]"
    )
    first, second = many["route"]["weighted_clusters"]["clusters"]
    assert [entry["header"]["key"] for entry in many["request_headers_to_add"]] == ["x-rule"]
    assert (first["request_headers_to_add"][0]["header"]["key"], first["host_rewrite_literal"]) == ("x-own", "own.example.com")
    assert "request_headers_to_add" not in second


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("rewrite: {authority: w}, headers: {request: {set: {host: s}}}", "w"),
        ("headers: {request: {set: {host: s}, add: {':authority': a}}}", "s"),
        ("headers: {request: {add: {':authority': a}}}", "a"),
        ("headers: {}", "d"),
    ],
    ids=["rewrite", "set", "add", "destination"],
)
def test_authority(rule: str, expected: str) -> None:
    """The rewrite beats what headers set, that beats what they add, and all of it the destination's own."""
    (route,) = gateway_routes(f"[{{{rule}, route: [{{destination: {{host: details}}, headers: {{request: {{set: {{host: d}}}}}}}}]}}]")
    assert route["route"]["host_rewrite_literal"] == expected


@pytest.mark.parametrize(
    ("redirect", "tls", "port"),
    [
        ("{uri: /x}", False, None),
        ("{port: 8443, uri: /x}", False, 8443),
        ("{port: 80, uri: /x}", False, None),
        ("{port: 443, uri: /x}", False, 443),
        ("{port: 443, uri: /x}", True, None),
        ("{port: 443, scheme: https}", False, None),
        ("{port: 80, scheme: https}", False, 80),
        ("{derivePort: FROM_REQUEST_PORT, uri: /x}", False, 9080),
        ("{derivePort: FROM_PROTOCOL_DEFAULT, uri: /x}", False, None),
    ],
)
def test_port_of_a_redirect(redirect: str, tls: bool, port: int | None) -> None:  # noqa: FBT001  (a column of the table)
    """A port is left out where it is the default of the scheme, which is the redirect's, else the server's."""
    mesh = TextMesh(virtual_service("vs", f"{{hosts: [reviews], http: [{{redirect: {redirect}}}]}}"))
    (route,) = mesh.evaluate(plan_routes, RouteTarget("mesh", 9080, "default", tls=tls), KEY).routes
    assert getattr(route.action, "port", None) == (port or 0)


HASHED = destination_rule(
    "details",
    "{host: details, trafficPolicy: {loadBalancer: {consistentHash: {httpCookie: {name: c, path: /p, ttl: 5s}}}},"
    " subsets: [{name: v1, trafficPolicy: {loadBalancer: {consistentHash: {useSourceIp: true}}}},"
    " {name: v2, trafficPolicy: {loadBalancer: {consistentHash: {httpQueryParameterName: q}}}}]}",
)


@pytest.mark.parametrize(
    ("subset", "policy"),
    [
        ("", {"cookie": {"name": "c", "path": "/p", "ttl": "5s"}}),
        ("v1", {"connection_properties": {"source_ip": True}}),
        ("v2", {"query_parameter": {"name": "q"}}),
    ],
)
def test_hash_policy(subset: str, policy: dict[str, Any]) -> None:
    """The hash policy is that of the destination's DestinationRule; a single hashed destination may retry on the same host."""
    destination = f'{{host: details, subset: "{subset}"}}'
    (route,) = gateway_routes(f"[{{route: [{{destination: {destination}}}]}}]", more=HASHED)
    assert route["route"]["hash_policy"] == [policy]
    assert "retry_host_predicate" not in route["route"]["retry_policy"]


@pytest.mark.parametrize(
    "policy", ["{httpCookie: {}}", "{httpCookie: {name: c, ttl: -1s}}", "{httpHeaderName: 'a b'}", '{httpCookie: {name: "a\\nb"}}']
)
def test_refused_hash_policy_is_left_out(policy: str) -> None:
    """A hash policy that Envoy would refuse costs itself alone."""
    rule = destination_rule("details", f"{{host: details, trafficPolicy: {{loadBalancer: {{consistentHash: {policy}}}}}}}")
    (route,) = gateway_routes("[{route: [{destination: {host: details}}]}]", more=rule)
    assert "hash_policy" not in route["route"]


def test_hashed_retries_may_be_told_to_move_on() -> None:
    """With retryIgnorePreviousHosts, retries stay away from hosts that failed, hashed or not."""
    rules = "[{retries: {attempts: 1, retryIgnorePreviousHosts: true}, route: [{destination: {host: details}}]}]"
    (route,) = gateway_routes(rules, more=HASHED)
    assert "retry_host_predicate" in route["route"]["retry_policy"]


def test_weighted_hash_policies_add_up() -> None:
    """Each weighted destination adds its hash policy, and the retries are left alone."""
    rules = "[{route: [{destination: {host: details, subset: v1}, weight: 1}, {destination: {host: details, subset: v2}, weight: 1}]}]"
    (route,) = gateway_routes(rules, more=HASHED)
    assert [sorted(policy) for policy in route["route"]["hash_policy"]] == [["connection_properties"], ["query_parameter"]]
    assert route["route"]["retry_policy"] == BUILT_IN_RETRY


def test_default_route_of_the_mesh() -> None:
    """A service without VirtualService gets everything, with the retries of the mesh."""
    mesh = TextMesh(service("reviews", "10.0.0.1"), defaultHttpRetryPolicy={"attempts": 0})
    plan = mesh.evaluate(plan_default_route, SIDECAR, REVIEWS, 9080)
    (route,) = plan.routes
    assert isinstance(route.action, ForwardInput)
    assert (route.name, route.config, route.decorator, route.action.retry) == ("default", "", f"{REVIEWS}:9080/*", None)
    assert plan.provenance == (ObjectKey(Kind.SERVICE, "default", "reviews"),)


def test_decorator_shows_the_path() -> None:
    """The operation of traces shows host, port and path of the match."""
    rules = '[{match: [{uri: {exact: /a}}, {uri: {prefix: /b}}, {uri: {regex: "/c.+"}}], route: [{destination: {host: details}}]}, {match: [{uri: {prefix: /d}}], redirect: {uri: /x}}]'
    host = "details.default.svc.cluster.local:9080"
    assert [route["decorator"]["operation"] for route in gateway_routes(rules)] == [f"{host}/a", f"{host}/b*", f"{host}/c.+", "shop:80/d*"]
