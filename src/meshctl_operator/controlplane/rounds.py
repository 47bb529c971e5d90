"""One round of work: the changes that were applied, and what they did to the proxies, until every proxy has what it should."""

from __future__ import annotations

from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.controlplane.convergence import Wave
from meshctl_operator.controlplane.pipeline import Step
from meshctl_operator.xds.differences import compare
from meshctl_operator.xds.resources import TypeUrl
from meshctl_operator.xds.state import ViewState

Difference = tuple[TypeUrl, str, str]
"""Type, name and version of a resource that is new or changed; an empty version says that it is gone."""


class Round:
    """What happened since all proxies had what they should. Batches that become due meanwhile join it."""

    def __init__(self, since: float) -> None:
        """Start with the time at which the first of the changes came in."""
        self.since = since
        self.revision = 0
        self.changed: dict[ObjectKey, None] = {}
        self.rejected: dict[ObjectKey, None] = {}
        self.waves: list[Wave] = []
        self.reached = False
        self._resources: set[Difference] = set()
        self._compared: dict[tuple[int, int], tuple[ViewState, ViewState]] = {}  # the states themselves keep their identities taken

    def note(self, step: Step) -> None:
        """Note a piece of a batch."""
        self.revision = step.revision
        self.changed.update(dict.fromkeys(step.changed))
        self.rejected.update(dict.fromkeys(step.rejected))

    def applied(self, since: float) -> None:
        """Note that a batch is applied, whose first change came in at a time: who is served from now on is reached by it."""
        self.waves.append(Wave(since))

    def served(self, old: ViewState, new: ViewState) -> Wave:
        """Note that a proxy has another state, and return the change that it is reached by. What many proxies share is compared once."""
        self.reached = True
        pair = (id(old), id(new))
        if pair not in self._compared:
            self._compared[pair] = (old, new)
            self._resources |= differences(old, new)
        return self.waves[-1]

    @property
    def resources(self) -> int:
        """How many distinct resources are new, changed or gone."""
        return len(self._resources)


def differences(old: ViewState, new: ViewState) -> set[Difference]:
    """Return the resources that are new, changed or gone; at the cost of what the two states do not share."""
    found: set[Difference] = set()
    for type_url in TypeUrl:
        before, now = old.of(type_url), new.of(type_url)
        if before is not now:
            between = compare(before, now)
            found.update((type_url, name, now[name].version) for name in between.changed)
            found.update((type_url, name, "") for name in between.removed)
    return found
