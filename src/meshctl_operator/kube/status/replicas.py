"""The other replicas, as their leader sees them: who there is, and what each says of the objects that are open.

Each replica keeps a Lease of its own that says where it is asked, and with which token; whoever may read the Leases of the system namespace may
ask. A replica counts for as long as its Lease is renewed, so one that is there and does not answer leaves things open rather than true.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final

import aiohttp

from meshctl_operator.base.clock import Clock
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.kube.connection import ApiFailure
from meshctl_operator.kube.status.election import LeaseRecord, Leases, LeaseTimes
from meshctl_operator.kube.status.reports import GREETING, PATH, PATIENCE, STARTING, decoded, encoded_keys
from meshctl_operator.status.acknowledgements import Acknowledgements

ADDRESS: Final = "meshctl.io/acknowledgements"
TOKEN: Final = "meshctl.io/token"  # noqa: S105  (the name of an annotation)
LABEL: Final = "meshctl.io/replica-of"

TIME: Final = "%Y-%m-%dT%H:%M:%S.%fZ"
ABANDONED: Final = timedelta(minutes=10)

ANSWER_TIMEOUT: Final = 3.0
PAUSE: Final = 0.5
START_PATIENCE: Final = 30.0
"""Seconds for which a replica that starts is waited for; one that takes longer may never get ready, and must not hold up status for good."""

REST: Final = 0.02

log = logging.getLogger("meshctl.kube")


class Presence:
    """Keeps a Lease that says that this replica is there, while it runs.

    Nothing is ever deleted: a Lease that a replica has given up, or has not renewed for long, is taken by another one that starts.
    """

    def __init__(self, leases: Leases, identity: str, group: str, times: LeaseTimes, annotations: dict[str, str]) -> None:
        self._leases = leases
        self._identity = identity
        self._group = group
        self._times = times
        self._annotations = annotations
        self._held: LeaseRecord | None = None

    async def begin(self) -> None:
        """Write the Lease for the first time and tell the leader: before this replica serves anybody, so that nobody is forgotten."""
        await asyncio.to_thread(self._attempt)
        try:
            where = await asyncio.to_thread(self._leader)
        except ApiFailure as failure:
            log.info("the leader could not be found", extra={"reason": str(failure)})
            return
        if where is not None:
            await _greet(where)

    async def run(self) -> None:
        """Renew until cancelled, then give the Lease up."""
        try:
            while True:
                await asyncio.sleep(self._times.retry)
                await asyncio.to_thread(self._attempt)
        finally:
            await asyncio.shield(asyncio.to_thread(self._give_up))

    def renew(self) -> None:
        """Write the Lease. Raises ApiFailure."""
        now = datetime.now(UTC)
        held = self._held or self._free(now)
        time = now.strftime(TIME)
        self._held = self._leases.write(
            LeaseRecord(held.name, self._identity, time, time, 0, held.version, {LABEL: self._group}, self._annotations)
        )

    def _free(self, now: datetime) -> LeaseRecord:
        """Return a Lease that nobody needs any more, or one that is to be made. Raises ApiFailure."""
        records = self._leases.listed(f"{LABEL}={self._group}")
        own = [record for record in records if record.holder == self._identity]
        free = [record for record in records if not record.holder or is_abandoned(record, now)]
        return next(iter((*own, *free)), LeaseRecord(f"{self._group}-{self._identity}"))

    def _attempt(self) -> None:
        try:
            self.renew()
        except ApiFailure as failure:
            log.info("the Lease of this replica could not be renewed", extra={"reason": str(failure)})

    def _leader(self) -> LeaseRecord | None:
        """Return the Lease of the replica that leads; None if there is none, or if it is this one."""
        lead = self._leases.read(self._group)
        if lead is None or lead.holder in {"", self._identity}:
            return None
        records = self._leases.listed(f"{LABEL}={self._group}")
        return next((record for record in records if record.holder == lead.holder), None)

    def _give_up(self) -> None:
        held, self._held = self._held, None
        if held is None:
            return
        try:
            self._leases.write(replace(held, holder="", annotations={}))
        except ApiFailure as failure:
            log.info("the Lease of this replica could not be given up", extra={"reason": str(failure)})


def is_abandoned(record: LeaseRecord, now: datetime) -> bool:
    """Tell whether a Lease was not renewed for so long that clocks cannot be the reason."""
    try:
        renewed = datetime.strptime(record.renewed, TIME).replace(tzinfo=UTC)
    except ValueError:
        return False
    return now - renewed > ABANDONED


@dataclass(slots=True)
class _Replica:
    """Another replica: its Lease as it was seen to change last, and what it said. One that is starting serves nobody yet, but may at any moment."""

    record: LeaseRecord
    known_since: float
    seen_at: float
    said: dict[ObjectKey, Acknowledgements] = field(default_factory=dict)
    asked: frozenset[ObjectKey] = frozenset()
    number: int = -1
    starting: bool = False
    task: asyncio.Task[None] | None = None


class Replicas:
    """Asks every other replica, while it runs."""

    def __init__(
        self,
        leases: Leases,
        own: str,
        group: str,
        clock: Clock,
        times: LeaseTimes,
        wanted: Callable[[], Sequence[ObjectKey]],
        news: Callable[[], None],
    ) -> None:
        """Ask for the objects that ``wanted`` returns: none while another one leads.

        ``own`` is our identity; ``news`` is called with each answer, and when the replicas are others.
        """
        self._leases = leases
        self._own = own
        self._group = group
        self._clock = clock
        self._times = times
        self._wanted = wanted
        self._news = news
        self._known: dict[str, _Replica] = {}
        self._expired: dict[str, str] = {}  # Leases that nobody renews, with the version that was seen
        self._listed = False
        self._changed = asyncio.Event()
        self._greeted = asyncio.Event()

    def say(self, key: ObjectKey) -> Iterable[Acknowledgements | None]:
        """Return what each other replica says of an object; None for one that has not, and while it is not known who there is."""
        if not self._listed:
            return (None,)
        now = self._clock.monotonic()
        return [
            replica.said.get(key) for replica in self._known.values() if not replica.starting or now - replica.known_since < START_PATIENCE
        ]

    def greeted(self) -> None:
        """Take note that there is another replica."""
        self._greeted.set()

    def asked_for_more(self) -> None:
        """Take note that other objects are wanted."""
        self._changed.set()

    async def run(self) -> None:
        """Ask until cancelled."""
        async with aiohttp.ClientSession() as http:
            try:
                while True:
                    self._greeted.clear()
                    await self._look(http)
                    await _wait(self._greeted, self._times.retry)
            finally:
                tasks = [replica.task for replica in self._known.values() if replica.task is not None]
                self._known.clear()
                self._listed = False
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _look(self, http: aiohttp.ClientSession) -> None:
        """See who there is."""
        try:
            records = await asyncio.to_thread(self._leases.listed, f"{LABEL}={self._group}")
        except ApiFailure as failure:
            log.info("the replicas could not be listed", extra={"reason": str(failure)})
            return
        now = self._clock.monotonic()
        different = not self._listed
        present = {record.holder: record for record in records if record.holder not in {"", self._own}}
        for name, record in present.items():
            known = self._known.get(name)
            if known is None and self._expired.get(name) != record.version:
                self._expired.pop(name, None)
                replica = self._known[name] = _Replica(record, now, now)
                replica.task = asyncio.create_task(self._ask(replica, http), name=f"replica {name}")
                different = True
            elif known is not None and known.record.version != record.version:
                known.record, known.seen_at = record, now
        for name, replica in tuple(self._known.items()):
            if name not in present or now - replica.seen_at >= self._times.duration:
                self._expired[name] = replica.record.version
                del self._known[name]
                if replica.task is not None:
                    replica.task.cancel()
                different = True
        self._expired = {name: version for name, version in self._expired.items() if name in present}
        self._listed = True
        if different:
            self._news()

    async def _ask(self, replica: _Replica, http: aiohttp.ClientSession) -> None:
        """Ask one replica again and again. A change is news there as well, so nobody waits long for a question about other objects."""
        while True:
            wanted = self._wanted()
            if not wanted:
                replica.said, replica.asked = {}, frozenset()
                await _wait(self._changed, PAUSE)
                self._changed.clear()
            elif await self._request(replica, wanted, http):
                await asyncio.sleep(REST)
            else:
                await asyncio.sleep(PAUSE)

    async def _request(self, replica: _Replica, wanted: Sequence[ObjectKey], http: aiohttp.ClientSession) -> bool:
        """Ask once; returns whether there was an answer."""
        address, token = replica.record.annotations.get(ADDRESS, ""), replica.record.annotations.get(TOKEN, "")
        asked = frozenset(wanted)
        body = {"objects": encoded_keys(wanted), "since": replica.number if asked == replica.asked else -1}
        timeout = aiohttp.ClientTimeout(total=PATIENCE + ANSWER_TIMEOUT)
        headers = {"Authorization": f"Bearer {token}"}
        try:
            async with http.post(f"http://{address}{PATH}", json=body, headers=headers, timeout=timeout) as answer:
                replica.starting = answer.status == STARTING
                answer.raise_for_status()
                document = await answer.json()
            said, number = decoded(document["objects"]), int(document["number"])
        except (aiohttp.ClientError, TimeoutError, KeyError, TypeError, ValueError) as error:
            log.info("a replica does not answer", extra={"replica": replica.record.holder, "reason": repr(error)})
            replica.asked = frozenset()
            return False
        replica.asked, replica.starting = asked, False
        if number != replica.number or said != replica.said:
            replica.said, replica.number = said, number
            self._news()
        return True


async def _greet(leader: LeaseRecord) -> None:
    """Tell the leader that there is one more replica; if it does not hear, it will see by itself."""
    timeout = aiohttp.ClientTimeout(total=ANSWER_TIMEOUT)
    headers = {"Authorization": f"Bearer {leader.annotations.get(TOKEN, '')}"}
    try:
        address = leader.annotations.get(ADDRESS, "")
        async with aiohttp.ClientSession(timeout=timeout) as http, http.post(f"http://{address}{GREETING}", headers=headers) as answer:
            answer.raise_for_status()
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        log.info("the leader does not answer", extra={"replica": leader.holder, "reason": repr(error)})


async def _wait(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
