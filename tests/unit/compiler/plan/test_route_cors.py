"""CORS policies."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.route_mesh import gateway_findings, gateway_routes, shown

ROUTE = "route: [{destination: {host: details}}]"
ALWAYS = {
    "@type": "type.googleapis.com/envoy.extensions.filters.http.cors.v3.CorsPolicy",
    "filter_enabled": {"default_value": {"numerator": 100}},
    "forward_not_matching_preflights": True,
}


def cors(text: str, action: str = ROUTE) -> dict[str, Any]:
    """Return the CORS policy of a route."""
    (route,) = gateway_routes(f"[{{corsPolicy: {text}, {action}}}]")
    found: dict[str, Any] = route["typed_per_filter_config"]["envoy.filters.http.cors"]
    return found


@pytest.mark.parametrize(
    ("text", "more"),
    [
        ("{}", {}),
        (
            "{allowOrigins: [{exact: a}, {prefix: b}, {regex: 'c.*'}]}",
            {"allow_origin_string_match": [{"exact": "a"}, {"prefix": "b"}, {"safe_regex": {"regex": "c.*"}}]},
        ),
        ('{allowOrigin: ["*"]}', {"allow_origin_string_match": [{"exact": "*"}]}),
        ("{allowOrigins: [{exact: a}], allowOrigin: [b]}", {"allow_origin_string_match": [{"exact": "a"}]}),
        (
            "{allowMethods: [GET, PUT], allowHeaders: [x-a, x-b], exposeHeaders: [x-c]}",
            {"allow_methods": "GET,PUT", "allow_headers": "x-a,x-b", "expose_headers": "x-c"},
        ),
        ("{maxAge: 24h, allowCredentials: false}", {"max_age": "86400", "allow_credentials": False}),
        ("{allowCredentials: true, unmatchedPreflights: IGNORE}", {"allow_credentials": True, "forward_not_matching_preflights": False}),
        ("{unmatchedPreflights: FORWARD}", {}),
    ],
)
def test_policy(text: str, more: dict[str, Any]) -> None:
    """Lists are joined with commas, the old list of origins is used where the new one is absent."""
    assert cors(text) == {**ALWAYS, **more}


def test_redirects_carry_cors() -> None:
    """CORS goes with redirects and direct responses as well."""
    assert cors("{}", "redirect: {uri: /x}") == ALWAYS
    assert cors("{}", "directResponse: {status: 200}") == ALWAYS


def test_refused_origin_is_left_out() -> None:
    """An origin that Envoy would refuse costs itself alone; the old list does not step in for it."""
    text = "{allowOrigins: [{regex: '('}, {exact: a}], allowOrigin: [b]}"
    assert cors(text)["allow_origin_string_match"] == [{"exact": "a"}]
    assert shown(gateway_findings(f"[{{corsPolicy: {text}, {ROUTE}}}]")) == [("MC2213", "spec.http[0].corsPolicy.allowOrigins[0].regex")]
