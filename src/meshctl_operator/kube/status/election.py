"""Which replica writes: the holder of a Lease (coordination.k8s.io/v1), renewed as long as it lives.

A Lease counts as held for ``duration`` after the last time that its record was *seen* to change, by the observer's own clock: clocks of
machines differ. Whoever cannot renew in time stops writing before anybody else may begin.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from meshctl_operator.base.clock import Clock
from meshctl_operator.kube.connection import CONFLICT, NOT_FOUND, ApiFailure, Connection

log = logging.getLogger("meshctl.kube")

_GROUP: Final = "coordination.k8s.io/v1"
_REQUEST_TIMEOUT: Final = 4.0
_SPREAD: Final = 0.2


@dataclass(frozen=True, slots=True)
class LeaseTimes:
    """Times in seconds: how long a Lease counts without being renewed, how long its holder goes on without, and the pause between renewals."""

    duration: float = 12.0
    deadline: float = 8.0
    retry: float = 2.0


@dataclass(frozen=True, slots=True)
class LeaseRecord:
    """A Lease as it was read or should be written. ``version`` guards the write; ``extra`` are labels and annotations."""

    name: str
    holder: str = ""
    renewed: str = ""
    acquired: str = ""
    transitions: int = 0
    version: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)

    def to_json(self, namespace: str, duration: float) -> dict[str, Any]:
        """Return the document."""
        metadata: dict[str, Any] = {"name": self.name, "namespace": namespace}
        if self.version:
            metadata["resourceVersion"] = self.version
        if self.labels:
            metadata["labels"] = dict(self.labels)
        if self.annotations:
            metadata["annotations"] = dict(self.annotations)
        spec = {
            "holderIdentity": self.holder,
            "leaseDurationSeconds": max(1, round(duration)),
            "acquireTime": self.acquired or None,
            "renewTime": self.renewed or None,
            "leaseTransitions": self.transitions,
        }
        return {"apiVersion": _GROUP, "kind": "Lease", "metadata": metadata, "spec": spec}


def lease_record(raw: Mapping[str, Any]) -> LeaseRecord:
    """Return a Lease from its document."""
    meta, spec = raw["metadata"], raw.get("spec") or {}
    return LeaseRecord(
        meta["name"],
        spec.get("holderIdentity") or "",
        spec.get("renewTime") or "",
        spec.get("acquireTime") or "",
        int(spec.get("leaseTransitions") or 0),
        str(meta.get("resourceVersion", "")),
        dict(meta.get("labels") or {}),
        dict(meta.get("annotations") or {}),
    )


class Leases:
    """The Leases of one namespace. Every call blocks: make it in a thread."""

    def __init__(self, connection: Connection, namespace: str, times: LeaseTimes) -> None:
        self._connection = connection
        self._namespace = namespace
        self._times = times
        self._path = f"/apis/{_GROUP}/namespaces/{namespace}/leases"

    def read(self, name: str) -> LeaseRecord | None:
        """Return a Lease, or None if there is none. Raises ApiFailure."""
        try:
            return lease_record(self._connection.get(f"{self._path}/{name}"))
        except ApiFailure as failure:
            if failure.status == NOT_FOUND:
                return None
            raise

    def listed(self, selector: str) -> tuple[LeaseRecord, ...]:
        """Return the Leases with some labels. Raises ApiFailure."""
        items = self._connection.get(self._path, {"labelSelector": selector}).get("items") or ()
        return tuple(lease_record(item) for item in items)

    def write(self, record: LeaseRecord) -> LeaseRecord | None:
        """Create a Lease, or replace the version that was read; None if somebody else was quicker. Raises ApiFailure."""
        body = json.dumps(record.to_json(self._namespace, self._times.duration)).encode()
        try:
            if record.version:
                raw = self._connection.send("PUT", f"{self._path}/{record.name}", body, timeout=_REQUEST_TIMEOUT)
            else:
                raw = self._connection.send("POST", self._path, body, timeout=_REQUEST_TIMEOUT)
        except ApiFailure as failure:
            if failure.status == CONFLICT or (failure.status == NOT_FOUND and record.version):
                return None
            raise
        return lease_record(raw)


class Election:
    """Takes part in the election of a leader while it runs, and tells each time that the outcome for this replica changes."""

    def __init__(
        self, leases: Leases, name: str, identity: str, clock: Clock, times: LeaseTimes, changed: Callable[[], None] = lambda: None
    ) -> None:
        self._leases = leases
        self._name = name
        self._identity = identity
        self._clock = clock
        self._times = times
        self._changed = changed
        self._seen: LeaseRecord | None = None
        self._seen_at = 0.0
        self._renewed_at: float | None = None
        self._led = False
        self._told_failure = False

    @property
    def leads(self) -> bool:
        """Whether this replica may write now."""
        return self._renewed_at is not None and self._clock.monotonic() - self._renewed_at < self._times.deadline

    async def run(self) -> None:
        """Take part until cancelled, then give the Lease back."""
        try:
            while True:
                await self._attempt()
                self._tell()
                await asyncio.sleep(self._times.retry * random.uniform(1 - _SPREAD, 1 + _SPREAD))  # noqa: S311  (jitter keeps no secret)
        finally:
            if self.leads:
                self._renewed_at = None
                await asyncio.shield(asyncio.to_thread(self._give_back))

    async def _attempt(self) -> None:
        begin = self._clock.monotonic()
        try:
            won = await asyncio.to_thread(self._try)
        except ApiFailure as failure:
            if not self._told_failure:
                log.warning("status is not written: no Lease can be kept", extra={"lease": self._name, "reason": str(failure)})
            self._told_failure = True
            return
        self._told_failure = False
        self._renewed_at = begin if won else None

    def _tell(self) -> None:
        if self.leads is not self._led:
            self._led = self.leads
            log.info("leader" if self._led else "not leader", extra={"identity": self._identity})
            self._changed()

    def _try(self) -> bool:
        """Take or renew the Lease if that is allowed; returns whether it is ours."""
        record = self._leases.read(self._name)
        now = _now()
        if record is None:
            return self._leases.write(LeaseRecord(self._name, self._identity, now, now)) is not None
        if record != self._seen:
            self._seen, self._seen_at = record, self._clock.monotonic()
        ours = record.holder == self._identity
        if not ours and record.holder and self._clock.monotonic() - self._seen_at < self._times.duration:
            return False
        acquired = record.acquired if ours else now
        transitions = record.transitions + (not ours)
        mine = LeaseRecord(self._name, self._identity, now, acquired, transitions, record.version, record.labels, record.annotations)
        written = self._leases.write(mine)
        if written is not None:
            self._seen, self._seen_at = written, self._clock.monotonic()
        return written is not None

    def _give_back(self) -> None:
        """Let another replica take over at once."""
        try:
            record = self._leases.read(self._name)
            if record is not None and record.holder == self._identity:
                released = LeaseRecord(self._name, "", _now(), record.acquired, record.transitions, record.version, record.labels)
                self._leases.write(released)
        except ApiFailure as failure:
            log.info("the Lease could not be given back", extra={"reason": str(failure)})


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
