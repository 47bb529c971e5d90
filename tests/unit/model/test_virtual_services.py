"""VirtualServices: visibility, precedence, delegation."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from meshctl_operator.apis.kinds import Kind
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.model.virtual_services import (
    MESH,
    HttpRule,
    Place,
    ResolvedVirtualService,
    resolved,
    scoped_virtual_services,
    virtual_service_keys,
    virtual_services,
)
from tests.support.mesh_text import TextMesh
from tests.support.route_mesh import SIDECAR, virtual_service

ROUTE = "http: [{route: [{destination: {host: a}}]}]"
ROOT = ObjectKey(Kind.VIRTUAL_SERVICE, "default", "root")


def root(text: str) -> ResolvedVirtualService:
    """Return the VirtualService ``default/root`` of a mesh."""
    found = TextMesh(text).evaluate(resolved, ROOT)
    assert found is not None
    return found


def seen(text: str, namespace: str = "default", gateway: str = MESH, **settings: Any) -> list[str]:
    """Return the names of the VirtualServices that proxies of a namespace see, by precedence."""
    return [item.name for item in TextMesh(text, **settings).evaluate(virtual_services, namespace, gateway)]


def test_names_are_complete() -> None:
    """Hosts and destinations are completed in the namespace of the VirtualService, gateways too."""
    found = root(virtual_service("root", "{hosts: [reviews], gateways: [gw, mesh], http: [{route: [{destination: {host: other}}]}]}"))
    assert found.hosts == ("reviews.default.svc.cluster.local",)
    assert found.gateways == ("default/gw", "mesh")
    assert found.spec.http[0].route[0].destination.host == "other.default.svc.cluster.local"


@pytest.mark.parametrize(
    ("export_to", "namespace", "visible"),
    [
        ("", "other", True),
        ('exportTo: ["*"], ', "other", True),
        ('exportTo: ["."], ', "other", False),
        ('exportTo: ["."], ', "default", True),
        ("exportTo: [other], ", "other", True),
        ("exportTo: [other], ", "default", False),
        ('exportTo: ["~"], ', "default", False),
    ],
)
def test_visibility(export_to: str, namespace: str, visible: bool) -> None:  # noqa: FBT001  (a column of the table)
    """Visibility is judged by the namespace of the proxy."""
    assert seen(virtual_service("vs", f"{{hosts: [a], {export_to}{ROUTE}}}"), namespace) == (["vs"] if visible else [])


def test_default_visibility_of_the_mesh() -> None:
    """Without exportTo the default of the mesh holds."""
    text = virtual_service("vs", f"{{hosts: [a], {ROUTE}}}")
    assert seen(text, "other", defaultVirtualServiceExportTo=["."]) == []
    assert seen(text, "default", defaultVirtualServiceExportTo=["."]) == ["vs"]


def test_precedence() -> None:
    """Own private ones come first, then those given by others, then public ones; each group the oldest first."""
    text = (
        virtual_service("public-old", f"{{hosts: [a], {ROUTE}}}", created="2020-01-01T00:00:00Z")
        + virtual_service("public-new", f"{{hosts: [a], {ROUTE}}}", created="2023-01-01T00:00:00Z")
        + virtual_service("given", f"{{hosts: [a], exportTo: [default], {ROUTE}}}", namespace="other", created="2021-01-01T00:00:00Z")
        + virtual_service("own-new", f'{{hosts: [a], exportTo: ["."], {ROUTE}}}', created="2025-01-01T00:00:00Z")
        + virtual_service("own-old", f"{{hosts: [a], exportTo: [default, other], {ROUTE}}}", created="2024-01-01T00:00:00Z")
    )
    assert seen(text) == ["own-old", "own-new", "given", "public-old", "public-new"]


def test_binding() -> None:
    """Only those bound to the gateway count; without gateways that is the mesh; delegates are bound to nothing."""
    text = (
        virtual_service("mesh", f"{{hosts: [a], {ROUTE}}}")
        + virtual_service("bound", f"{{hosts: [a], gateways: [gw], {ROUTE}}}")
        + virtual_service("both", f"{{hosts: [a], gateways: [default/gw, mesh], {ROUTE}}}")
        + virtual_service("leaf", f"{{{ROUTE}}}")
    )
    assert seen(text) == ["both", "mesh"]
    assert seen(text, gateway="default/gw") == ["both", "bound"]
    assert [key.name for key in TextMesh(text).evaluate(virtual_service_keys, MESH)] == ["both", "mesh"]


def test_scope_of_a_sidecar() -> None:
    """A Sidecar's egress hosts decide which VirtualServices apply."""
    text = virtual_service("in", f"{{hosts: [a], {ROUTE}}}") + virtual_service("out", f"{{hosts: [b.example.com], {ROUTE}}}")
    text += '---\napiVersion: networking.istio.io/v1\nkind: Sidecar\nmetadata: {name: s, namespace: default}\nspec: {egress: [{hosts: ["./*.local"]}]}\n'
    mesh = TextMesh(text)
    narrow = replace(SIDECAR, sidecar=ObjectKey(Kind.SIDECAR, "default", "s"))
    assert [item.name for item in mesh.evaluate(scoped_virtual_services, narrow)] == ["in"]
    assert [item.name for item in mesh.evaluate(scoped_virtual_services, SIDECAR)] == ["in", "out"]


LEAF_RULES = "http: [{name: one, match: [{uri: {exact: /cart/a}}], route: [{destination: {host: x}}]}, {route: [{destination: {host: y}}]}]"


def test_delegate() -> None:
    """The rules of a delegate take the place of the rule that names it; its destinations belong to its own namespace."""
    found = root(
        virtual_service(
            "root",
            "{hosts: [a], http: [{name: r, match: [{uri: {prefix: /cart}}], timeout: 3s, delegate: {name: leaf, namespace: team}},"
            " {name: last, route: [{destination: {host: z}}]}]}",
        )
        + virtual_service("leaf", f"{{{LEAF_RULES}}}", namespace="team")
    )
    assert found.diagnostics == ()
    assert [item.rule.name for item in found.rules] == ["r-one", "r", "last"]
    assert [item.rule.route[0].destination.host for item in found.rules] == [
        "x.team.svc.cluster.local",
        "y.team.svc.cluster.local",
        "z.default.svc.cluster.local",
    ]
    assert [str(item.rule.timeout) for item in found.rules] == ["3s", "3s", "None"]
    assert [key.name for key in found.sources] == ["root", "leaf"]
    first, second, last = found.rules
    leaf = ObjectKey(Kind.VIRTUAL_SERVICE, "team", "leaf")
    assert first.blocks == (Place(leaf, "spec.http[0].match[0]"),)
    assert second.blocks == (Place(ROOT, "spec.http[0].match[0]"),)
    assert last.place == Place(ROOT, "spec.http[1]")
    assert first.place_of("timeout", "timeout") == Place(ROOT, "spec.http[0].timeout")
    assert first.place_of("route", "route") == Place(leaf, "spec.http[0].route")
    assert found.spec.http == tuple(item.rule for item in found.rules)


@pytest.mark.parametrize(
    ("leaf", "message"),
    [
        ("", "does not exist"),
        (virtual_service("leaf", f"{{hosts: [b], {ROUTE}}}", namespace="team"), "has hosts of its own"),
        (virtual_service("leaf", f'{{exportTo: ["."], {ROUTE}}}', namespace="team"), "is not exported to namespace default"),
    ],
    ids=["missing", "with hosts", "private"],
)
def test_unusable_delegate(leaf: str, message: str) -> None:
    """A delegate that cannot be used costs its rule alone."""
    rules = "[{delegate: {name: leaf, namespace: team}}, {name: last, route: [{destination: {host: z}}]}]"
    found = root(virtual_service("root", f"{{hosts: [a], http: {rules}}}") + leaf)
    assert [item.rule.name for item in found.rules] == ["last"]
    ((code, path, text),) = [(finding.code, finding.path, finding.message) for finding in found.diagnostics]
    assert (code, path) == ("MC2240", "spec.http[0].delegate")
    assert message in text


def test_delegates_are_one_level_deep() -> None:
    """A delegate that delegates again loses that rule, and the root hears of it."""
    found = root(
        virtual_service("root", "{hosts: [a], http: [{delegate: {name: leaf}}]}")
        + virtual_service("leaf", "{http: [{delegate: {name: deeper}}, {name: kept, route: [{destination: {host: z}}]}]}")
    )
    assert [item.rule.name for item in found.rules] == ["kept"]
    assert [(finding.code, finding.subject.name, finding.path) for finding in found.diagnostics] == [
        ("MC2242", "leaf", "spec.http[0].delegate")
    ]


@pytest.mark.parametrize("other", ["root", "b"])
def test_rings_of_delegates_end(other: str) -> None:
    """VirtualServices that delegate to one another, or to themselves, are no delegates."""
    text = virtual_service("root", f"{{hosts: [a], http: [{{delegate: {{name: {other}}}}}]}}") + virtual_service(
        "b", "{hosts: [b], http: [{delegate: {name: root}}]}"
    )
    assert [finding.code for finding in root(text).diagnostics] == ["MC2240"]


def test_conflicting_rule_of_a_delegate() -> None:
    """A rule of a delegate that no request of the root can reach is left out alone."""
    rules = "[{match: [{uri: {prefix: /shop}}], delegate: {name: leaf, namespace: team}}]"
    found = root(virtual_service("root", f"{{hosts: [a], http: {rules}}}") + virtual_service("leaf", f"{{{LEAF_RULES}}}", namespace="team"))
    assert [item.rule.route[0].destination.host for item in found.rules] == ["y.team.svc.cluster.local"]
    assert [(finding.code, finding.subject.name, finding.path) for finding in found.diagnostics] == [
        ("MC2241", "leaf", "spec.http[0].match")
    ]


def test_change_of_a_delegate_reaches_the_root() -> None:
    """A delegate that appears later heals the root."""
    mesh = TextMesh(virtual_service("root", "{hosts: [a], http: [{delegate: {name: leaf}}]}"))
    before = mesh.evaluate(resolved, ROOT)
    mesh.add(virtual_service("leaf", f"{{{ROUTE}}}"))
    after = mesh.evaluate(resolved, ROOT)
    assert before is not None
    assert after is not None
    assert (len(before.rules), len(after.rules)) == (0, 1)


def test_absent() -> None:
    """A key that nothing stands for gives nothing."""
    assert TextMesh("").evaluate(resolved, ROOT) is None


def test_place_of_a_plain_rule() -> None:
    """Without a delegate every field stands in the rule itself."""
    item = root(virtual_service("root", f"{{hosts: [a], {ROUTE}}}")).rules[0]
    assert isinstance(item, HttpRule)
    assert item.place_of("timeout", "timeout") == Place(ROOT, "spec.http[0].timeout")
