"""Who claims which service of a port, and who gets which domain."""

from __future__ import annotations

from dataclasses import replace

from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.compiler.plan.sidecar_hosts import HostEntry, plan_hosts
from tests.support.mesh_text import TextMesh
from tests.support.route_mesh import SIDECAR, service, virtual_service

ROUTE = "http: [{route: [{destination: {host: a}}]}]"
SERVICES = service("a", "10.0.0.1") + service("b", "10.0.0.2")


def entry(host: str = "default.svc.cluster.local") -> str:
    """Return a name below the namespace's domain."""
    return f"{host}.default.svc.cluster.local"


def entries(text: str, port: int = 9080) -> list[HostEntry]:
    """Return the virtual hosts of a port for a sidecar of namespace default."""
    return list(TextMesh(text).evaluate(plan_hosts, SIDECAR, port).entries)


def owners(text: str, port: int = 9080) -> dict[str, str]:
    """Return which VirtualService owns each host; an empty name for the default route."""
    return {found.host: found.rules.name if found.rules else "" for found in entries(text, port)}


def test_exact_host_beats_wildcards() -> None:
    """A service belongs to the VirtualService with its exact host, else to the one with the longest wildcard, however young."""
    text = (
        SERVICES
        + virtual_service("wide", f'{{hosts: ["*.local"], {ROUTE}}}')
        + virtual_service("longer", f'{{hosts: ["*.default.svc.cluster.local"], {ROUTE}}}', created="2025-01-01T00:00:00Z")
        + virtual_service("exact", f"{{hosts: [b], {ROUTE}}}", created="2026-01-01T00:00:00Z")
    )
    assert owners(text) == {entry("a"): "longer", entry("b"): "exact"}


def test_of_equal_wildcards_the_oldest_wins() -> None:
    """Among equal hosts the earlier VirtualService holds."""
    text = (
        SERVICES
        + virtual_service("z-older", f'{{hosts: ["*"], {ROUTE}}}', created="2023-01-01T00:00:00Z")
        + virtual_service("a-younger", f'{{hosts: ["*"], {ROUTE}}}')
    )
    assert set(owners(text).values()) == {"z-older"}


def test_partial_wildcards() -> None:
    """A wildcard that does not end at a dot covers services as well, by its length."""
    text = (
        service("x-shop", "10.0.0.1")
        + service("shop", "10.0.0.2")
        + virtual_service("part", f'{{hosts: ["*-shop.default.svc.cluster.local"], {ROUTE}}}')
    )
    assert owners(text) == {entry("x-shop"): "part", entry("shop"): ""}


def test_one_without_usable_rules_claims_nothing() -> None:
    """A VirtualService that loses, or whose rules are all refused, owns no host: the host falls to the next, or to its default route."""
    text = (
        SERVICES
        + virtual_service("refused", "{hosts: [a], http: [{name: nothing}]}")
        + virtual_service("loser", f"{{hosts: [b], {ROUTE}}}", created="2026-01-01T00:00:00Z")
        + virtual_service("winner", f"{{hosts: [b], {ROUTE}}}")
    )
    assert owners(text) == {entry("b"): "winner", entry("a"): ""}


def test_plain_hosts_only_beside_a_service() -> None:
    """A host that is no service of the port appears on port 80, elsewhere only beside a service of the same VirtualService."""
    text = (
        SERVICES
        + virtual_service("mixed", f"{{hosts: [out.example.com, a], {ROUTE}}}")
        + virtual_service("plain", f"{{hosts: [other.example.com], {ROUTE}}}")
    )
    assert owners(text) == {"out.example.com": "mixed", entry("a"): "mixed", entry("b"): ""}
    assert owners(text, 80) == {"out.example.com": "mixed", entry("a"): "mixed", "other.example.com": "plain"}
    assert [found.sources for found in entries(text) if found.host == "out.example.com"] == [()]


def test_domain_belongs_to_the_first() -> None:
    """A domain that another virtual host has is left out, whatever its case; one without domains vanishes."""
    spec = "{hosts: [A.default, a.default.svc.cluster.local], " + ROUTE + "}"
    found = {item.host: item.domains for item in entries(SERVICES + virtual_service("names", spec))}
    assert found["A.default"] == ("A.default",)
    assert "a.default" not in found[entry("a")]
    twice = virtual_service("one", f"{{hosts: [x.example.com, a], {ROUTE}}}") + virtual_service(
        "two", f"{{hosts: [X.example.com, b], {ROUTE}}}"
    )
    assert "X.example.com" not in {item.host for item in entries(SERVICES + twice)}


def test_short_name_of_one_that_is_the_full_name_of_another() -> None:
    """A derived name gives way to the service that is really called so."""
    external = "---\napiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: se, namespace: default}\nspec: {hosts: [a.default], ports: [{number: 9080, name: http, protocol: HTTP}], resolution: DNS}\n"
    found = {item.host: item.domains for item in entries(SERVICES + external)}
    assert "a.default" in found["a.default"]
    assert "a.default" not in found[entry("a")]


def test_only_http_services_have_virtual_hosts() -> None:
    """Ports that are declared as something else than HTTP have none; undeclared ones do."""
    text = (
        service("tcp", "10.0.0.1", protocol="tcp")
        + service("raw", "10.0.0.2", protocol="x")
        + virtual_service("vs", f"{{hosts: [tcp], {ROUTE}}}")
    )
    assert owners(text) == {entry("raw"): ""}


def test_services_of_other_ports_stay_out() -> None:
    """A route configuration has the services of its port."""
    assert owners(SERVICES + service("c", "10.0.0.3", 8000)) == {entry("a"): "", entry("b"): ""}


def test_scope_decides_what_exists() -> None:
    """Only services that the Sidecar of the view imports are there."""
    sidecar = '---\napiVersion: networking.istio.io/v1\nkind: Sidecar\nmetadata: {name: narrow, namespace: default}\nspec: {egress: [{hosts: ["./a.default.svc.cluster.local"]}]}\n'
    mesh = TextMesh(SERVICES + sidecar)
    view = replace(SIDECAR, sidecar=ObjectKey("Sidecar", "default", "narrow"))
    assert [item.host for item in mesh.evaluate(plan_hosts, view, 9080).entries] == [entry("a")]


def test_a_virtual_host_comes_from_the_objects_of_its_aliases_as_well() -> None:
    """It answers to their names."""
    spec = "{type: ExternalName, externalName: a.default.svc.cluster.local, ports: [{name: http, port: 80}]}"
    alias = f"---\napiVersion: v1\nkind: Service\nmetadata: {{name: old, namespace: default}}\nspec: {spec}\n"
    (found,) = (each for each in entries(SERVICES + alias) if each.host == entry("a"))
    assert "old.default" in found.domains
    assert [key.name for key in found.sources] == ["a", "old"]
