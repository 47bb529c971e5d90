"""The events of the load benchmark: what is changed, what clients must see of it, and what it costs the server.

| event | change | who should get it |
|---|---|---|
| E0 | the server starts, and so do all clients | everybody |
| idle | nothing | nobody |
| E1 | one endpoint of a ServiceEntry has another address | everybody |
| E2 | other weights in a VirtualService | everybody |
| E3 | a new service: ServiceEntry, VirtualService, DestinationRule | everybody |
| E4 | a DestinationRule has one subset more | everybody |
| E5 | other weights in a VirtualService that one namespace sees | one client of twenty |
| E6 | an annotation of a VirtualService, of a ServiceEntry; the same object in other bytes | nobody |
| E2-nack | as E2, and one client of a hundred rejects it | everybody |
| E2-slow | as E2, while ten clients do not read; then they read again | everybody |
| E7 | many endpoint changes in some seconds, each of another service | everybody |
| E8 | all clients reconnect and say which versions they hold | nobody |
| E8-live | all clients reconnect with their versions while one endpoint changes: the server is through with them when all hold it | everybody |
| E8-new | all clients reconnect as new processes | everybody |
| E9 | the server is killed and starts again, with new clients | everybody |
| E9-held | the same, with clients that say which versions they hold | nobody |
| churn | endpoint and weight changes for minutes: the growth of memory | - |
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from tests.support.load.control import LoadGenerator, Report
from tests.support.load.folder import ConfigFolder
from tests.support.load.mesh import LoadMesh
from tests.support.load.serving import LAG_SERIES, ServerProcess, histogram_between
from tests.support.load.tally import Event, storm_address
from tests.support.load.wire import Kind

EVENTS: Final = ("E0", "idle", "E1", "E2", "E3", "E4", "E5", "E6", "E2-nack", "E2-slow", "E7", "E8", "E8-live", "E8-new", "E9", "E9-held")
"""The events of a full run, in order. ``churn`` is run only where it is asked for."""
SLOW_READERS: Final = 10
DISCONNECT_TIMEOUT: Final = 10.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is done.

    Attributes:
        services: services in the mesh, with ten endpoints each.
        clients: simulated Envoys.
        events: which events, of ``EVENTS`` and ``churn``.
        repetitions: of the events that are short.
        quiet: seconds without a response after which an event is over.
        nothing: seconds for which an event that nobody should notice is watched.
        timeout: seconds until an event is given up.
        storm_changes: changes of E7, in ``storm_seconds``.
        churn_seconds: length of the churn, after a tenth of it to warm up.
        arguments: further options of ``meshctl serve``.
        pin: whether the server has the first core for itself, and the clients the second.
    """

    services: int
    clients: int
    events: tuple[str, ...] = EVENTS
    repetitions: int = 3
    quiet: float = 0.7
    nothing: float = 1.5
    timeout: float = 120.0
    storm_changes: int = 200
    storm_seconds: float = 5.0
    churn_seconds: float = 600.0
    arguments: tuple[str, ...] = ()
    pin: bool = False


class Scenario:
    """One mesh, one server, one load, for the length of a ``with`` block. Nothing runs before ``run`` or ``cold``."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        """Prepare ``folder``, which must not be used for anything else."""
        self.plan = plan
        self.mesh = LoadMesh(plan.services)
        self.config = ConfigFolder(folder)
        self._log = folder / "server.log"
        self._addresses = count()
        self._stack = ExitStack()
        self._server: ServerProcess | None = None
        self.load = self._stack.enter_context(LoadGenerator(quiet=plan.quiet, timeout=plan.timeout, core=1 if plan.pin else None))

    def __enter__(self) -> Self:
        self.config.put(*self.mesh.objects())
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._server is not None:
            self._server.stop()
        self._stack.close()

    @property
    def server(self) -> ServerProcess:
        """The server; ``cold`` starts it."""
        assert self._server is not None, "E0 comes first"
        return self._server

    def run(self) -> Iterator[Report]:
        """Yield what each event did, as soon as it is over."""
        short: dict[str, Callable[[int], Report]] = {
            "E1": self.endpoint,
            "E2": self.weight,
            "E3": self.new_service,
            "E4": self.subset,
            "E5": self.private_weight,
            "E6": self.nothing_new,
        }
        long: dict[str, Callable[[], Report | Sequence[Report]]] = {
            "E0": lambda: self.cold("E0"),
            "idle": self.idle,
            "E2-nack": self.rejected_weight,
            "E2-slow": self.slow_readers,
            "E7": self.storm,
            "E8": lambda: self.reconnect("E8", versions=True),
            "E8-live": self.reconnect_live,
            "E8-new": lambda: self.reconnect("E8-new", versions=False),
            "E9": lambda: self.restart("E9", versions=False),
            "E9-held": lambda: self.restart("E9-held", versions=True),
            "churn": self.churn,
        }
        if "E0" not in self.plan.events:
            self.cold("E0")
        for name in (*EVENTS, "churn"):
            if name not in self.plan.events:
                continue
            if name in short:
                for repetition in range(1, self.plan.repetitions + 1):
                    yield short[name](repetition) | {"repetition": repetition}
            else:
                reports = long[name]()
                yield from [reports] if isinstance(reports, dict) else reports

    # starts

    def cold(self, name: str) -> Report:
        """Start the server and connect every client, all without anything held (E0, E9)."""
        if self._server is not None:
            self._server.kill()
            self._server.stop()
        self.load.park()
        self.load.forget()
        return self._start(name)

    def restart(self, name: str, *, versions: bool) -> Report:
        """Kill the server and start it again (E9, E9-held)."""
        if not versions:
            return self.cold(name)
        self.server.kill()
        self.load.park()
        return self._start(name)

    def _start(self, name: str) -> Report:
        if self._server is not None:
            self._server.stop()
        self.load.clients(self.plan.clients, self.mesh.all_namespaces)
        self.load.watch(Event(name))
        server = self._server = ServerProcess(self.config.path, self._log, arguments=self.plan.arguments, core=0 if self.plan.pin else None)
        server.__enter__()
        listening = time.monotonic()
        self.load.connect(server.xds)
        server.wait_synced()
        synced = time.monotonic()
        report = self.load.finish(server.started, until="configured", least=synced - server.started + self.plan.nothing)
        lag = histogram_between({}, server.metrics(), LAG_SERIES)
        return report | {
            "accepts_ms": round((listening - server.started) * 1000, 1),
            "synced_ms": round((synced - server.started) * 1000, 1),
            "server_cpu_s": round(server.cpu(), 3),
            "server_rss_mib": server.rss(),
            "server_peak_mib": server.peak(),
            "loop_lag": lag,
        }

    def grow(self, clients: int) -> Report:
        """Connect more clients, up to ``clients`` in all."""
        self.load.clients(clients, self.mesh.all_namespaces)

        def act() -> Report:
            self.load.watch(Event("grow"))
            start = time.monotonic()
            self.load.connect(self.server.xds)
            return self.load.finish(start, until="configured")

        return self._metered(act)

    def reconnect(self, name: str, *, versions: bool) -> list[Report]:
        """Close every connection and open all at once (E8, E8-new); then change an endpoint, to see that the streams live."""
        self.load.park()
        if not versions:
            self.load.forget()
        self._all_gone()

        def act() -> Report:
            self.load.watch(Event(name))
            start = time.monotonic()
            self.load.connect(self.server.xds)
            return self.load.finish(start, until="configured", least=self.plan.nothing)

        return [self._metered(act), self.endpoint(200) | {"event": f"{name}-probe"}]

    def reconnect_live(self) -> Report:
        """Reconnect while an endpoint changes (E8-live): silence does not tell when the server has looked at the versions of a client, this does."""
        number, address = self.mesh.public(201), f"10.253.{self._fresh()}"
        self.load.park()
        self._all_gone()
        names = self.config.prepare([self.mesh.service_entry(number, {3: address})])

        def act() -> Report:
            self.load.watch(Event("E8-live", {Kind.EDS: address.encode()}))
            start = time.monotonic()
            self.config.place(*names)
            self.load.connect(self.server.xds)
            return self.load.finish(start)

        return self._metered(act)

    def _fresh(self) -> str:
        """Return the end of an address that no endpoint had before."""
        high, low = divmod(next(self._addresses), 250)
        return f"{high}.{low + 1}"

    def _all_gone(self) -> None:
        """Wait until the server has noticed that its clients are gone, as far as its metrics say so."""
        deadline = time.monotonic() + DISCONNECT_TIMEOUT
        while time.monotonic() < deadline:
            open_streams = [value for (name, _), value in self.server.metrics().items() if name.startswith("meshctl_connected_proxies")]
            if not any(open_streams):
                return
            time.sleep(0.05)

    def memory(self) -> dict[str, float]:
        """Return the resident memory in MiB without clients, with one for each view, with all; and what one more client of a known view takes."""
        views, clients = self.mesh.namespaces, self.plan.clients
        assert clients > views, "every view needs a client, and some more"
        self.load.park()
        server = self._server = ServerProcess(self.config.path, self._log, arguments=self.plan.arguments)
        server.__enter__()
        server.wait_synced()
        figures = {"clients_0_mib": server.rss()}
        for number in (1, views, clients):
            assert not self.grow(number)["timeout"]
            figures[f"clients_{number}_mib"] = server.rss()
        growth = figures[f"clients_{clients}_mib"] - figures[f"clients_{views}_mib"]
        return figures | {"kib_per_client": round(growth * 1024 / (clients - views), 1), "peak_mib": server.peak()}

    # changes

    def idle(self) -> Report:
        """Watch the server do nothing."""
        return self._change(Event("idle", namespace=""), lambda: None, least=self.plan.nothing)

    def endpoint(self, repetition: int) -> Report:
        """Give an endpoint of a service another address (E1)."""
        number, address = self.mesh.public(repetition), f"10.250.{self._fresh()}"
        event = Event("E1", {Kind.EDS: address.encode()})
        return self._put(event, self.mesh.service_entry(number, {3: address}))

    def weight(self, repetition: int) -> Report:
        """Change the weights of a route (E2)."""
        number = self.mesh.public(10 + repetition)
        return self._put(self._weight_event("E2", number, 30 + repetition), self.mesh.virtual_service(number, 30 + repetition))

    def new_service(self, repetition: int) -> Report:
        """Add a service (E3)."""
        number = self.mesh.services + repetition
        host = self.mesh.host(number).encode()
        return self._put(Event("E3", dict.fromkeys((Kind.CDS, Kind.EDS, Kind.RDS), host)), *self.mesh.service(number))

    def subset(self, repetition: int) -> Report:
        """Add a subset to a DestinationRule (E4)."""
        number, name = self.mesh.public(30 + repetition), f"more{repetition}"
        cluster = f"|{name}|{self.mesh.host(number)}".encode()
        return self._put(Event("E4", {Kind.CDS: cluster, Kind.EDS: cluster}), self.mesh.destination_rule(number, name))

    def private_weight(self, repetition: int) -> Report:
        """Change the weights of a route that one namespace sees (E5)."""
        number = 3
        event = self._weight_event("E5", number, 30 + repetition, self.mesh.namespace(number))
        return self._put(event, self.mesh.virtual_service(number, 30 + repetition))

    def nothing_new(self, repetition: int) -> Report:
        """Change what no proxy is configured by (E6): in turn an annotation of either kind, and the order of a file's keys."""
        number, event, least = self.mesh.public(40), Event("E6", namespace=""), self.plan.nothing
        match repetition % 3:
            case 1:
                return self._put(event, self.mesh.virtual_service(number, note=str(repetition)), least=least)
            case 2:
                return self._put(event, self.mesh.service_entry(number, note=str(repetition)), least=least)
            case _:
                document = self.mesh.destination_rule(number)
                return self._change(event, lambda: self.config.reorder(document), least=least)

    def rejected_weight(self) -> Report:
        """Change the weights of a route, which one client of a hundred rejects (E2-nack)."""
        number = self.mesh.public(50)
        self.load.refuse(range(0, self.plan.clients, 100))
        try:
            return self._put(self._weight_event("E2-nack", number, 33), self.mesh.virtual_service(number, 33))
        finally:
            self.load.refuse(())

    def slow_readers(self) -> list[Report]:
        """Change weights while some clients do not read, then let them read (E2-slow)."""
        number = self.mesh.public(60)
        slow = min(SLOW_READERS, self.plan.clients // 2)
        self.load.pause(slow)
        reports = []
        for weight in range(41, 41 + self.plan.repetitions):
            event = self._weight_event("E2-slow", number, weight)
            reports.append(self._put(event, self.mesh.virtual_service(number, weight)) | {"slow": slow})
        caught_up = self._weight_event("E2-slow-end", number, 40 + self.plan.repetitions)

        def act() -> Report:
            self.load.watch(caught_up)
            start = time.monotonic()
            self.load.resume()
            return self.load.finish(start, until="configured", least=self.plan.nothing)

        return [*reports, self._metered(act)]

    def storm(self) -> Report:
        """Change many endpoints, evenly over some seconds (E7)."""
        plan, mesh = self.plan, self.mesh
        pool = min(plan.storm_changes, mesh.services - mesh.namespaces)
        changed: dict[int, dict[int, str]] = {}
        objects = []
        for change in range(plan.storm_changes):
            number = mesh.public(change % pool)
            changed.setdefault(number, {})[5 + change // pool] = storm_address(change)
            objects.append(mesh.service_entry(number, changed[number]))

        def act() -> Report:
            self.load.watch(Event("E7", storm=plan.storm_changes))
            written = []
            start = time.monotonic()
            for change, document in enumerate(objects):
                names = self.config.prepare([document])
                time.sleep(max(0.0, start + change * plan.storm_seconds / plan.storm_changes - time.monotonic()))
                written.append(time.monotonic())
                self.config.place(*names)
            return self.load.finish(start, written=written)

        return self._metered(act)

    def churn(self) -> Report:
        """Change endpoints and weights for minutes; the growth of memory is that after the first tenth."""
        start, samples, change = time.monotonic(), [], 0
        warm = start + self.plan.churn_seconds / 10
        self.load.watch(Event("churn", namespace=""))
        cpu = self.server.cpu()
        while (now := time.monotonic()) < start + self.plan.churn_seconds:
            change += 1
            number = self.mesh.public(change)
            self.config.put(self.mesh.service_entry(number, {change % 10: f"10.252.{change // 250 % 250}.{change % 250 + 1}"}))
            if change % 10 == 0:
                self.config.put(self.mesh.virtual_service(number, 1 + change % 99))
            if now >= warm:
                samples.append(((now - start) / 60, self.server.rss()))
            time.sleep(0.05)
        report = self.load.finish(start)
        return report | {
            "changes": change,
            "server_cpu_s": round(self.server.cpu() - cpu, 3),
            "server_rss_mib": self.server.rss(),
            "rss_mib_per_minute": round(_slope(samples), 3),
        }

    def _weight_event(self, name: str, number: int, weight: int, namespace: str = "*") -> Event:
        return Event(name, {Kind.RDS: self.mesh.weight_marker(number, weight)}, namespace)

    def _put(self, event: Event, *objects: dict[str, Any], least: float = 0.0) -> Report:
        names = self.config.prepare(objects)
        return self._change(event, lambda: self.config.place(*names), least=least)

    def _change(self, event: Event, act: Callable[[], object], *, least: float = 0.0) -> Report:
        return self._metered(lambda: self.load.change(event, act, least=least))

    def _metered(self, act: Callable[[], Report]) -> Report:
        """Add what the server used meanwhile; its metrics are asked for outside the measured time."""
        before = self.server.metrics()
        self.server.reset_peak()
        cpu = self.server.cpu()
        report = act()
        used = self.server.cpu() - cpu
        return report | {
            "server_cpu_s": round(used, 3),
            "server_rss_mib": self.server.rss(),
            "server_peak_mib": self.server.peak(),
            "loop_lag": histogram_between(before, self.server.metrics(), LAG_SERIES),
        }


def _slope(samples: Sequence[tuple[float, float]]) -> float:
    """Return the growth per unit of the first number by least squares; 0.0 for fewer than two samples."""
    if len(samples) < 2:
        return 0.0
    mean_x = sum(x for x, _ in samples) / len(samples)
    mean_y = sum(y for _, y in samples) / len(samples)
    spread = sum((x - mean_x) ** 2 for x, _ in samples)
    return sum((x - mean_x) * (y - mean_y) for x, y in samples) / spread if spread else 0.0
