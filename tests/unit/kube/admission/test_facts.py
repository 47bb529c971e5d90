"""What a change would do to the mesh."""

from __future__ import annotations

from typing import Any

from meshctl_operator.apis.changes import ChangeSet, Delete, Upsert
from meshctl_operator.apis.decode import decode
from meshctl_operator.apis.kinds import Kind
from meshctl_operator.base.diagnostics import Diagnostic
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.kube.admission.facts import EXPECTED_FOR, MeshFacts, NoFacts
from meshctl_operator.registry.registry import Registry, RegistrySnapshot
from tests.support.clocks import ManualClock
from tests.support.meshes import RawObject, endpoints, istio, service, virtual_service

RULE = istio("DestinationRule", "reviews", {"host": "reviews", "subsets": [{"name": "v1", "labels": {"version": "v1"}}]})
GATEWAY = istio(
    "Gateway", "edge", {"servers": [{"port": {"number": 80, "protocol": "HTTP", "name": "http"}, "hosts": ["*"]}], "selector": {"a": "b"}}
)
BOUND = istio(
    "VirtualService", "shop", {"hosts": ["a.com"], "gateways": ["edge"], "http": [{"route": [{"destination": {"host": "reviews"}}]}]}
)
PINNED = virtual_service("pinned", "reviews", hosts=("reviews",), subset="v1")


def upsert(raw: RawObject) -> Upsert:
    """Return a document as a change."""
    decoded = decode(raw)
    assert isinstance(decoded, Upsert), decoded
    return decoded


def snapshot(*documents: RawObject) -> RegistrySnapshot:
    """Return the snapshot of a control plane that has these documents."""
    return Registry().apply(ChangeSet(tuple(map(upsert, documents)), "test")).snapshot


def facts_of(*documents: RawObject) -> MeshFacts:
    """Return facts that follow a control plane that has these documents."""
    facts = MeshFacts()
    facts.follow(snapshot(*documents).objects)
    return facts


def told(findings: tuple[Diagnostic, ...]) -> list[tuple[str, str, str]]:
    """Return code, object and path of each finding."""
    return [(finding.code, finding.subject.name, finding.path) for finding in findings]


def test_a_host_that_is_not_known() -> None:
    """A destination that matches no service is found; one that does is not."""
    facts = facts_of(service("reviews"))
    assert told(facts.consequences(upsert(virtual_service("a", "reviewz"))).own) == [
        ("MC2201", "a", "spec.http[0].route[0].destination.host"),
    ]
    assert told(facts.consequences(upsert(virtual_service("a", "reviews"))).own) == []


def test_a_subset_that_is_not_defined() -> None:
    """A subset that no DestinationRule defines is found."""
    facts = facts_of(service("reviews"), RULE)
    change = upsert(virtual_service("a", "reviews", hosts=("a.com",), subset="v9"))
    assert told(facts.consequences(change).own) == [("MC2202", "a", "spec.http[0].route[0].destination.subset")]


def test_a_host_that_another_has() -> None:
    """A host of the mesh that belongs to an older VirtualService is found, about the younger."""
    facts = facts_of(service("reviews"), virtual_service("first", "reviews", hosts=("reviews",)))
    found = facts.consequences(upsert(virtual_service("second", "reviews", hosts=("reviews",))))
    assert told(found.own) == [("MC2207", "second", "spec.hosts[0]")]


def test_a_gateway_in_use() -> None:
    """Deleting a Gateway that VirtualServices name is found, about them."""
    facts = facts_of(service("reviews"), GATEWAY, BOUND)
    found = facts.consequences(Delete(ObjectKey(Kind.GATEWAY, "default", "edge")))
    assert told(found.others) == [("MC2205", "shop", "spec.gateways[0]")]
    assert found.own == ()


def test_a_subset_in_use() -> None:
    """Taking away a subset that routes name is found, whether it is edited out or deleted with its rule."""
    facts = facts_of(service("reviews"), RULE, PINNED)
    expected = [("MC2202", "pinned", "spec.http[0].route[0].destination.subset")]
    assert told(facts.consequences(Delete(ObjectKey(Kind.DESTINATION_RULE, "default", "reviews"))).others) == expected
    edited = {**RULE, "spec": {"host": "reviews", "subsets": [{"name": "v2", "labels": {"version": "v2"}}]}}
    assert told(facts.consequences(upsert(edited)).others) == expected


def test_trying_changes_nothing() -> None:
    """After any question the mesh is as it was."""
    facts = facts_of(service("reviews"), RULE, PINNED, GATEWAY, BOUND)
    questions: list[Upsert | Delete] = [
        Delete(ObjectKey(Kind.GATEWAY, "default", "edge")),
        upsert(virtual_service("new", "nowhere")),
        upsert({**RULE, "spec": {"host": "reviews"}}),
        Delete(ObjectKey(Kind.GATEWAY, "default", "unheard-of")),
    ]
    first = [facts.consequences(question) for question in questions]
    assert [facts.consequences(question) for question in reversed(questions)] == first[::-1]


def test_following() -> None:
    """Facts follow the control plane object by object: what appears, changes and goes."""
    facts = facts_of(service("reviews"))
    change = upsert(virtual_service("a", "ratings"))
    assert told(facts.consequences(change).own) != []
    assert facts.follow(snapshot(service("reviews"), service("ratings")).objects)
    assert facts.consequences(change).own == ()
    assert facts.follow(snapshot(service("reviews")).objects)
    assert told(facts.consequences(change).own) != []


def test_endpoints_are_none_of_its_business() -> None:
    """What workloads do costs the webhook nothing."""
    registry = Registry()
    first = registry.apply(ChangeSet((upsert(service("reviews")),), "test")).snapshot
    second = registry.apply(ChangeSet((upsert(endpoints("reviews", "10.0.0.1")),), "test")).snapshot
    facts = MeshFacts()
    assert facts.follow(first.objects)
    assert not facts.follow(second.objects)


def test_warm() -> None:
    """What requests ask for can be computed ahead, in pieces."""
    facts = facts_of(service("reviews"), *(virtual_service(f"v{number}", "reviews") for number in range(5)))
    assert sum(1 for _ in facts.warm()) == 5
    assert sum(1 for _ in facts.warm()) == 0


def test_no_facts() -> None:
    """Without facts nothing is found between objects."""
    found: Any = NoFacts().consequences(upsert(service("reviews")))
    assert (found.own, found.others) == ((), ())


def test_what_was_admitted_counts_until_it_arrives() -> None:
    """Also when snapshots without it come in between; what arrives replaces it."""
    facts = facts_of(service("reviews"))
    assert facts.consequences(upsert(PINNED)).own
    facts.expect(upsert(RULE))
    assert not facts.consequences(upsert(PINNED)).own
    facts.follow(snapshot(service("reviews"), service("ratings")).objects)
    assert not facts.consequences(upsert(PINNED)).own
    other = {**RULE, "spec": {"host": "reviews", "subsets": [{"name": "v2", "labels": {"version": "v2"}}]}}
    facts.follow(snapshot(service("reviews"), other).objects)
    assert facts.consequences(upsert(PINNED)).own


def test_what_was_admitted_and_never_arrives_is_forgotten() -> None:
    """Somebody else has refused it."""
    clock = ManualClock()
    facts = MeshFacts(clock=clock)
    facts.follow(snapshot(service("reviews"), RULE).objects)
    facts.expect(Delete(upsert(RULE).key))
    assert facts.consequences(upsert(PINNED)).own
    assert not facts.refresh()
    clock.advance(EXPECTED_FOR)
    assert facts.refresh()
    assert not facts.consequences(upsert(PINNED)).own
    assert not facts.refresh()


def test_kinds_that_are_not_looked_at_are_not_expected() -> None:
    """They have no part in what is found."""
    facts = facts_of(service("reviews"))
    facts.expect(upsert(endpoints("reviews", "10.1.0.1")))
    NoFacts().expect(upsert(RULE))
    assert not facts._expected
