"""Running sources: again after a failure, and how far each of them is."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from meshctl_operator.base.diagnostics import Diagnostic
from meshctl_operator.base.errors import MeshctlError
from meshctl_operator.controlplane.settings import Settings
from meshctl_operator.controlplane.source import Sink, Source, SourceLocator

log = logging.getLogger("meshctl.controlplane")


class SupervisedSource:
    """One source with its state: in sync, or the reason why it is out of reach."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.synced = False
        self.failure: str | None = None

    def in_sync(self) -> None:
        """Note that the source has told everything it has."""
        self.synced, self.failure = True, None

    @property
    def obstacle(self) -> str | None:
        """What stands in the way of readiness, if anything does."""
        if self.failure is not None:
            return f"source {self.source.name}: {self.failure}"
        return None if self.synced else f"source {self.source.name}: not in sync yet"

    async def run(self, sink: Sink, settings: Settings, failed: Callable[[str], None]) -> None:
        """Run the source, again after each failure, until it returns or the task is cancelled.

        Args:
            sink: what the source submits to.
            settings: how long to wait before it is run again.
            failed: called with the name of the source at each failure.
        """
        wait = settings.source_retry
        while True:
            try:
                await self.source.run(sink)
            except MeshctlError as error:
                self.failure = str(error)
                log.warning("source failed", extra={"source": self.source.name, "reason": str(error), "hint": error.hint})
            except Exception as error:
                self.failure = repr(error)
                log.exception("source failed", extra={"source": self.source.name})
            else:
                return
            failed(self.source.name)
            await asyncio.sleep(wait)
            wait = min(2 * wait, settings.source_retry_max)


def locate(finding: Diagnostic, sources: Sequence[Source]) -> Diagnostic:
    """Return the finding with file and line from the first source that knows where its object stands."""
    for source in sources:
        if finding.source is not None:
            break
        if isinstance(source, SourceLocator):
            finding = source.locate(finding)
    return finding
