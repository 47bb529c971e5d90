"""Rules of match blocks of HTTP rules."""

from __future__ import annotations

import pytest

from tests.support.documents import errors_of, warnings_of


def matching(block: str, *, gateways: str = "") -> str:
    """Return the spec of a VirtualService with one match block."""
    return f"{{hosts: [a], {gateways} http: [{{match: [{{{block}}}], route: [{{destination: {{host: a}}}}]}}]}}"


ACCEPTED = {
    "empty block": "",
    "empty prefix of a path": "uri: {prefix: ''}",
    "regex": "uri: {regex: '/a.*'}",
    "longest regex": f"uri: {{regex: '{'a' * 1024}'}}",
    "presence": "headers: {x: {}}",
    "pseudo header": "headers: {':method': {exact: GET}}",
    "absent header with null": "withoutHeaders: {x: null}",
    "absent header with a star": "withoutHeaders: {x: {regex: '*'}}",
    "query parameter with null": "queryParams: {q: null}",
    "query": "queryParams: {q: {exact: ''}}",
    "static conditions": "port: 80, sourceLabels: {app.kubernetes.io/name: x}, sourceNamespace: shop, gateways: [mesh]",
    "method": "method: {exact: GET}, scheme: {exact: https}, authority: {prefix: a}",
}
REJECTED = {
    "look-ahead": ("uri: {regex: '(?!a)'}", "MC1023", ".uri.regex"),
    "back-reference": ("uri: {regex: '(a)\\1'}", "MC1023", ".uri.regex"),
    "empty regex": ("uri: {regex: ''}", "MC1023", ".uri.regex"),
    "regex too long": (f"uri: {{regex: '{'a' * 1025}'}}", "MC1023", ".uri.regex"),
    "star as a regex": ("headers: {x: {regex: '*'}}", "MC1023", ".headers.x.regex"),
    "empty prefix of a method": ("method: {prefix: ''}", "MC1026", ".method.prefix"),
    "empty prefix of a header": ("headers: {x: {prefix: ''}}", "MC1026", ".headers.x.prefix"),
    "empty prefix of a query": ("queryParams: {x: {prefix: ''}}", "MC1026", ".queryParams.x.prefix"),
    "bad header name": ("headers: {'a b': {exact: c}}", "MC1207", '.headers["a b"]'),
    "unknown pseudo header": ("headers: {':x': {exact: c}}", "MC1207", '.headers[":x"]'),
    "null header": ("headers: {x: null}", "MC1005", ".headers.x"),
    "port too large": ("port: 65536", "MC1021", ".port"),
    "bad label": ("sourceLabels: {app: 'a b'}", "MC1025", ".sourceLabels.app"),
    "bad namespace": ("sourceNamespace: a.b", "MC1020", ".sourceNamespace"),
    "bad gateway": ("gateways: [./a]", "MC1202", ".gateways[0]"),
    "two types": ("uri: {exact: a, prefix: b}", "MC1008", ".uri"),
    "claim in the mesh": ("headers: {'@request.auth.claims.group': {exact: a}}", "MC1207", '.headers["@request.auth.claims.group"]'),
    "claim without a name": ("headers: {'@request.auth.claims': {exact: a}}", "MC1207", '.headers["@request.auth.claims"]'),
}


@pytest.mark.parametrize("block", ACCEPTED.values(), ids=ACCEPTED)
def test_accepted(block: str) -> None:
    """What Istio's admission accepts, we accept."""
    assert errors_of("VirtualService", matching(block)) == []


@pytest.mark.parametrize(("block", "code", "path"), REJECTED.values(), ids=REJECTED)
def test_rejected(block: str, code: str, path: str) -> None:
    """Each mistake gives one error, at the field that is wrong."""
    assert errors_of("VirtualService", matching(block)) == [(code, f"spec.http[0].match[0]{path}")]


@pytest.mark.parametrize("claim", ["@request.auth.claims.group", "@request.auth.claims[a][b]", "@Request.Auth.Claims.a.b"])
def test_claims_at_a_gateway_are_not_compiled(claim: str) -> None:
    """Claims of tokens are accepted at gateways, with the warning that nothing checks tokens yet."""
    spec = matching(f"headers: {{'{claim}': {{exact: a}}}}", gateways="gateways: [gw],")
    assert errors_of("VirtualService", spec) == []
    assert warnings_of("VirtualService", spec) == [("MC1902", f'spec.http[0].match[0].headers["{claim}"]')]
