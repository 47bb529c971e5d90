"""Header operations."""

from __future__ import annotations

import pytest

from tests.support.route_mesh import gateway_findings, gateway_routes, shown

ROUTE = "route: [{destination: {host: details}}]"


def test_order_and_actions() -> None:
    """All overwrites sorted by name come first, then all additions sorted by name; Host is no header here."""
    headers = "{request: {set: {z: '1', Host: h, b: '2'}, add: {y: '3', a: '4'}, remove: [q, p]}, response: {set: {s: '5'}, add: {r: '6'}, remove: [t]}}"
    (route,) = gateway_routes(f"[{{headers: {headers}, {ROUTE}}}]")
    request = [(entry["header"]["key"], entry["header"]["value"], entry.get("append_action")) for entry in route["request_headers_to_add"]]
    overwrite = "OVERWRITE_IF_EXISTS_OR_ADD"
    assert request == [("b", "2", overwrite), ("z", "1", overwrite), ("a", "4", None), ("y", "3", None)]
    assert [entry["header"]["key"] for entry in route["response_headers_to_add"]] == ["s", "r"]
    assert (route["request_headers_to_remove"], route["response_headers_to_remove"]) == (["q", "p"], ["t"])


@pytest.mark.parametrize("action", ["redirect: {uri: /x}", "directResponse: {status: 200}"])
def test_other_actions_have_headers(action: str) -> None:
    """Redirects and direct responses carry the operations of their rule."""
    (route,) = gateway_routes(f"[{{headers: {{response: {{set: {{a: b}}}}}}, {action}}}]")
    assert route["response_headers_to_add"][0]["header"] == {"key": "a", "value": "b"}


@pytest.mark.parametrize(
    ("headers", "path"),
    [
        ("{request: {set: {':path': x}}}", 'request.set[":path"]'),
        ("{request: {add: {'a b': x}}}", 'request.add["a b"]'),
        ("{request: {set: {x: '%FOO%'}}}", "request.set.x"),
        ('{request: {set: {x: "a\\nb"}}}', "request.set.x"),
        ('{request: {set: {host: "a\\nb"}}}', "request.set.host"),
        ("{request: {remove: [host]}}", "request.remove[0]"),
        ("{request: {remove: [x, ':path']}}", "request.remove[1]"),
        ("{response: {set: {host: a}}}", "response.set.host"),
        ("{response: {add: {':status': '200'}}}", 'response.add[":status"]'),
        ("{response: {remove: ['']}}", "response.remove[0]"),
    ],
)
def test_refused_operation_is_left_out(headers: str, path: str) -> None:
    """An operation that Envoy would refuse costs itself alone."""
    rules = f"[{{headers: {headers}, {ROUTE}}}]"
    (route,) = gateway_routes(rules)
    assert not {key for key in route if key.endswith("_to_add")}
    assert "host_rewrite_literal" not in route["route"]
    assert shown(gateway_findings(rules)) == [("MC2213", f"spec.http[0].headers.{path}")]


def test_path_of_a_destinations_headers() -> None:
    """Findings about headers of a destination name the destination."""
    rules = "[{route: [{destination: {host: details}, headers: {request: {remove: [host]}}}]}]"
    assert shown(gateway_findings(rules)) == [("MC2213", "spec.http[0].route[0].headers.request.remove[0]")]
