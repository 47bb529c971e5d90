"""The findings that hold now, and what came and went since somebody looked.

Hundreds of streams share a few compiled results, and each result has the findings of its view. So findings are counted by where they come
from: a result is counted once while anybody holds it, and a change costs what differs, not streams times findings.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Final

from meshctl_operator.base.diagnostics import Diagnostic, sorted_unique

Findings = tuple[Diagnostic, ...]

_NONE: Final[tuple[Findings, dict[int, Diagnostic]]] = ((), {})


@dataclass(frozen=True, slots=True)
class Difference:
    """The findings that are new, in the order of ``sorted_unique``, and how many are gone."""

    fresh: Findings
    healed: int


class FindingsBoard:
    """Findings by origin. One finding with several origins holds until the last of them is gone."""

    def __init__(self) -> None:
        self._origins: dict[Hashable, tuple[Findings, dict[int, Diagnostic]]] = {}  # with the same findings by identity
        self._shared: dict[int, tuple[object, int]] = {}  # results that are held, by identity: the result, and how many hold it
        self._count: dict[Diagnostic, int] = {}
        self.severities: Counter[str] = Counter()
        self._before: dict[Diagnostic, bool] = {}  # what was touched since the last look: whether it held then

    def put(self, origin: Hashable, findings: Findings) -> None:
        """Replace the findings of an origin; an empty tuple removes it."""
        given, old = self._origins.get(origin, _NONE)
        if findings is given:
            return
        new = {id(finding): finding for finding in findings}
        if findings:
            self._origins[origin] = (findings, new)
        else:
            self._origins.pop(origin, None)
        self._add(new[identity] for identity in new.keys() - old.keys())
        self._drop(old[identity] for identity in old.keys() - new.keys())

    def hold(self, result: object, findings: Findings) -> None:
        """Count a result that many may hold, once more."""
        _, holders = self._shared.get(id(result), (result, 0))
        self._shared[id(result)] = (result, holders + 1)
        if holders == 0:
            self.put(("held", id(result)), findings)

    def release(self, result: object) -> None:
        """Count a result that was held once less."""
        _, holders = self._shared[id(result)]
        if holders > 1:
            self._shared[id(result)] = (result, holders - 1)
        else:
            del self._shared[id(result)]
            self.put(("held", id(result)), ())

    def current(self) -> Findings:
        """Return what holds now, sorted."""
        return sorted_unique(self._count)

    def take(self) -> Difference:
        """Return what came and went since the last call."""
        before, self._before = self._before, {}
        fresh = [finding for finding, held in before.items() if not held and finding in self._count]
        healed = sum(held and finding not in self._count for finding, held in before.items())
        return Difference(sorted_unique(fresh), healed)

    def _add(self, findings: Iterable[Diagnostic]) -> None:
        for finding in findings:
            count = self._count.get(finding, 0)
            self._before.setdefault(finding, count > 0)
            if not count:
                self.severities[finding.severity] += 1
            self._count[finding] = count + 1

    def _drop(self, findings: Iterable[Diagnostic]) -> None:
        for finding in findings:
            count = self._count[finding]
            self._before.setdefault(finding, True)
            if count > 1:
                self._count[finding] = count - 1
            else:
                del self._count[finding]
                self.severities[finding.severity] -= 1
