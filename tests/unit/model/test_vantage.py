"""Who sees a host differently is known beforehand; all others are strangers to it."""

from __future__ import annotations

from typing import Any

import pytest

from meshctl_operator.base.shards import SHARDS, shard_of
from meshctl_operator.model.vantage import STRANGER, declared_hosts, insiders, insiders_of_shard
from tests.support.mesh_text import TextMesh
from tests.support.route_mesh import destination_rule, service

REVIEWS = "reviews.default.svc.cluster.local"
SERVICE = service("reviews", "10.0.0.1")
EXTERNAL = "api.example.com"


def entry(host: str = EXTERNAL, export_to: str = "", *, namespace: str = "default", name: str = "se") -> str:
    """Return a ServiceEntry."""
    exported = f", exportTo: {export_to}" if export_to else ""
    spec = f"{{hosts: ['{host}'], ports: [{{number: 80, name: http, protocol: HTTP}}], resolution: NONE{exported}}}"
    meta = f"{{name: {name}, namespace: {namespace}}}"
    return f"---\napiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {meta}\nspec: {spec}\n"


def found(text: str, host: str = REVIEWS, **settings: Any) -> set[str]:
    """Return the insiders of a host, without the root namespace and the ``*`` of what is exported to all."""
    return set(TextMesh(text, **settings).evaluate(insiders, host)) - {"istio-system", "*"}


def test_the_homes_of_several_services_of_a_host_are_inside() -> None:
    """Each has its own before those of others. The home of the only one sees what all see; the rules of the root namespace count always."""
    assert found(SERVICE) == set()
    assert found(entry() + entry(namespace="shop"), EXTERNAL) == {"default", "shop"}
    assert TextMesh("").evaluate(insiders, REVIEWS) == {"istio-system"}
    assert TextMesh("", rootNamespace="roots").evaluate(insiders, REVIEWS) == {"roots"}


def test_whom_a_service_is_exported_to_is_inside() -> None:
    """By name in the object, or in the setting of the mesh for objects that do not say."""
    assert found(entry(export_to="[shop, default]"), EXTERNAL) == {"default", "shop"}
    assert found(entry(), EXTERNAL, defaultServiceExportTo=["shop"]) == {"default", "shop"}
    assert found(entry(export_to="['*']"), EXTERNAL, defaultServiceExportTo=["shop"]) == set()
    assert found(entry(export_to="['.']"), EXTERNAL) == {"default", "."}


@pytest.mark.parametrize(
    "host",
    [REVIEWS, "'*.default.svc.cluster.local'", "'*'", "'*views.default.svc.cluster.local'"],
    ids=["exact", "parent", "all", "partial"],
)
def test_where_a_rule_for_the_host_lives_is_inside(host: str) -> None:
    """Whatever way the rule covers the host; with the namespaces that it is exported to."""
    assert found(SERVICE + destination_rule("r", f"{{host: {host}}}", namespace="shop")) == {"shop"}
    exported = destination_rule("r", f"{{host: {host}, exportTo: [third, shop]}}", namespace="shop")
    assert found(SERVICE + exported) == {"shop", "third"}


@pytest.mark.parametrize(
    ("spec", "settings", "inside"),
    [
        ("", {}, set()),
        (", exportTo: ['*']", {}, set()),
        (", exportTo: ['*', shop]", {}, set()),
        (", exportTo: [.]", {}, {"default", "."}),
        (", exportTo: [shop]", {}, {"default", "shop"}),
        (", workloadSelector: {matchLabels: {app: a}}", {}, {"default"}),
        ("", {"defaultDestinationRuleExportTo": ["."]}, {"default"}),
    ],
)
def test_a_rule_beside_the_service_is_seen_alike_if_it_is_for_everyone(spec: str, settings: dict[str, Any], inside: set[str]) -> None:
    """What all clients may use makes no insider of its own namespace; but a second, private one for the host does."""
    rule = destination_rule("r", f"{{host: reviews{spec}}}")
    assert found(SERVICE + rule, **settings) == inside
    private = destination_rule("s", "{host: reviews, exportTo: [.]}")
    assert found(SERVICE + rule + private, **settings) == inside | {"default", "."}


def alias(name: str, target: str) -> str:
    """Return a Service that stands for another one."""
    spec = f"{{type: ExternalName, externalName: {target}.default.svc.cluster.local, ports: [{{name: http, port: 80}}]}}"
    return f"---\napiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: default}}\nspec: {spec}\n"


def test_who_sees_what_a_name_stands_for_is_inside_as_well() -> None:
    """However long the chain is, and also where two names stand for each other and are services of their own besides."""
    rule = destination_rule("r", "{host: b.default.svc.cluster.local}", namespace="shop")
    assert "shop" in found(alias("a", "b") + service("b", "10.0.0.1") + rule, "a.default.svc.cluster.local")
    entries = "".join(entry(f"{name}.default.svc.cluster.local", name=name) for name in "ab")
    ring = alias("a", "b") + alias("b", "a") + entries + rule
    assert found(ring, "a.default.svc.cluster.local") == found(ring, "b.default.svc.cluster.local") >= {"shop"}


def test_rules_for_other_hosts_do_not_count() -> None:
    """A rule that does not cover the host makes no insider, and an edit of it recomputes nothing that looks at the host."""
    other = destination_rule("r", "{host: '*.example.com', trafficPolicy: {loadBalancer: {simple: %s}}}", namespace="shop")
    mesh = TextMesh(SERVICE + other % "RANDOM" + destination_rule("s", "{host: ratings.default}", namespace="third"))
    assert not {"shop", "third"} & mesh.evaluate(insiders, REVIEWS)
    mesh.add(other % "ROUND_ROBIN")
    mesh.take_statistics()
    mesh.evaluate(insiders, REVIEWS)
    assert "insiders" not in mesh.take_statistics().recomputed


def test_an_insider_may_appear_and_go() -> None:
    """Looking and finding nothing is a read."""
    from meshctl_operator.apis.kinds import Kind

    mesh = TextMesh(SERVICE)
    assert "shop" not in mesh.evaluate(insiders, REVIEWS)
    mesh.add(destination_rule("r", f"{{host: {REVIEWS}}}", namespace="shop"))
    assert "shop" in mesh.evaluate(insiders, REVIEWS)
    mesh.delete(Kind.DESTINATION_RULE, "shop", "r")
    assert "shop" not in mesh.evaluate(insiders, REVIEWS)


def test_nothing_is_exported_to_the_stranger() -> None:
    """Not even by an empty name that slipped through."""
    text = entry(export_to="['']") + destination_rule("r", f"{{host: {EXTERNAL}, exportTo: ['']}}")
    assert STRANGER not in TextMesh(text).evaluate(insiders, EXTERNAL)


def test_declared_hosts_by_shard() -> None:
    """Each host once, in the shard of its name, in order; with its insiders."""
    mesh = TextMesh(SERVICE + entry() + entry(namespace="shop") + entry("b.api.example.com", name="b"))
    shards = mesh.evaluate(declared_hosts)
    assert len(shards) == SHARDS
    assert sorted(host for shard in shards for host in shard) == [EXTERNAL, "b.api.example.com", REVIEWS]
    assert EXTERNAL in shards[shard_of(EXTERNAL)]
    assert mesh.evaluate(insiders_of_shard, shard_of(EXTERNAL))[EXTERNAL] >= {"default", "shop", "istio-system"}
    assert all(list(shard) == sorted(shard) for shard in shards)
