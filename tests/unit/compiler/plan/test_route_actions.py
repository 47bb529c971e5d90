"""What a rule does: time-outs, rewrites, mirrors, redirects, direct responses, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.route_mesh import gateway_findings, gateway_routes, shown

ROUTE = "route: [{destination: {host: details}}]"
DETAILS = "outbound|9080||details.default.svc.cluster.local"
RATINGS = "outbound|9080|v2|ratings.default.svc.cluster.local"


def action(rule: str) -> dict[str, Any]:
    """Return the action of the one route that a rule gives, by its kind."""
    (route,) = gateway_routes(f"[{{{rule}}}]")
    return {kind: route[kind] for kind in ("route", "redirect", "direct_response") if kind in route}


@pytest.mark.parametrize(("rule", "timeout"), [("", "0s"), ("timeout: 1500ms, ", "1.500s")])
def test_timeout(rule: str, timeout: str) -> None:
    """Without a time-out there is none, neither for gRPC."""
    found = action(f"{rule}{ROUTE}")["route"]
    assert (found["timeout"], found["max_grpc_timeout"]) == (timeout, timeout)


@pytest.mark.parametrize(
    ("rewrite", "expected"),
    [
        ("{uri: /new}", {"prefix_rewrite": "/new"}),
        ("{authority: a.example.com}", {"host_rewrite_literal": "a.example.com"}),
        (
            "{uri: /ignored, uriRegexRewrite: {match: '/(.*)', rewrite: '/x/\\1'}}",
            {"regex_rewrite": {"pattern": {"regex": "/(.*)"}, "substitution": "/x/\\1"}},
        ),
    ],
    ids=["prefix", "authority", "regex"],
)
def test_rewrite(rewrite: str, expected: dict[str, Any]) -> None:
    """A regular expression beats the prefix; Envoy refuses both."""
    found = action(f"rewrite: {rewrite}, {ROUTE}")["route"]
    assert {key: value for key, value in found.items() if "rewrite" in key} == expected


@pytest.mark.parametrize(
    ("rule", "fraction"),
    [
        ("mirror: {host: ratings, subset: v2}", {"numerator": 100}),
        ("mirror: {host: ratings, subset: v2}, mirrorPercentage: {value: 30}", {"numerator": 300000, "denominator": "MILLION"}),
        ("mirror: {host: ratings, subset: v2}, mirrorPercent: 40", {"numerator": 40}),
        (
            "mirror: {host: ratings, subset: v2}, mirrorPercent: 40, mirrorPercentage: {value: 0.5}",
            {"numerator": 5000, "denominator": "MILLION"},
        ),
        ("mirrors: [{destination: {host: ratings, subset: v2}}], mirrorPercentage: {value: 1}", {"numerator": 100}),
        ("mirrors: [{destination: {host: ratings, subset: v2}, percentage: {value: 10}}]", {"numerator": 100000, "denominator": "MILLION"}),
    ],
)
def test_mirror(rule: str, fraction: dict[str, Any]) -> None:
    """Mirrored requests keep their host and are no samples of their own; mirrorPercentage is for mirror alone."""
    (policy,) = action(f"{rule}, {ROUTE}")["route"]["request_mirror_policies"]
    assert policy == {
        "cluster": RATINGS,
        "runtime_fraction": {"default_value": fraction},
        "trace_sampled": False,
        "disable_shadow_host_suffix_append": True,
    }


@pytest.mark.parametrize(
    "rule",
    [
        "mirror: {host: ratings}, mirrorPercentage: {value: 0}",
        "mirror: {host: ratings}, mirrorPercent: 0",
        "mirrors: [{destination: {host: ratings}, percentage: {value: 0}}]",
    ],
)
def test_zero_percent_mirrors_nothing(rule: str) -> None:
    """An explicit zero leaves the mirror out."""
    assert "request_mirror_policies" not in action(f"{rule}, {ROUTE}")["route"]


@pytest.mark.parametrize(
    ("redirect", "expected"),
    [
        ("{uri: /x}", {"path_redirect": "/x"}),
        ("{authority: a.example.com}", {"path_redirect": "", "host_redirect": "a.example.com"}),
        ("{prefixRewrite: /y, redirectCode: 307}", {"prefix_rewrite": "/y", "response_code": "TEMPORARY_REDIRECT"}),
        ("{scheme: https, redirectCode: 308}", {"path_redirect": "", "scheme_redirect": "https", "response_code": "PERMANENT_REDIRECT"}),
        ("{uri: /x, redirectCode: 301}", {"path_redirect": "/x"}),
        ("{uri: /x, redirectCode: 302}", {"path_redirect": "/x", "response_code": "FOUND"}),
        ("{uri: /x, redirectCode: 303, port: 8080}", {"path_redirect": "/x", "response_code": "SEE_OTHER", "port_redirect": 8080}),
    ],
)
def test_redirect(redirect: str, expected: dict[str, Any]) -> None:
    """Each part of a redirect has its field; 301 is the default."""
    assert action(f"redirect: {redirect}") == {"redirect": expected}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("", {}),
        (", body: {string: hello}", {"body": {"inline_string": "hello"}}),
        (", body: {bytes: aGk=}", {"body": {"inline_bytes": "aGk="}}),
    ],
    ids=["none", "text", "bytes"],
)
def test_direct_response(body: str, expected: dict[str, Any]) -> None:
    """A direct response has a status and, if given, a body."""
    assert action(f"directResponse: {{status: 418{body}}}") == {"direct_response": {"status": 418, **expected}}


def test_precedence_of_actions() -> None:
    """A redirect beats a direct response, which beats a route: that happens when a delegate inherits one."""
    assert set(action(f"redirect: {{uri: /x}}, directResponse: {{status: 200}}, {ROUTE}")) == {"redirect"}
    assert set(action(f"directResponse: {{status: 200}}, {ROUTE}")) == {"direct_response"}


@pytest.mark.parametrize(
    ("rule", "path"),
    [
        ("name: nothing", ""),
        ("redirect: {uri: /x, redirectCode: 304}", ".redirect.redirectCode"),
        ("redirect: {port: 70000}", ".redirect.port"),
        ('redirect: {authority: "a\\nb"}', ".redirect.authority"),
        ("directResponse: {status: 600}", ".directResponse.status"),
        ("directResponse: {status: 199}", ".directResponse.status"),
        ("route: [{destination: {host: details}}, {destination: {host: ratings}}]", ".route"),
        ("route: [{destination: {host: details}, weight: -1}, {destination: {host: ratings}, weight: 2}]", ".route[0].weight"),
        ("route: [" + ", ".join(["{destination: {host: details}, weight: 2147483647}"] * 3) + "]", ".route"),
        (f'rewrite: {{uri: "/a\\nb"}}, {ROUTE}', ".rewrite.uri"),
        (f"rewrite: {{uriRegexRewrite: {{match: '(', rewrite: x}}}}, {ROUTE}", ".rewrite.uriRegexRewrite.match"),
        (f"rewrite: {{uriRegexRewrite: {{match: '/(a)', rewrite: '\\2'}}}}, {ROUTE}", ".rewrite.uriRegexRewrite.rewrite"),
    ],
)
def test_refused_rule_is_left_out(rule: str, path: str) -> None:
    """What Envoy would refuse costs its own rule alone; the finding names the place."""
    rules = f"[{{{rule}}}, {{name: other, match: [{{uri: {{prefix: /o}}}}], {ROUTE}}}]"
    assert [route["name"] for route in gateway_routes(rules)] == ["other"]
    assert ("MC2212", f"spec.http[0]{path}") in shown(gateway_findings(rules))


def test_body_that_is_too_large_is_refused() -> None:
    """A body over one MiB is more than Envoy was told to accept."""
    rules = f'[{{directResponse: {{status: 200, body: {{string: "{"x" * (1024 * 1024 + 1)}"}}}}}}]'
    assert shown(gateway_findings(rules)) == [("MC2212", "spec.http[0].directResponse.body")]


@pytest.mark.parametrize(
    ("rule", "path"),
    [("timeout: -1s", ".timeout"), ("mirrors: [{percentage: {value: 1}}]", ".mirrors[0].destination")],
)
def test_refused_part_is_left_out(rule: str, path: str) -> None:
    """A part without which the rule still does its job is left out by itself."""
    rules = f"[{{{rule}, {ROUTE}}}]"
    (route,) = gateway_routes(rules)
    assert route["route"]["cluster"] == DETAILS
    assert shown(gateway_findings(rules)) == [("MC2213", f"spec.http[0]{path}")]
