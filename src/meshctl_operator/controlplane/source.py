"""The seam between the control plane and where config objects come from."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from meshctl_operator.apis.changes import ChangeSet
from meshctl_operator.base.diagnostics import Diagnostic


class Sink(Protocol):
    """Takes what sources say. Calls are cheap: the work happens later, in batches."""

    def submit(self, changes: ChangeSet) -> None:
        """Take a set of changes. Call it on the event loop of the control plane."""
        ...


class Source(Protocol):
    """A place that config objects come from. Where two sources have the same object, the one given first wins."""

    @property
    def name(self) -> str:
        """A name for logs and events, unique within the control plane; ``ChangeSet.source`` of what it submits."""
        ...

    async def run(self, sink: Sink) -> None:
        """Submit everything there is, the last of it with ``synced=True``, then every change, until cancelled.

        Raises SourceError when it is out of reach: readiness turns false, what was submitted stays, and ``run`` is called again later
        and then submits everything anew.
        """
        ...


@runtime_checkable
class SourceLocator(Protocol):
    """A source that knows files and lines."""

    def locate(self, diagnostic: Diagnostic) -> Diagnostic:
        """Return the finding with ``source`` and ``line`` filled in, or as it is when its object does not come from here."""
        ...
