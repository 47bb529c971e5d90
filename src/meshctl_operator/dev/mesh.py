"""The local mesh as a whole: reads the directory, starts everything at once, waits until it is ready, and ends it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from meshctl_operator.apis.meta import ConfigObject
from meshctl_operator.base.diagnostics import sorted_unique
from meshctl_operator.base.errors import MeshctlError, SettingsError
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.bootstrap.options import DEFAULT_XDS_PORT, BootstrapOptions
from meshctl_operator.controlplane.certificates import throw_away_certificate
from meshctl_operator.controlplane.events import ConfigApplied, Subscription
from meshctl_operator.controlplane.plane import ControlPlane
from meshctl_operator.controlplane.settings import Settings
from meshctl_operator.controlplane.source import Source
from meshctl_operator.dev.addresses import LOOPBACK, AddressBook
from meshctl_operator.dev.config import DevConfig, ProcessEntry
from meshctl_operator.dev.entrances import moved, with_open_ports
from meshctl_operator.dev.envoys import envoy_command
from meshctl_operator.dev.events import ProcessDied, Ready, Reporter
from meshctl_operator.dev.layout import LocalProxy, lay_out, without_proxies
from meshctl_operator.dev.limits import restart_needed, without_tcp
from meshctl_operator.dev.overlay import LocalObjects, tls_secret
from meshctl_operator.dev.ports import refuse_taken
from meshctl_operator.dev.processes import Command, Log, Supervised
from meshctl_operator.dev.workloads import Placement, paths_to_open, place
from meshctl_operator.sources.directory import DirectorySource
from meshctl_operator.sources.files import list_files, read_text
from meshctl_operator.sources.loading import load
from meshctl_operator.sources.mesh_config import MeshConfigSource

LOG_NAME: Final = "meshctl-dev.log"
_HTTP_PORT: Final = 15014
_READY_WITHIN: Final = 30.0
_POLL: Final = 0.05
_REQUESTS: Final = r"^http\..*downstream_rq_(completed|[2345]xx)$"
_NOT_TRAFFIC: Final = ("http.admin.", "http.outbound_")  # of a sidecar: what its workload asks of others is answered, and counted, there
_DRAIN_GRACE: Final = 0.2  # the Envoys are gone by then, so no stream has anything left to say


@dataclass(frozen=True, slots=True)
class Traffic:
    """Requests that a workload has answered since its Envoy started: all, and those with 2xx and 3xx, with 4xx, with 5xx."""

    total: int = 0
    good: int = 0
    refused: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class DevOptions:
    """What the command line decides: the Envoy binary, a folder for bootstraps and the log, settings, addresses (empty: where free)."""

    envoy: Path
    folder: Path
    settings: Settings = field(default_factory=Settings)
    xds: str = ""
    http: str = ""


class LocalMesh:
    """The mesh of one directory. ``run`` is its whole life."""

    def __init__(self, config: DevConfig, options: DevOptions) -> None:
        """Take what to run. Nothing is started yet."""
        self._config = config
        self._options = options
        self._processes: list[Supervised] = []
        self._plane: ControlPlane | None = None
        self.proxies: tuple[LocalProxy, ...] = ()
        self.placement = Placement((), ())
        self._local = LocalObjects(())

    async def run(self, reporter: Reporter) -> None:
        """Start everything, tell the reporter, and keep it running until cancelled. All processes are gone when this returns or raises."""
        started = time.monotonic()
        async with AsyncExitStack() as stack:
            book = stack.enter_context(AddressBook())
            log = Log(self._options.folder / LOG_NAME)
            stack.callback(log.close)
            objects = read_objects(self._config)
            self.placement = place(objects, self._config.file.workloads)
            self.proxies = lay_out(self.placement.workloads, book)
            reporter.starting(self.proxies)
            self._processes = [Supervised(command, log) for command in self._commands()]
            start = await stack.enter_async_context(_nursery())
            for process in self._processes:
                start(process.run(), process.command.name)
            plane = self._plane = self._control_plane()
            await stack.enter_async_context(plane)
            xds = await plane.serve(self._options.xds or f"{LOOPBACK}:{book.port(DEFAULT_XDS_PORT)}")
            http = await stack.enter_async_context(_admin_server(plane, self._options.http or f"{LOOPBACK}:{book.port(_HTTP_PORT)}"))
            # Entered last, left first: the Envoys end while the control plane still answers.
            start = await stack.enter_async_context(_nursery())
            envoys = [Supervised(self._envoy(proxy, xds), log) for proxy in self.proxies]
            for envoy in envoys:
                start(envoy.run(), envoy.command.name)
            await self._until_ready(envoys)
            await self.settled()
            self.proxies = await with_open_ports(self.proxies, self._local.observed_objects())
            events = stack.enter_context(plane.events.subscribe())
            edits = stack.enter_context(plane.events.subscribe())
            limits = without_tcp(objects, self.placement.workloads)
            findings = sorted_unique((*self.placement.findings, *limits, *plane.diagnostics()))
            reporter.ready(
                Ready((time.monotonic() - started) * 1000, self.proxies, xds, http, findings, str(log.path), paths_to_open(objects))
            )
            for process in (*self._processes, *envoys):
                start(_tell_deaths(process, reporter), f"deaths of {process.command.name}")
            known = frozenset(obj.key for obj in objects)
            start(_forward(events, reporter, known), "events")
            start(self._follow_entrances(edits, reporter), "entrances")
            await reporter.watch(self)
            await asyncio.Event().wait()

    async def settled(self) -> None:
        """Return when every Envoy has answered to the newest state."""
        if self._plane is not None:
            with contextlib.suppress(TimeoutError):
                await self._plane.settled()

    async def _follow_entrances(self, edits: Subscription, reporter: Reporter) -> None:
        """Tell the reporter when gateways answer at other ports, once they do."""
        async for event in edits:
            if isinstance(event, ConfigApplied) and event.resources:
                await self.settled()
                before, self.proxies = self.proxies, await with_open_ports(self.proxies, self._local.observed_objects())
                for change in moved(before, self.proxies):
                    reporter.event(change)

    async def traffic(self) -> dict[str, Traffic]:
        """Return what each workload has answered, as its Envoy counts it; workloads whose Envoy does not answer are left out."""
        counters = await asyncio.gather(*(proxy.admin.counters(_REQUESTS) for proxy in self.proxies))
        return {
            proxy.workload.name: add_up(found, gateway=proxy.is_gateway)
            for proxy, found in zip(self.proxies, counters, strict=True)
            if found is not None
        }

    def _control_plane(self) -> ControlPlane:
        """Return the control plane over the folders of the directory and the objects that Kubernetes would have added."""
        settings = replace(self._options.settings, drain_grace=_DRAIN_GRACE)
        overlay = [self._config.scenario] if self._config.scenario else []
        files = DirectorySource(self._config.config, overlay=overlay, exclude=self._config.exclude, name="files")
        certificates = (
            tls_secret(entry.namespace, entry.secret, throw_away_certificate(entry.hosts)) for entry in self._config.file.certificates
        )
        self._local = LocalObjects((proxy.placed for proxy in self.proxies), certificates)
        sources: list[Source] = [self._local.observed(files), self._local]
        if self._config.mesh_config is not None:
            sources.append(MeshConfigSource(self._config.mesh_config, settings.mesh_settings))
        return ControlPlane(settings, sources)

    def _envoy(self, proxy: LocalProxy, xds: str) -> Command:
        host, _, port = xds.rpartition(":")
        options = BootstrapOptions(proxy.proxy, host, int(port), admin_address=proxy.admin.host, admin_port=proxy.admin.port)
        return envoy_command(self._options.envoy, options, self._options.folder)

    def _commands(self) -> Iterable[Command]:
        """Yield the commands of the applications, and of the processes beside the mesh."""
        root = self._config.root
        for proxy in self.proxies:
            if proxy.workload.entry is not None:
                yield Command(proxy.workload.name, proxy.workload.entry.command, root, proxy.environment(os.environ))
        for entry in self._config.file.processes:
            _check_free(entry)
            yield Command(entry.name, entry.command, root, {**without_proxies(os.environ), **entry.env})

    async def _until_ready(self, envoys: list[Supervised]) -> None:
        """Return when every Envoy is LIVE and every application answers on its port. Raises MeshctlError when that takes too long."""
        waiting = {asyncio.create_task(_live(proxy), name=f"the Envoy of {proxy.workload.name}") for proxy in self.proxies}
        waiting |= {asyncio.create_task(_answers(host, port), name=name) for name, host, port in self._servers()}
        deaths = {asyncio.create_task(envoy.next_death(), name=envoy.command.name) for envoy in envoys}
        try:
            async with asyncio.timeout(_READY_WITHIN):
                while waiting:
                    done, _ = await asyncio.wait(waiting | deaths, return_when=asyncio.FIRST_COMPLETED)
                    if dead := sorted(task.get_name() for task in done & deaths):
                        raise _not_ready(dead, [*self._processes, *envoys], "ended on its own")
                    waiting -= done
        except TimeoutError:
            missing = sorted(task.get_name() for task in waiting)
            raise _not_ready(missing, [*self._processes, *envoys], f"is not ready after {_READY_WITHIN:.0f} s") from None
        finally:
            for task in waiting | deaths:
                task.cancel()

    def _servers(self) -> Iterable[tuple[str, str, int]]:
        """Yield name, address and port of every process that is expected to listen."""
        for proxy in self.proxies:
            if not proxy.is_gateway:
                yield proxy.workload.name, LOOPBACK, proxy.app_port
        for entry in self._config.file.processes:
            if entry.listen:
                host, _, port = entry.listen.rpartition(":")
                yield entry.name, host, int(port)


def add_up(counters: Mapping[str, int], *, gateway: bool) -> Traffic:
    """Add up the counters of the connection managers by class of status; those of a sidecar for inbound requests alone."""
    left_out = _NOT_TRAFFIC[:1] if gateway else _NOT_TRAFFIC

    def count(*names: str) -> int:
        return sum(value for name, value in counters.items() if name.rpartition(".")[2] in names and not name.startswith(left_out))

    return Traffic(
        count("downstream_rq_completed"),
        count("downstream_rq_2xx", "downstream_rq_3xx"),
        count("downstream_rq_4xx"),
        count("downstream_rq_5xx"),
    )


def read_objects(config: DevConfig) -> tuple[ConfigObject[Any], ...]:
    """Return the objects of a directory as they are at the start; those of the scenario replace others of the same name."""
    found: dict[ObjectKey, ConfigObject[Any]] = {}
    roots = [*([config.scenario] if config.scenario else []), *config.config]
    for root in roots:
        for file in list_files(root, config.exclude if root != config.scenario else frozenset()):
            loaded = load(read_text(file), str(file), "default")
            for key, upsert in loaded.accepted.items():
                found.setdefault(key, upsert.object)
    return tuple(found[key] for key in sorted(found))


@asynccontextmanager
async def _nursery() -> AsyncIterator[Callable[[Coroutine[Any, Any, None], str], None]]:
    """Give a function that starts tasks. They all end with the block, however that ends; the error of a task ends the block."""
    started: list[asyncio.Task[None]] = []
    try:
        async with asyncio.TaskGroup() as group:
            try:
                yield lambda work, name: started.append(group.create_task(work, name=name))
            finally:
                for task in started:
                    task.cancel()
    except* MeshctlError as errors:
        raise _first(errors) from None


def _first(errors: BaseExceptionGroup[MeshctlError]) -> MeshctlError:
    """Return one of the errors: the others are mostly its consequences."""
    error = errors.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error


@asynccontextmanager
async def _admin_server(plane: ControlPlane, address: str) -> AsyncIterator[str]:
    from meshctl_operator.admin.server import AdminServer

    server = AdminServer(plane)
    bound = await server.start(address)
    try:
        yield bound
    finally:
        await server.stop()


def _check_free(entry: ProcessEntry) -> None:
    if entry.listen:
        host, colon, port = entry.listen.rpartition(":")
        if not colon or not port.isdigit():
            raise SettingsError(f'processes: "{entry.listen}" of {entry.name} is not address:port', hint="for example 127.0.10.10:8080")
        refuse_taken(host, int(port), entry.name)


async def _live(proxy: LocalProxy) -> None:
    while not await proxy.admin.is_live():  # noqa: ASYNC110  (an Envoy does not tell when it is live, it has to be asked)
        await asyncio.sleep(_POLL)


async def _answers(host: str, port: int) -> None:
    """Return when something accepts connections there."""
    while True:
        try:
            _, writer = await asyncio.open_connection(host, port)
        except OSError:
            await asyncio.sleep(_POLL)
        else:
            writer.close()
            return


def _not_ready(names: list[str], processes: Iterable[Supervised], why: str) -> MeshctlError:
    """Return the error for processes that did not make it, with the last words of the first one that said some."""
    tails = ["\n".join(process.tail) for process in processes if process.tail and process.command.name in names]
    last = f"; its last words:\n{tails[0]}" if tails else ""
    return MeshctlError(f"{', '.join(names)} {why}{last}")


async def _tell_deaths(process: Supervised, reporter: Reporter) -> None:
    while True:
        reason = await process.next_death()
        reporter.event(ProcessDied(process.command.name, reason))


async def _forward(events: Subscription, reporter: Reporter, known: frozenset[ObjectKey]) -> None:
    """Tell the reporter what happens, with a remark where that would need a new process."""
    async for event in events:
        if isinstance(event, ConfigApplied) and (new := restart_needed(event.changed, known)):
            reporter.event(replace(event, diagnostics=(*event.diagnostics, *new)))
        else:
            reporter.event(event)
