"""What objects say and should say."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from meshctl_operator.apis.changes import Change
from meshctl_operator.apis.decode import decode
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.controlplane.programming import Programming
from meshctl_operator.kube.settings import KubeSettings
from meshctl_operator.kube.status.desk import StatusDesk, stored_from
from meshctl_operator.status.acknowledgements import Acknowledgements
from meshctl_operator.status.conditions import Conditions, ConditionType, find
from meshctl_operator.status.planning import Pacing, WritePlanner
from tests.support.clocks import ManualClock
from tests.support.meshes import RawObject, virtual_service

KEY = ObjectKey("VirtualService", "default", "a")
NOW = 100.0


def change(raw: RawObject) -> tuple[Change, ...]:
    """Return what the source submits because of a document."""
    decoded = decode(raw)
    return (decoded,)  # type: ignore[return-value]  # none of these is skipped


class Rig:
    """A desk, with a tracker that knows what was compiled."""

    def __init__(self, **settings: Any) -> None:
        """Start empty."""
        self.programming = Programming(ManualClock(), lambda _: None)
        self.planner = WritePlanner(Pacing(apply_gap=0.0, pending_after=0.0, progress_every=0.0, repeat_after=0.0))
        self.desk = StatusDesk(KubeSettings(**settings), self.programming, self.planner)
        self.others: Iterable[Acknowledgements | None] = ()

    def told(self, raw: RawObject | None, *, version: int = 1, generation: int = 1, compiled: bool = True, same: bool = False) -> None:
        """Tell of a document; ``compiled`` runs it through a round, ``same`` says that nothing follows from it."""
        if raw is not None:
            meta = {"uid": "u", **raw["metadata"], "resourceVersion": str(version), "generation": generation}
            raw = {**raw, "metadata": meta}
        changes = () if raw is None or same else change(raw)
        self.desk.told(KEY, raw, changes)
        if compiled:
            self.programming.applied(changes, version)
            self.programming.round_ended()

    def due(self) -> Conditions | None:
        """Conclude; return what should be written, if anything."""
        for _ in self.desk.conclude(NOW, lambda _: self.others):
            pass
        taken = dict(self.planner.take(NOW))
        return taken.get(KEY)

    def store(self, wanted: Conditions, *, version: int, generation: int = 1) -> None:
        """Write, as an API server answers it."""
        document = virtual_service("a", "b")
        meta = {"uid": "u", **document["metadata"], "resourceVersion": str(version), "generation": generation}
        raw = {**document, "metadata": meta, "status": {"conditions": [condition.to_json() for condition in wanted]}}
        assert self.desk.written(KEY, stored_from(KEY, raw)) == wanted
        self.planner.done(KEY, wanted, NOW)


def reason(conditions: Conditions | None, of: ConditionType = ConditionType.PROGRAMMED) -> str:
    """Return the reason of a condition."""
    assert conditions is not None
    found = find(conditions, of)
    assert found is not None
    return found.reason


def test_nothing_is_concluded_before_the_object_is_compiled() -> None:
    """Its findings are not known before."""
    rig = Rig()
    rig.told(virtual_service("a", "b"), compiled=False)
    assert rig.due() is None
    rig.told(virtual_service("a", "b"))
    assert reason(rig.due()) == "NoProxies"


def test_a_status_that_says_what_it_should_is_left_alone() -> None:
    """Also when the watch is late: what the server answered is newer."""
    rig = Rig()
    rig.told(virtual_service("a", "b"))
    wanted = rig.due()
    assert wanted is not None
    rig.store(wanted, version=2)
    assert rig.due() is None
    rig.told(virtual_service("a", "b"), version=1, same=True)
    assert rig.due() is None


def test_a_new_generation_that_compiles_to_the_same_is_observed() -> None:
    """Nothing is submitted for it, and its status says its number all the same."""
    rig = Rig()
    rig.told(virtual_service("a", "b"))
    first = rig.due()
    assert first is not None
    rig.store(first, version=2)
    rig.told(virtual_service("a", "b"), version=3, generation=2, same=True)
    second = rig.due()
    assert second is not None
    assert {condition.observed_generation for condition in second} == {2}
    assert reason(second) == "NoProxies"


def test_findings_change_a_status_when_they_come_and_go() -> None:
    """Those about other objects do not."""
    rig = Rig()
    rig.told(virtual_service("a", "b"))
    first = rig.due()
    assert first is not None
    rig.store(first, version=2)
    rig.desk.found(decode_findings())
    assert reason(rig.due(), ConditionType.ACCEPTED) == "Invalid"
    rig.desk.found([])
    rig.desk.found([])
    for _ in rig.desk.conclude(NOW, lambda _: ()):
        pass
    assert KEY in rig.desk.open


def decode_findings() -> tuple[Any, ...]:
    """Return the findings about a broken object."""
    return change({**virtual_service("a", "b"), "spec": {"hosts": [], "http": []}})[0].diagnostics  # type: ignore[union-attr]  # it is rejected


def test_an_invalid_object_is_done_once_that_is_said() -> None:
    """No proxy can say anything about it."""
    rig = Rig()
    broken = {**virtual_service("a", "b"), "spec": {"hosts": [], "http": []}}
    rig.told(broken)
    rig.desk.found(decode_findings())
    wanted = rig.due()
    assert reason(wanted) == "Invalid"
    assert wanted is not None
    rig.store(wanted, version=2)
    assert rig.due() is None
    assert not rig.desk.open


def test_objects_of_other_revisions_have_no_status() -> None:
    """Also when they become somebody else's."""
    rig = Rig()
    rig.told(virtual_service("a", "b"))
    theirs = virtual_service("a", "b")
    theirs["metadata"]["labels"] = {"istio.io/rev": "canary"}
    rig.told(theirs, version=2)
    assert rig.due() is None
    assert len(rig.desk) == 0
    assert rig.desk.stored(KEY) is None
    canary = Rig(revision="canary")
    canary.told(theirs)
    assert canary.due() is not None


def test_an_object_that_is_gone_is_forgotten_and_another_one_of_its_name_is_new() -> None:
    """By its uid."""
    rig = Rig()
    rig.told(virtual_service("a", "b"))
    rig.told(None)
    assert rig.due() is None
    rig.told(virtual_service("a", "b"))
    first = rig.due()
    assert first is not None
    rig.store(first, version=2)
    again = virtual_service("a", "b")
    again["metadata"]["uid"] = "another"
    rig.told(again, version=3)
    assert rig.due() is not None


def test_replicas_that_have_not_spoken_leave_it_open() -> None:
    """Nothing is concluded from silence."""
    rig = Rig()
    rig.others = (None,)
    rig.told(virtual_service("a", "b"))
    assert reason(rig.due()) == "Pending"
    rig.others = (Acknowledgements(1),)
    rig.desk.reopen_all()
    rig.planner.done(KEY, (), NOW)
    assert reason(rig.due()) == "NoProxies"


def test_other_kinds_are_nobodys_business() -> None:
    """Only routing objects have conditions of ours."""
    rig = Rig()
    rig.desk.told(ObjectKey("Service", "default", "a"), {"metadata": {"name": "a"}}, ())
    assert len(rig.desk) == 0
