"""Match blocks: every form of condition, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from meshctl_operator.apis.networking.common import StringMatch
from meshctl_operator.compiler.plan.route_matches import Conditions, text_problem
from tests.support.route_mesh import gateway_findings, gateway_routes, shown

ROUTE = "route: [{destination: {host: details}}]"


def match(block: str) -> dict[str, Any]:
    """Return the matcher that a block (YAML flow style) gives."""
    (route,) = gateway_routes(f"[{{match: [{block}], {ROUTE}}}]")
    found: dict[str, Any] = route["match"]
    return found


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ("{uri: {exact: /a}}", {"path": "/a", "case_sensitive": True}),
        ("{uri: {prefix: /a}}", {"prefix": "/a", "case_sensitive": True}),
        ("{uri: {regex: '/a.*'}}", {"safe_regex": {"regex": "/a.*"}, "case_sensitive": True}),
        ("{uri: {prefix: /a}, ignoreUriCase: true}", {"prefix": "/a", "case_sensitive": False}),
        ("{uri: {}}", {"prefix": "/", "case_sensitive": True}),
        ("{uri: {prefix: ''}}", {"prefix": "", "case_sensitive": True}),
    ],
)
def test_path(block: str, expected: dict[str, Any]) -> None:
    """A path is exact, a plain prefix or a regular expression; none means every path. Any block says whether case counts."""
    assert match(block) == expected


def test_headers() -> None:
    """Headers come sorted, then those that must not match, then method, authority and scheme."""
    block = (
        "{headers: {z: {exact: '1'}, b: {}, a: {regex: '.+'}, c: {regex: '*'}}, withoutHeaders: {m: {prefix: p}, l: {}, k: null},"
        " scheme: {exact: https}, authority: {prefix: a.}, method: {exact: GET}}"
    )
    assert match(block)["headers"] == [
        {"name": "a", "string_match": {"safe_regex": {"regex": ".+"}}},
        {"name": "b", "present_match": True},
        {"name": "c", "present_match": True},
        {"name": "z", "string_match": {"exact": "1"}},
        {"name": "k", "present_match": True, "invert_match": True},
        {"name": "l", "present_match": True, "invert_match": True},
        {"name": "m", "string_match": {"prefix": "p"}, "invert_match": True, "treat_missing_header_as_empty": True},
        {"name": ":method", "string_match": {"exact": "GET"}},
        {"name": ":authority", "string_match": {"prefix": "a."}},
        {"name": ":scheme", "string_match": {"exact": "https"}},
    ]


def test_query_parameters() -> None:
    """Query parameters come sorted by name, so that equal objects give equal bytes."""
    assert match("{queryParams: {z: {exact: ''}, a: {}, m: {regex: 'x|y'}}}")["query_parameters"] == [
        {"name": "a", "present_match": True},
        {"name": "m", "string_match": {"safe_regex": {"regex": "x|y"}}},
        {"name": "z", "string_match": {"exact": ""}},
    ]


def test_stat_prefix() -> None:
    """The statPrefix of a block is the route's."""
    (route,) = gateway_routes(f"[{{match: [{{statPrefix: shop, uri: {{prefix: /a}}}}], {ROUTE}}}]")
    assert route["stat_prefix"] == "shop"


@pytest.mark.parametrize(
    ("block", "code", "path"),
    [
        ("{uri: {regex: '('}}", "MC2210", ".uri.regex"),
        ("{uri: {regex: ''}}", "MC2210", ".uri.regex"),
        ("{uri: {regex: '/(?=x)'}}", "MC2210", ".uri.regex"),
        ("{headers: {x: {prefix: ''}}}", "MC2210", ".headers.x.prefix"),
        ("{headers: {'a b': {exact: x}}}", "MC2210", '.headers["a b"]'),
        ("{headers: {':foo': {exact: x}}}", "MC2210", '.headers[":foo"]'),
        ('{headers: {x: {exact: "a\\nb"}}}', "MC2210", ".headers.x.exact"),
        ("{withoutHeaders: {x: {regex: '['}}}", "MC2210", ".withoutHeaders.x.regex"),
        ("{method: {prefix: ''}}", "MC2210", ".method.prefix"),
        ("{queryParams: {'': {}}}", "MC2210", '.queryParams[""]'),
        ("{queryParams: {q: {prefix: ''}}}", "MC2210", ".queryParams.q.prefix"),
        ("{headers: {'@request.auth.claims': {exact: x}}}", "MC2210", '.headers["@request.auth.claims"]'),
        ("{withoutHeaders: {'@Request.Auth.Claims[a].b': {exact: x}}}", "MC2210", '.withoutHeaders["@Request.Auth.Claims[a].b"]'),
        ("{headers: {'@request.auth.claims.a': {regex: '('}}}", "MC2210", '.headers["@request.auth.claims.a"].regex'),
    ],
)
def test_refused_block_is_left_out(block: str, code: str, path: str) -> None:
    """A block that Envoy would refuse matches nothing; the other blocks of the rule are served."""
    rules = f"[{{match: [{block}, {{uri: {{prefix: /ok}}}}], {ROUTE}}}]"
    assert [route["match"]["prefix"] for route in gateway_routes(rules)] == ["/ok"]
    assert shown(gateway_findings(rules)) == [(code, f"spec.http[0].match[0]{path}")]


def test_rule_without_usable_block_is_left_out() -> None:
    """A rule whose blocks are all refused must not turn into one that matches everything."""
    assert gateway_routes(f"[{{match: [{{uri: {{regex: '('}}}}], {ROUTE}}}]") == []


def test_text_problem() -> None:
    """Only the form that is set can be wrong."""
    assert text_problem(None) is None
    assert text_problem(StringMatch(regex="*")) is None
    assert text_problem(StringMatch(exact="")) is None
    assert (text_problem(StringMatch(prefix="")) or ("",))[0] == ".prefix"


def test_conditions_that_always_hold() -> None:
    """Conditions hold always if there are none."""
    assert Conditions().always_hold
    assert not Conditions(port=80).always_hold
    assert not Conditions(gateways=("mesh",)).always_hold


def test_claims() -> None:
    """Claims of tokens are compared with what the JWT filter has verified; a rule that has one is no catch-all."""
    block = "{headers: {'@request.auth.claims.a.b': {exact: x}, h: {exact: y}}, withoutHeaders: {'@Request.Auth.Claims[c]': {}}}"
    (route, _) = gateway_routes(f"[{{match: [{block}], {ROUTE}}}, {{{ROUTE}}}]")
    match = route["match"]
    assert [header["name"] for header in match["headers"]] == ["h"]
    assert [[step["key"] for step in claim["path"]] for claim in match["dynamic_metadata"]] == [["payload", "a", "b"], ["payload", "c"]]
    assert [claim.get("invert", False) for claim in match["dynamic_metadata"]] == [False, True]
    assert len(gateway_routes(f"[{{match: [{{headers: {{'@request.auth.claims.a': {{}}}}}}], {ROUTE}}}, {{{ROUTE}}}]")) == 2
