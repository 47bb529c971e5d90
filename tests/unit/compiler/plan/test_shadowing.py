"""Rules that are never reached."""

from __future__ import annotations

from meshctl_operator.apis.kinds import Kind
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.compiler.plan.shadowing import placed_blocks
from meshctl_operator.compiler.plan.virtual_service_findings import virtual_service_findings
from tests.support.mesh_text import TextMesh
from tests.support.route_mesh import GATEWAY, SERVICES, gateway, virtual_service

TO = "route: [{destination: {host: details}}]"
AT = "gateways: [bookinfo-gateway], hosts: [a.com], "


def shadowed(*specs: str, name: str = "v1", more: str = GATEWAY, namespaces: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    """Return path and message of what is covered, of the VirtualServices ``v0``, ``v1``..., the oldest first."""
    text = SERVICES + more
    for index, spec in enumerate(specs):
        namespace = namespaces[index] if namespaces else "default"
        text += virtual_service(f"v{index}", spec, namespace=namespace, created=f"2024-01-0{index + 1}T00:00:00Z")
    mesh = TextMesh(text)
    key = ObjectKey(Kind.VIRTUAL_SERVICE, namespaces[int(name[1])] if namespaces else "default", name)
    return [(found.path, found.message) for found in mesh.evaluate(virtual_service_findings, key) if found.code == "MC2209"]


def rule(match: str = "") -> str:
    """Return a rule with match blocks in YAML flow style."""
    return f"{{match: [{match}], {TO}}}" if match else f"{{{TO}}}"


def test_an_older_object_covers_a_younger_one() -> None:
    """The loser is told which block of which object takes its requests, and the winner nothing."""
    older, younger = f"{{{AT}http: [{rule('{uri: {prefix: /api}}')}]}}", f"{{{AT}http: [{rule('{uri: {exact: /api/v1}}')}]}}"
    message = "is never reached: http[0].match[0] of VirtualService default/v0 takes all of its requests before"
    assert shadowed(older, younger) == [("spec.http[0]", message)]
    assert shadowed(older, younger, name="v0") == []


def test_only_a_block() -> None:
    """Where other blocks of the rule are reached, the block alone is reported."""
    younger = f"{{{AT}http: [{rule('{uri: {exact: /api/v1}}, {uri: {exact: /b}}')}]}}"
    found = shadowed(f"{{{AT}http: [{rule('{uri: {prefix: /api}}')}]}}", younger)
    assert [path for path, _ in found] == ["spec.http[0].match[0]"]


def test_catch_alls_come_last() -> None:
    """The catch-all of an older object covers that of a younger one, and nothing else."""
    assert shadowed(f"{{{AT}http: [{rule()}]}}", f"{{{AT}http: [{rule('{uri: {prefix: /api}}')}]}}") == []
    assert [path for path, _ in shadowed(f"{{{AT}http: [{rule()}]}}", f"{{{AT}http: [{rule()}]}}")] == ["spec.http[0]"]


def test_other_hosts_and_gateways() -> None:
    """An object with another host or gateway, or that not all see, covers nothing; nor does one at home in a namespace that is told apart."""
    younger = f"{{{AT}http: [{rule('{uri: {prefix: /a}}')}]}}"
    for older in (
        AT.replace("a.com", "b.com"),
        AT.replace("a.com", '"*.com"'),
        AT.replace("bookinfo-gateway", "other"),
        f'{AT}exportTo: ["."], ',
        "hosts: [a.com], ",
    ):
        assert shadowed(f"{{{older}http: [{rule('{uri: {prefix: /a}}')}]}}", younger) == []
    named = "servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: [shop/a.com]}]"
    apart = gateway(f"{{selector: {{istio: ingressgateway}}, {named}}}", "bookinfo-gateway")
    both = AT.replace("bookinfo-gateway", "default/bookinfo-gateway")
    specs = [f"{{{both}http: [{rule('{uri: {prefix: /a}}')}]}}"] * 2
    assert shadowed(*specs, more=apart, namespaces=("shop", "default")) == []
    assert shadowed(*specs, more=GATEWAY, namespaces=("shop", "default")) != []


def test_conditions_on_proxies() -> None:
    """A block for fewer proxies, gateways or ports covers none for more."""
    wide, narrow = "{uri: {prefix: /a}}", "{uri: {prefix: /a/b}, port: 80}"
    spec = f"{{{AT}http: [{rule(wide)}, {rule(narrow)}]}}"
    assert shadowed(spec, name="v0") == []  # admission says so already
    for condition in ("port: 80", "sourceLabels: {a: b}", "sourceNamespace: x", "gateways: [other]"):
        limited = f"{{{AT}http: [{rule('{uri: {regex: /a.*}, ' + condition + '}')}, {rule('{uri: {exact: /ab}}')}]}}"
        assert shadowed(limited, name="v0") == []
    assert shadowed(f"{{{AT}http: [{rule('{uri: {regex: /a.*}, port: 80}')}, {rule('{uri: {exact: /ab}, port: 80}')}]}}", name="v0") != []


def test_within_one_object() -> None:
    """Regular expressions and conditions on headers are understood, for sidecars as well."""
    for first, second in (
        ("{uri: {regex: '/a|/b'}}", "{uri: {exact: /b}}"),
        ("{withoutHeaders: {x: {exact: a}}}", "{headers: {x: {exact: b}}}"),
        ("{headers: {x: {prefix: a}}}", "{uri: {prefix: /c}, headers: {x: {exact: ab}}}"),
    ):
        assert shadowed(f"{{hosts: [details], http: [{rule(first)}, {rule(second)}]}}", name="v0") != []
        assert shadowed(f"{{hosts: [details], http: [{rule(second)}, {rule(first)}]}}", name="v0") == []


def test_blocks_that_are_left_out_cover_nothing() -> None:
    """A rule that cannot be served has no blocks."""
    spec = f"{{{AT}http: [{{match: [{{uri: {{prefix: /a}}}}], redirect: {{redirectCode: 304}}}}, {rule('{uri: {exact: /a}}')}]}}"
    mesh = TextMesh(SERVICES + GATEWAY + virtual_service("v0", spec))
    assert [block.place.path for block in mesh.evaluate(placed_blocks, ObjectKey(Kind.VIRTUAL_SERVICE, "default", "v0"))] == [
        "spec.http[1].match[0]"
    ]
