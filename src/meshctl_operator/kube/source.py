"""The API server as a source of config objects."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, Protocol

from meshctl_operator.apis.changes import Change, ChangeSet
from meshctl_operator.apis.mesh_settings import MeshSettings
from meshctl_operator.base.clock import SystemClock
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.controlplane.slices import Slices
from meshctl_operator.controlplane.source import Sink
from meshctl_operator.kube.bridge import Bridge, Delivery, Happening, Raw
from meshctl_operator.kube.connection import Connection
from meshctl_operator.kube.holdings import Holdings
from meshctl_operator.kube.reflector import Reflector
from meshctl_operator.kube.routing_feed import RoutingFeed
from meshctl_operator.kube.routing_index import RoutingIndex
from meshctl_operator.kube.routing_lists import RoutingLists
from meshctl_operator.kube.routing_watch import RoutingWatch
from meshctl_operator.kube.scopes import ROUTING, Scope, churning_scopes, secret_scope
from meshctl_operator.kube.secret_namespaces import SecretNamespaces
from meshctl_operator.kube.settings import KubeSettings

if TYPE_CHECKING:
    from meshctl_operator.controlplane.telemetry import Telemetry

PIECE: Final = 64  # changes that are submitted at a time
STOP_TIMEOUT: Final = 10.0  # seconds until a thread that does not end is left to the end of the process

log = logging.getLogger("meshctl.kube")


class Observer(Protocol):
    """Who hears of every document, whether anything follows from it for proxies or not."""

    def told(self, key: ObjectKey, raw: Raw | None, changes: tuple[Change, ...]) -> None:
        """Take a document (None: the object is gone) with the changes that are submitted because of it."""
        ...


class KubernetesSource:
    """All objects of an API server that the control plane reads.

    Nothing counts as in sync before every kind was listed once. From then on the API server may be away for as long as it likes: what was
    told stays, and is put right when the server is back.

    Args:
        settings: which server, and which objects.
        mesh: domain and switches; the MeshConfig of the cluster is put into it.
        telemetry: where relists, restarts, failures and drift are counted; ``measured_by`` sets it later.
        feed: where the events of routing objects come from if somebody else runs Kopf; by default the source runs it.
    """

    def __init__(
        self,
        settings: KubeSettings,
        mesh: MeshSettings | None = None,
        *,
        telemetry: Telemetry | None = None,
        feed: RoutingFeed | None = None,
    ) -> None:
        self._settings = settings
        self._mesh = mesh or MeshSettings()
        self._telemetry = telemetry
        self._feed = feed
        self._observer: Observer | None = None

    @property
    def name(self) -> str:
        """``kubernetes``."""
        return "kubernetes"

    def observed_by(self, observer: Observer) -> None:
        """Tell somebody about every document as well, from the next run on."""
        self._observer = observer

    def measured_by(self, telemetry: Telemetry) -> None:
        """Count in these series from now on."""
        self._telemetry = telemetry

    async def run(self, sink: Sink) -> None:
        """Submit what there is, then every change, until cancelled. Raises SettingsError where no server can be found out."""
        connection = await asyncio.to_thread(Connection.load, self._settings)
        await _Run(self._settings, self._mesh, connection, sink, self.name, self._count, self._feed, self._observer).run()

    def _count(self, delivery: Delivery) -> None:
        telemetry = self._telemetry
        if telemetry is None:
            return
        families = {
            Happening.RELIST: telemetry.kube_relists,
            Happening.RESTART: telemetry.kube_restarts,
            Happening.FAILURE: telemetry.kube_failures,
            Happening.DRIFT: telemetry.kube_drift,
        }
        for (what, kind), number in delivery.happened.items():
            families[what].of(kind).inc(number)


Worker = Reflector | RoutingLists | RoutingWatch


class _Run:
    """One run of the source: its threads, and the state that they fill."""

    def __init__(
        self,
        settings: KubeSettings,
        mesh: MeshSettings,
        connection: Connection,
        sink: Sink,
        name: str,
        count: Callable[[Delivery], None],
        feed: RoutingFeed | None,
        observer: Observer | None,
    ) -> None:
        self._observer = observer
        self._settings = settings
        self._connection = connection
        self._sink = sink
        self._name = name
        self._count = count
        self._bridge = Bridge(asyncio.get_running_loop())
        self._holdings = Holdings(settings, mesh)
        self._secrets = SecretNamespaces()
        self._slices = Slices(SystemClock())
        self._feed = feed
        self._index = index = RoutingIndex(self._bridge)
        self._lists = RoutingLists(connection, index, self._bridge, settings.timings)
        self._watch = RoutingWatch(lambda: connection, index, settings.timings, self._lists.request)
        self._secret_watches: dict[str, Reflector] = {}
        self._started: list[Worker] = []
        self._pending = {str(info.kind) for info in ROUTING}
        self._synced = False

    async def run(self) -> None:
        """Submit until cancelled, then end the threads."""
        try:
            for scope in churning_scopes(self._settings):
                self._reflect(scope)
            self._start(self._lists)
            if self._feed is not None:
                self._feed.attach(self._index, self._lists.request)
            else:
                self._start(self._watch)
            while True:
                await self._turn(await self._bridge.take())
        finally:
            if self._feed is not None:
                self._feed.detach()
            await _end(self._started)

    def _start(self, worker: Worker) -> None:
        self._started.append(worker)
        worker.start()

    def _reflect(self, scope: Scope) -> Reflector:
        reflector = Reflector(scope, self._connection, self._bridge, self._settings.timings, self._lists.request)
        self._pending.add(scope.name)
        self._start(reflector)
        return reflector

    async def _turn(self, delivery: Delivery) -> None:
        """Submit what came in, in pieces: the loop has others to serve."""
        self._count(delivery)
        self._slices.begin()
        changes: list[Change] = []
        for key, raw in delivery.objects.items():
            self._secrets.take(key, raw)
            found = tuple(self._holdings.take(key, raw))
            changes += found
            if self._observer is not None:
                self._observer.told(key, raw, found)
            if len(changes) >= PIECE:
                self._submit(changes)
                changes = []
            await self._slices.breathe()
        self._pending.difference_update(delivery.listed)
        if self._pending <= {secret_scope(namespace).name for namespace in self._secret_watches}:
            await self._watch_secrets()
        if not self._synced and not self._pending:
            self._synced = True
            log.info("kubernetes is in sync")
            self._sink.submit(ChangeSet(tuple(changes), self._name, synced=True))
        else:
            self._submit(changes)

    def _submit(self, changes: Sequence[Change]) -> None:
        if changes:
            self._sink.submit(ChangeSet(tuple(changes), self._name, synced=self._synced))

    async def _watch_secrets(self) -> None:
        """Watch the Secrets of the namespaces that need it, and no others."""
        wanted = self._secrets.wanted
        for namespace in sorted(wanted - self._secret_watches.keys()):
            self._secret_watches[namespace] = self._reflect(secret_scope(namespace))
        for namespace in sorted(self._secret_watches.keys() - wanted):
            reflector = self._secret_watches.pop(namespace)
            self._pending.discard(reflector.scope.name)
            self._started.remove(reflector)
            await _end([reflector])
            for key in reflector.known:
                self._bridge.put(key, None)


async def _end(workers: Sequence[Worker]) -> None:
    """Stop threads and wait for them."""
    for worker in workers:
        worker.stop()

    def join() -> None:
        for worker in workers:
            if worker.ident is not None:
                worker.join(STOP_TIMEOUT)

    await asyncio.shield(asyncio.to_thread(join))
