"""The conditions of one object."""

from __future__ import annotations

from dataclasses import replace

from meshctl_operator.base.diagnostics import Severity
from meshctl_operator.status.acknowledgements import UNHEARD, Acknowledgements, Rejection
from meshctl_operator.status.conditions import ConditionType, find
from meshctl_operator.status.reduction import Subject, reduce
from tests.support.conditions import KEY, acknowledged, by_type, condition, finding

SUBJECT = Subject(KEY, generation=1)
REJECTION = Rejection("p1.shop", "80", "duplicate route")


def test_everything_is_fine() -> None:
    """A valid object that all proxies have has three true conditions and no other."""
    conditions = reduce(SUBJECT, [], acknowledged(12, 12))
    assert by_type(conditions) == {
        "Accepted": ("True", "Accepted", "valid"),
        "ResolvedRefs": ("True", "ResolvedRefs", "everything that it refers to exists"),
        "Programmed": ("True", "Programmed", "12/12 proxies"),
    }
    assert {found.observed_generation for found in conditions} == {1}


def test_on_its_way() -> None:
    """While some proxies do not have it, their number and the first names are told."""
    said = replace(acknowledged(1, 6), lost=frozenset({"p1.shop"}))
    message = "1/6 proxies; waiting for p1.shop (not connected), p2.shop, p3.shop and 2 more"
    assert by_type(reduce(SUBJECT, [], said))["Programmed"] == ("False", "Pending", message)


def test_one_proxy() -> None:
    """One proxy is no plural."""
    assert by_type(reduce(SUBJECT, [], acknowledged(1, 1)))["Programmed"][2] == "1/1 proxy"


def test_no_proxies() -> None:
    """An object that no proxy should have is not programmed."""
    assert by_type(reduce(SUBJECT, [], acknowledged(0, 0)))["Programmed"] == (
        "False",
        "NoProxies",
        "there is no proxy that should have it",
    )


def test_rejected_by_envoy() -> None:
    """Envoy's own text and the proxy's name are told, even if others have it."""
    others = (Rejection("p2.shop", "80", "the same"), REJECTION)
    conditions = reduce(SUBJECT, [], acknowledged(1, 3, rejections=others))
    assert by_type(conditions)["Programmed"] == ("False", "EnvoyRejected", "p1.shop rejected 80 (and 1 more proxy): duplicate route")


def test_not_valid() -> None:
    """An object that is not accepted says why, and what is served in its place."""
    error = finding("MC1021", "0 is no port", severity=Severity.ERROR, path="spec.http[0].match[0].port")
    subject = Subject(KEY, generation=4, in_service=3)
    found = by_type(reduce(subject, [error, finding("MC2201")], acknowledged(2, 2, generation=3)))
    assert found == {
        "Accepted": ("False", "Invalid", "spec.http[0].match[0].port 0 is no port (put it right) [MC1021]"),
        "ResolvedRefs": ("Unknown", "Invalid", "is not looked at while the object is not valid"),
        "Programmed": ("False", "Invalid", "the object is not valid; generation 3 stays in service"),
    }
    never = by_type(reduce(replace(subject, in_service=None), [error], acknowledged(0, 2)))
    assert never["Programmed"][2] == "the object is not valid; nothing of it is served"


def test_references_conflicts_and_parts() -> None:
    """Each kind of finding has its condition, which is absent while there is no such finding."""
    found = by_type(
        reduce(
            SUBJECT,
            [finding("MC2202"), finding("MC2207"), finding("MC2212", severity=Severity.ERROR), finding("MC2304"), finding("MC2204")],
            acknowledged(1, 1),
        )
    )
    assert {of: (status, reason) for of, (status, reason, _) in found.items()} == {
        "Accepted": ("True", "Accepted"),
        "ResolvedRefs": ("False", "SubsetNotFound"),
        "Programmed": ("True", "Programmed"),
        "PartiallyInvalid": ("True", "PartsLeftOut"),
        "Conflicted": ("True", "Conflict"),
        "NotApplied": ("True", "MatchesNothing"),
    }
    assert found["Accepted"][2] == "valid, but: spec.hosts[0] is wrong (put it right) [MC2204]"


def test_what_was_true_stays_true() -> None:
    """A proxy that joins, restarts or leaves takes nothing back, nor does a finding; the message stays as well."""
    before = condition("Programmed", message="2/2 proxies", at="2026-01-01T00:00:00Z")
    subject = Subject(KEY, 1, (before,))
    for said in (acknowledged(2, 3), acknowledged(0, 0), acknowledged(0, 1), UNHEARD):
        assert find(reduce(subject, [], said), ConditionType.PROGRAMMED) is before


def test_only_a_rejection_takes_it_back() -> None:
    """What Envoy rejects is withdrawn, also while not every replica has reported; and comes back when it is accepted."""
    subject = Subject(KEY, 1, (condition("Programmed", message="2/2 proxies"),))
    said = acknowledged(1, 2, rejections=(REJECTION,))
    for rejected in (said, replace(said, complete=False)):
        assert by_type(reduce(subject, [], rejected))["Programmed"][1] == "EnvoyRejected"
    healed = Subject(KEY, 1, (condition("Programmed", "False", "EnvoyRejected"),))
    assert by_type(reduce(healed, [], acknowledged(2, 2)))["Programmed"][0] == "True"


def test_a_new_generation_starts_anew() -> None:
    """What was true of an older generation says nothing about this one."""
    subject = Subject(KEY, 2, (condition("Programmed", message="2/2 proxies"),))
    assert by_type(reduce(subject, [], acknowledged(2, 2)))["Programmed"] == ("False", "Pending", "not on its way to the proxies yet")
    assert by_type(reduce(subject, [], acknowledged(2, 2, generation=2)))["Programmed"][0] == "True"


def test_nothing_is_true_before_every_replica_has_reported() -> None:
    """A new leader neither promises nor takes back what it has not heard of."""
    said = replace(acknowledged(2, 2), complete=False)
    assert by_type(reduce(SUBJECT, [], said))["Programmed"][:2] == ("Unknown", "Pending")
    pending = Subject(KEY, 1, (condition("Programmed", "False", "Pending", "1/2 proxies"),))
    assert by_type(reduce(pending, [], said))["Programmed"] == ("False", "Pending", "1/2 proxies")


def test_rejections_of_an_older_generation_do_not_count() -> None:
    """The new generation may be the cure."""
    said = Acknowledgements(1, frozenset({"a"}), rejections=(REJECTION,))
    assert by_type(reduce(Subject(KEY, 2), [], said))["Programmed"][1] == "Pending"
