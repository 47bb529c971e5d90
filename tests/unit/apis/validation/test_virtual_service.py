"""Rules of VirtualService: hosts, gateways, actions."""

from __future__ import annotations

import pytest

from tests.support.documents import errors_of, warnings_of

ROUTE = "route: [{destination: {host: reviews}}]"
HTTP = f"http: [{{{ROUTE}}}]"


def rule(text: str) -> str:
    """Return the spec of a VirtualService with one HTTP rule."""
    return f"{{hosts: [reviews], http: [{{{text}}}]}}"


ACCEPTED = {
    "short host": f"{{hosts: [reviews], {HTTP}}}",
    "star at a gateway": f"{{hosts: ['*'], gateways: [gw], {HTTP}}}",
    "wildcard": f"{{hosts: ['*.a.com', a.com], {HTTP}}}",
    "partial wildcard": f"{{hosts: ['*-a.com'], {HTTP}}}",
    "addresses": f"{{hosts: [10.0.0.1, '2001:db8::1'], {HTTP}}}",
    "gateways": f"{{hosts: [a.com], gateways: [mesh, shop/gw, gw], {HTTP}}}",
    "delegate": f"{{{HTTP}}}",
    "root": "{hosts: [a.com], http: [{match: [{uri: {prefix: /a}}], delegate: {name: d, namespace: shop}}]}",
    "exported to the own namespace": f"{{hosts: [a.com], exportTo: ['.'], {HTTP}}}",
    "exported to several": f"{{hosts: [a.com], exportTo: [a, b], {HTTP}}}",
    "redirect": rule("redirect: {uri: /x}"),
    "redirect with cors and headers": rule("redirect: {uri: /x}, corsPolicy: {}, headers: {}"),
    "direct response": rule("directResponse: {status: 200}"),
    "fault": rule(f"{ROUTE}, fault: {{abort: {{httpStatus: 500, percentage: {{value: 1}}}}}}"),
    "timeout": rule(f"{ROUTE}, timeout: 1500ms"),
}
REJECTED = {
    "star in the mesh": (f"{{hosts: ['*'], {HTTP}}}", "MC1201", "spec.hosts[0]"),
    "star in the mesh and at a gateway": (f"{{hosts: ['*'], gateways: [shop/gw, mesh], {HTTP}}}", "MC1201", "spec.hosts[0]"),
    "host that is no name": (f"{{hosts: ['a b'], {HTTP}}}", "MC1201", "spec.hosts[0]"),
    "same host twice": (f"{{hosts: [a.com, a.com], {HTTP}}}", "MC1201", "spec.hosts[1]"),
    "covered host": (f"{{hosts: [b.a.com, '*.a.com'], {HTTP}}}", "MC1201", "spec.hosts[0]"),
    "own gateway with a dot": (f"{{hosts: [a.com], gateways: [./gw], {HTTP}}}", "MC1202", "spec.gateways[0]"),
    "two slashes": (f"{{hosts: [a.com], gateways: [a/b/c], {HTTP}}}", "MC1202", "spec.gateways[0]"),
    "empty gateway": (f"{{hosts: [a.com], gateways: [''], {HTTP}}}", "MC1202", "spec.gateways[0]"),
    "no rules": ("{hosts: [a.com]}", "MC1204", "spec"),
    "rule without action": (rule("timeout: 1s"), "MC1204", "spec.http[0]"),
    "delegate with gateways": (f"{{gateways: [shop/gw], {HTTP}}}", "MC1218", "spec.gateways"),
    "delegate with tcp": (f"{{{HTTP}, tcp: [{{{ROUTE}}}]}}", "MC1218", "spec.tcp"),
    "delegate of a delegate": ("{http: [{delegate: {name: d}}]}", "MC1218", "spec.http[0].delegate"),
    "root with route": (rule(f"delegate: {{name: d}}, {ROUTE}"), "MC1218", "spec.http[0].route"),
    "root with redirect": (rule("delegate: {name: d}, redirect: {uri: /x}"), "MC1218", "spec.http[0].redirect"),
    "redirect and route": (rule(f"redirect: {{uri: /x}}, {ROUTE}"), "MC1205", "spec.http[0].route"),
    "redirect and rewrite": (rule("redirect: {uri: /x}, rewrite: {uri: /y}"), "MC1205", "spec.http[0].rewrite"),
    "redirect and direct response": (
        rule("redirect: {uri: /x}, directResponse: {status: 200}"),
        "MC1205",
        "spec.http[0].directResponse",
    ),
    "direct response and route": (rule(f"directResponse: {{status: 200}}, {ROUTE}"), "MC1205", "spec.http[0].route"),
    "direct response and fault": (
        rule("directResponse: {status: 200}, fault: {delay: {fixedDelay: 1s}}"),
        "MC1205",
        "spec.http[0].fault",
    ),
    "timeout of 0": (rule(f"{ROUTE}, timeout: 0s"), "MC1022", "spec.http[0].timeout"),
    "timeout in microseconds": (rule(f"{ROUTE}, timeout: 1500us"), "MC1022", "spec.http[0].timeout"),
    "negative timeout": (rule(f"{ROUTE}, timeout: -1s"), "MC1022", "spec.http[0].timeout"),
    "exported to nobody": (f"{{hosts: [a.com], exportTo: ['~'], {HTTP}}}", "MC1024", "spec.exportTo[0]"),
    "authority twice": (
        rule(f"{ROUTE}, rewrite: {{authority: a}}, headers: {{request: {{set: {{Host: b}}}}}}"),
        "MC1208",
        "spec.http[0]",
    ),
}


@pytest.mark.parametrize("spec", ACCEPTED.values(), ids=ACCEPTED)
def test_accepted(spec: str) -> None:
    """What Istio's admission accepts, we accept."""
    assert errors_of("VirtualService", spec) == []


@pytest.mark.parametrize(("spec", "code", "path"), REJECTED.values(), ids=REJECTED)
def test_rejected(spec: str, code: str, path: str) -> None:
    """Each mistake gives one error, at the field that is wrong."""
    assert errors_of("VirtualService", spec) == [(code, path)]


def test_old_form_of_a_gateway() -> None:
    """The form name.namespace still works and is warned about."""
    spec = f"{{hosts: [a.com], gateways: [gw.shop.svc.cluster.local], {HTTP}}}"
    assert errors_of("VirtualService", spec) == []
    assert warnings_of("VirtualService", spec) == [("MC1202", "spec.gateways[0]")]


def test_gateways_behind_a_plain_name_are_only_warned_about() -> None:
    """Istio stops checking at the first entry without a namespace; what follows is a warning, so that no object is refused that runs there."""
    spec = f"{{hosts: [a.com], gateways: [mesh, ./gw], {HTTP}}}"
    assert errors_of("VirtualService", spec) == []
    assert warnings_of("VirtualService", spec) == [("MC1202", "spec.gateways[1]")]
