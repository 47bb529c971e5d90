"""The status of an object over its life: what is written is true, stays true, and takes nothing from anybody."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from meshctl_operator.base.diagnostics import Diagnostic, Severity
from meshctl_operator.status.acknowledgements import Acknowledgements, Rejection
from meshctl_operator.status.conditions import Conditions, ConditionStatus, ConditionType, Reason, find, is_ours, stored_conditions
from meshctl_operator.status.patches import ListStyle, StatusPatch, Stored, is_current, status_patch
from meshctl_operator.status.planning import Pacing, WritePlanner
from meshctl_operator.status.reduction import Subject, reduce
from tests.support.conditions import KEY, finding

pytestmark = pytest.mark.property

PROXIES: Final = ("a.shop", "b.shop", "c.shop")
FINDINGS: Final = (
    finding("MC1021", severity=Severity.ERROR),
    finding("MC2201"),
    finding("MC2207"),
    finding("MC2212", severity=Severity.ERROR),
    finding("MC2204"),
)
OTHERS: Final = ("Healthy", "Reconciled")


class ApiServer:
    """One object, with a status that others write as well."""

    def __init__(self, style: ListStyle) -> None:
        self.style = style
        self.version = 1
        self.generation = 1
        self.conditions: list[dict[str, Any]] = []

    def read(self) -> Stored:
        """Return the object."""
        status = {"conditions": [dict(condition) for condition in self.conditions]}
        return Stored("networking.istio.io/v1", "VirtualService", KEY.namespace, KEY.name, "uid", str(self.version), status)

    def write_of_another(self, of: str, value: int) -> None:
        """Let another controller write a condition of its own."""
        self.conditions = [condition for condition in self.conditions if condition["type"] != of]
        self.conditions.append({"type": of, "status": "True", "custom": value})
        self.version += 1

    def patch(self, patch: StatusPatch) -> bool:
        """Apply a patch as an API server does; False for a conflict."""
        status: Any = patch.body["status"]
        metadata: Any = patch.body["metadata"]
        if patch.is_apply:
            others = [condition for condition in self.conditions if not is_ours(condition)]
            self.conditions = [*others, *status["conditions"]]
        elif metadata["resourceVersion"] != str(self.version):
            return False
        else:
            self.conditions = list(status["conditions"])
        self.version += 1
        return True


class StatusMachine(RuleBasedStateMachine):
    """Edits, proxies that come, acknowledge, reject and go, leaders that change, and somebody else who writes the same status."""

    @initialize(style=st.sampled_from(ListStyle))
    def begin(self, style: ListStyle) -> None:
        """Start with an object that nobody has seen."""
        self.api = ApiServer(style)
        self.pacing = Pacing()
        self.now = 0.0
        self.planner = WritePlanner(self.pacing)
        self.said = Acknowledgements(1, complete=False)
        self.findings: tuple[Diagnostic, ...] = ()
        self.others: dict[str, int] = {}
        self.seen = self.api.read()
        self.was_true: set[int] = set()
        self.writes: dict[int, int] = {}

    def wanted(self) -> Conditions:
        """Return what the status should say."""
        return reduce(Subject(KEY, self.api.generation, self.seen.conditions), self.findings, self.said)

    def work(self) -> None:
        """Do what the leader does whenever something changes: look, plan, write."""
        self.planner.want(KEY, self.wanted(), self.seen.conditions, self.now)
        for key, conditions in self.planner.take(self.now):
            patch = status_patch(self.seen, conditions, self.api.style, f"{self.now}")
            if patch is not None and not self.api.patch(patch):
                self.planner.failed(key, self.now, conflict=True)
                self.seen = self.api.read()
                self.planner.want(key, self.wanted(), self.seen.conditions, self.now)
                continue
            self.seen = self.api.read()
            self.planner.done(key, self.seen.conditions, self.now)
            if patch is not None:
                self.writes[self.api.generation] = self.writes.get(self.api.generation, 0) + 1
                self.check_programmed()

    def check_programmed(self) -> None:
        """Check what a write says of the proxies."""
        programmed = find(self.seen.conditions, ConditionType.PROGRAMMED)
        assert programmed is not None
        generation = programmed.observed_generation
        assert generation == self.api.generation
        if programmed.holds:
            if generation not in self.was_true:
                assert self.said.complete
                assert self.said.should_have
                assert not self.said.missing
                assert not self.said.rejections
            self.was_true.add(generation)
        elif generation in self.was_true:
            assert programmed.reason == Reason.ENVOY_REJECTED
            self.was_true.discard(generation)

    @rule()
    def edit(self) -> None:
        """The user applies a new spec: nobody has it yet."""
        self.api.generation += 1
        self.api.version += 1
        self.seen = self.api.read()
        self.said = replace(self.said, generation=self.api.generation, acknowledged=frozenset(), rejections=())
        self.work()

    @rule(proxy=st.sampled_from(PROXIES))
    def join(self, proxy: str) -> None:
        """A proxy connects."""
        self.said = replace(self.said, expected=self.said.expected | {proxy}, lost=self.said.lost - {proxy})
        self.work()
        self.now += 1.0
        self.work()

    @rule(proxy=st.sampled_from(PROXIES), with_grace=st.booleans())
    def leave(self, proxy: str, *, with_grace: bool) -> None:
        """A proxy goes, for a while or for good."""
        lost = self.said.lost | {proxy} if with_grace and proxy in self.said.expected else self.said.lost - {proxy}
        kept = tuple(rejection for rejection in self.said.rejections if rejection.proxy != proxy)
        self.said = replace(self.said, expected=self.said.expected - {proxy}, lost=lost, rejections=kept)
        self.work()

    @rule(proxy=st.sampled_from(PROXIES))
    def acknowledge(self, proxy: str) -> None:
        """A proxy acknowledges, which heals what it rejected."""
        kept = tuple(rejection for rejection in self.said.rejections if rejection.proxy != proxy)
        self.said = replace(self.said, acknowledged=self.said.acknowledged | {proxy}, rejections=kept)
        self.work()

    @rule(proxy=st.sampled_from(PROXIES))
    def reject(self, proxy: str) -> None:
        """A proxy rejects."""
        rejection = Rejection(proxy, "80", "no")
        self.said = replace(
            self.said,
            acknowledged=self.said.acknowledged - {proxy},
            expected=self.said.expected | {proxy},
            rejections=(*self.said.rejections, rejection),
        )
        self.work()

    @rule(findings=st.lists(st.sampled_from(FINDINGS), unique=True))
    def find_fault(self, findings: list[Diagnostic]) -> None:
        """Something is found, or not any more."""
        self.findings = tuple(findings)
        self.work()

    @rule(complete=st.booleans())
    def hear(self, *, complete: bool) -> None:
        """A replica comes whose report is missing, or reports."""
        self.said = replace(self.said, complete=complete)
        self.work()

    @rule()
    def change_leader(self) -> None:
        """Another replica leads: it knows what is stored, and has heard nothing."""
        self.planner = WritePlanner(self.pacing)
        self.seen = self.api.read()
        self.said = Acknowledgements(0, complete=False)
        self.work()
        self.said = replace(self.said, generation=self.api.generation)

    @rule()
    def converge(self) -> None:
        """All is well for a while: every proxy there is acknowledges, and every replica has reported."""
        self.findings = ()
        everyone = self.said.should_have or frozenset(PROXIES)
        self.said = replace(self.said, expected=everyone, lost=frozenset(), acknowledged=everyone, rejections=(), complete=True)
        for _ in range(3):
            self.now += 1.0
            self.work()
        programmed = find(self.seen.conditions, ConditionType.PROGRAMMED)
        assert programmed is not None
        assert programmed.holds

    @rule(of=st.sampled_from(OTHERS), value=st.integers(0, 5))
    def write_of_another(self, of: str, value: int) -> None:
        """Somebody else writes, and we have not seen it yet."""
        self.others[of] = value
        self.api.write_of_another(of, value)

    @rule(seconds=st.sampled_from([0.01, 0.06, 0.6, 6.0]))
    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.now += seconds
        self.work()

    @precondition(lambda self: self.said.complete)
    @rule()
    def settle(self) -> None:
        """After a while of quiet the status says what it should."""
        for _ in range(4):
            self.now += 10.0
            self.work()
        assert is_current(stored_conditions({"conditions": self.api.conditions}), self.wanted())
        assert self.planner.next_at() is None

    @invariant()
    def nobody_loses_a_condition(self) -> None:
        """What others wrote is there, untouched, and each type once."""
        found: dict[str, Mapping[str, Any]] = {condition["type"]: condition for condition in self.api.conditions}
        assert len(found) == len(self.api.conditions)
        assert {of: found[of]["custom"] for of in self.others} == self.others

    @invariant()
    def states_are_complete(self) -> None:
        """The three standing conditions are written together, the others only while they are true."""
        conditions = stored_conditions({"conditions": self.api.conditions})
        if conditions:
            standing = {ConditionType.ACCEPTED, ConditionType.RESOLVED_REFS, ConditionType.PROGRAMMED}
            assert standing <= {condition.type for condition in conditions}
            assert len({condition.observed_generation for condition in conditions}) == 1
            assert all(condition.status is ConditionStatus.TRUE for condition in conditions if condition.type not in standing)


TestStatus = StatusMachine.TestCase
TestStatus.settings = settings(max_examples=20 * settings().max_examples)  # a life is quick
