"""A Kubernetes source under test, with what it has told so far."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from meshctl_operator.apis.changes import ChangeSet, Upsert
from meshctl_operator.base.diagnostics import Diagnostic
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.controlplane.ledger import Ledger
from meshctl_operator.controlplane.telemetry import Telemetry
from meshctl_operator.kube.settings import KubeSettings, Timings
from meshctl_operator.kube.source import KubernetesSource

TIMEOUT = 30.0
FAST = Timings(backoff=0.05, backoff_most=0.5, drift=60.0, drift_soon=0.1, connect=2.0, answer=10.0)


def kube_settings(kubeconfig: Path, **changes: Any) -> KubeSettings:
    """Return settings with pauses for tests."""
    return replace(KubeSettings(kubeconfig=str(kubeconfig), timings=FAST), **changes)


class Told:
    """A sink that keeps the state which a control plane would have, and every change set."""

    def __init__(self, name: str = "kubernetes") -> None:
        """Start empty and not in sync."""
        self.ledger = Ledger([name])
        self.telemetry = Telemetry()
        self.synced = False
        self.sets: list[ChangeSet] = []
        self._changed = asyncio.Event()

    def submit(self, changes: ChangeSet) -> None:
        """Apply a set."""
        self.ledger.apply([(changes.source, change) for change in changes.changes])
        self.synced |= changes.synced
        self.sets.append(changes)
        self._changed.set()

    def held(self, kind: str, name: str, namespace: str = "default") -> Upsert | None:
        """Return an object, if it is there."""
        return self.ledger.effective(ObjectKey(kind, namespace, name))

    def names(self, kind: str) -> set[str]:
        """Return the names of all objects of a kind."""
        return {upsert.key.name for upsert in self.ledger.all_effective() if upsert.key.kind == kind}

    def findings(self) -> tuple[Diagnostic, ...]:
        """Return what is wrong."""
        return self.ledger.findings()

    async def until(self, check: Callable[[], bool], *, timeout: float = TIMEOUT) -> None:  # noqa: ASYNC109  (a test states its deadline where it waits)
        """Wait until a condition on what was told holds."""
        async with asyncio.timeout(timeout):
            while not check():
                self._changed.clear()
                try:
                    async with asyncio.timeout(0.2):  # counters change without a change set
                        await self._changed.wait()
                except TimeoutError:
                    continue

    async def in_sync(self) -> None:
        """Wait until the source has told everything it had at the start."""
        await self.until(lambda: self.synced)


@asynccontextmanager
async def telling(settings: KubeSettings) -> AsyncIterator[Told]:
    """Run a source for the length of a block."""
    told = Told()
    running = asyncio.create_task(KubernetesSource(settings, telemetry=told.telemetry).run(told))
    try:
        yield told
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
