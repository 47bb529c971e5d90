"""Tests of how DestinationRules are found and merged."""

from __future__ import annotations

import itertools

import pytest

from meshctl_operator.base.labels import Labels
from meshctl_operator.model.destination_rules import destination_rule, inbound_destination_rule, merge_diagnostics, policy_diagnostics
from meshctl_operator.model.services import service
from tests.support.mesh_text import TextMesh

HOST = "reviews.server.svc.cluster.local"
SERVICE = """
---
apiVersion: v1
kind: Service
metadata: {name: reviews, namespace: server}
spec: {clusterIP: 10.0.0.1, ports: [{name: http, port: 80}]}
"""


def rule(name: str, namespace: str, host: str = HOST, body: str = "", age: int = 1) -> str:
    """Return a DestinationRule with a subset of its own name; ``age`` 9 is older than 1."""
    return f"""
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: {name}, namespace: {namespace}, creationTimestamp: "2026-01-{20 - age:02}T00:00:00Z"}}
spec: {{host: "{host}", subsets: [{{name: {name}, labels: {{v: {name}}}}}] {", " + body if body else ""}}}
"""


def chosen(text: str, namespace: str = "client", labels: Labels = (), host: str = HOST) -> str | None:
    """Return the name of the rule that a client uses."""
    mesh = TextMesh(SERVICE + text)
    target = mesh.evaluate(service, namespace, host)
    assert target
    found = mesh.evaluate(destination_rule, namespace, labels, target)
    return found.key.name if found else None


def subsets(text: str, namespace: str = "client") -> list[str]:
    """Return the subsets of the rule that a client uses."""
    mesh = TextMesh(SERVICE + text)
    target = mesh.evaluate(service, namespace, HOST)
    assert target
    found = mesh.evaluate(destination_rule, namespace, (), target)
    return [subset.name for subset in found.subsets] if found else []


CLIENT, SERVER, ROOT, THIRD = (rule(name, namespace) for name, namespace in (
    ("client", "client"), ("server", "server"), ("root", "istio-system"), ("third", "third"),
))  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(CLIENT + SERVER + ROOT + THIRD, "client", id="own-namespace-first"),
        pytest.param(SERVER + ROOT + THIRD, "server", id="then-the-service-s"),
        pytest.param(ROOT + THIRD, "root", id="then-the-root-s"),
        pytest.param(THIRD, None, id="never-a-third-one"),
        pytest.param(rule("p", "server", body='exportTo: ["."]') + ROOT, "root", id="private-rule-of-the-service-is-not-seen"),
        pytest.param(rule("p", "server", body="exportTo: [client]") + ROOT, "p", id="exported-to-the-client"),
        pytest.param(rule("p", "server", body="exportTo: [other]") + ROOT, "root", id="exported-to-somebody-else"),
        pytest.param(rule("p", "client", body="exportTo: [other]") + SERVER, "server", id="own-rule-that-is-only-for-others"),
        pytest.param(rule("p", "istio-system", body='exportTo: ["."]'), None, id="private-rule-of-the-root"),
    ],
)
def test_namespaces(text: str, expected: str | None) -> None:
    """Rules of the client's namespace come first, then exported ones of the service's, then of the root namespace."""
    assert chosen(text) == expected


def test_clients_in_the_root_namespace() -> None:
    """A client in the root namespace sees its private rules first, then the service's, then public ones of the root."""
    private = rule("private", "istio-system", body='exportTo: ["."]')
    assert chosen(private + SERVER + ROOT, "istio-system") == "private"
    assert chosen(SERVER + ROOT, "istio-system") == "server"
    assert chosen(ROOT, "istio-system") == "root"


@pytest.mark.parametrize(
    ("hosts", "expected"),
    [
        (["*", "*.local", "*.server.svc.cluster.local", HOST], HOST),
        (["*", "*.local", "*.server.svc.cluster.local"], "*.server.svc.cluster.local"),
        (["*", "*.local"], "*.local"),
        (["*"], "*"),
        (["*views.server.svc.cluster.local", "*.server.svc.cluster.local"], "*views.server.svc.cluster.local"),
        (["*x.server.svc.cluster.local", "*.local"], "*.local"),
        (["ratings.server.svc.cluster.local"], None),
    ],
)
def test_the_most_specific_host_wins(hosts: list[str], expected: str | None) -> None:
    """Of the rules of one namespace the exact host wins, else the longest wildcard."""
    text = "".join(rule(f"r{index}", "client", host) for index, host in enumerate(hosts))
    assert chosen(text) == (None if expected is None else f"r{hosts.index(expected)}")


def test_a_wildcard_of_the_client_hides_an_exact_rule_of_the_service() -> None:
    """The search is by namespace first: whatever matches in the client's namespace ends it."""
    assert chosen(rule("wild", "client", "*.local") + SERVER) == "wild"


def test_filtered_rules_do_not_fall_back_to_a_wider_host() -> None:
    """Where the most specific host of a namespace is exported to others only, the next namespace is asked."""
    text = rule("exact", "server", body="exportTo: [other]") + rule("wide", "server", "*.local")
    assert chosen(text) is None
    assert chosen(text + ROOT) == "root"


def test_short_hosts_are_of_the_rule_s_own_namespace() -> None:
    """A host without a dot is completed with the namespace of the rule, not of the client."""
    assert chosen(rule("short", "server", "reviews")) == "short"
    assert chosen(rule("short", "client", "reviews")) is None


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_rules_of_one_host_are_merged_oldest_first(order: tuple[int, ...]) -> None:
    """Rules that are exported alike give one rule with the subsets of all, the oldest first, in whatever order they came."""
    texts = [rule("old", "server", age=9), rule("middle", "server", age=5), rule("young", "server")]
    assert subsets("".join(texts[index] for index in order)) == ["old", "middle", "young"]


def test_a_wider_export_is_merged_into_the_narrower_one() -> None:
    """A rule that is exported wider completes the older one and is no rule of its own: who does not see that sees neither, which is said."""
    text = rule("old", "server", age=9, body="exportTo: [client]") + rule("wide", "server", body="exportTo: [client, other]")
    assert subsets(text, "client") == ["old", "wide"]
    assert chosen(text, "other") is None
    found = TextMesh(text).evaluate(merge_diagnostics, "server", HOST)
    assert [(finding.code, finding.subject.name) for finding in found] == [("MC2316", "wide")]


def test_rules_that_are_exported_differently_stay_apart() -> None:
    """Without one being wider than the other they are not merged; the last one that the client sees is used."""
    text = rule("old", "server", age=9, body='exportTo: ["*"]') + rule("young", "server", body="exportTo: [client]")
    assert subsets(text, "client") == ["young"]
    assert subsets(text, "other") == ["old"]


SELECTED = rule("selected", "client", body="workloadSelector: {matchLabels: {app: web}}")


@pytest.mark.parametrize(
    ("text", "labels", "expected"),
    [
        (SELECTED + CLIENT, (("app", "web"), ("x", "y")), "selected"),
        (SELECTED + CLIENT, (("app", "api"),), "client"),
        (SELECTED, (("app", "api"),), None),
        (SELECTED + rule("own", "client", body='exportTo: ["."]'), (("app", "api"),), "own"),
    ],
)
def test_selectors(text: str, labels: Labels, expected: str | None) -> None:
    """A rule with a selector holds for workloads with its labels; the others keep the rule without one."""
    assert chosen(text, labels=labels) == expected


def test_selectors_do_not_reach_other_namespaces_nor_inbound_traffic() -> None:
    """A rule with a selector is private to its namespace, and never decides how traffic reaches a workload."""
    text = rule("selected", "server", body="workloadSelector: {matchLabels: {app: web}}")
    assert chosen(text, labels=(("app", "web"),)) is None
    mesh = TextMesh(SERVICE + text + rule("plain", "server"))
    target = mesh.evaluate(service, "server", HOST)
    assert target
    assert (found := mesh.evaluate(inbound_destination_rule, "server", target))
    assert found.key.name == "plain"


def test_provenance_names_every_merged_rule() -> None:
    """All rules that were merged are named; the key is the oldest one's."""
    mesh = TextMesh(SERVICE + rule("old", "server", age=9) + rule("young", "server"))
    target = mesh.evaluate(service, "client", HOST)
    assert target
    assert (found := mesh.evaluate(destination_rule, "client", (), target))
    assert [key.name for key in found.provenance] == ["old", "young"]


def test_a_service_that_is_a_wildcard_finds_rules_for_it() -> None:
    """For a wildcard host the same wildcard comes first, then wider ones."""
    entry = """
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: ext, namespace: client}
spec: {hosts: ["*.a.example.com"], ports: [{number: 443, name: tls, protocol: TLS}], resolution: NONE}
"""
    wide, same, inner = (
        rule("wide", "client", "*.example.com"),
        rule("same", "client", "*.a.example.com"),
        rule("in", "client", "x.a.example.com"),
    )
    assert chosen(entry + wide + same + inner, host="*.a.example.com") == "same"
    assert chosen(entry + wide + inner, host="*.a.example.com") == "wide"
    assert chosen(entry + inner, host="*.a.example.com") is None


# Findings


def test_a_host_that_nobody_has() -> None:
    """A rule for an unknown host gets a warning with the closest known host."""
    (finding,) = TextMesh(SERVICE + rule("typo", "server", "reviewz")).evaluate(policy_diagnostics)
    assert (finding.code, finding.severity, finding.path, finding.istio_code) == ("MC2310", "warning", "spec.host", "IST0174")
    assert "'reviewz'" in finding.message
    assert finding.hint == f'did you mean "{HOST}"?'


@pytest.mark.parametrize("host", ["*", "*.local", "*-nothing.example.com"])
def test_wildcards_count_as_known_where_they_match(host: str) -> None:
    """A wildcard is unknown only where no service lies under it."""
    found = TextMesh(SERVICE + rule("wild", "server", host)).evaluate(policy_diagnostics)
    assert [finding.code for finding in found] == (["MC2310"] if "nothing" in host else [])


def test_merging_tells_what_it_drops() -> None:
    """The younger rule is told about a subset and a policy that it loses."""
    policy = "trafficPolicy: {loadBalancer: {simple: RANDOM}}"
    text = rule("same", "server", age=9, body=policy) + rule("other", "server", body=policy).replace(
        "name: other, labels", "name: same, labels"
    )
    found = TextMesh(SERVICE + text).evaluate(policy_diagnostics)
    assert [(finding.code, finding.subject.name, finding.path) for finding in found] == [
        ("MC2311", "other", "spec.subsets[0].name"),
        ("MC2312", "other", "spec.trafficPolicy"),
    ]
