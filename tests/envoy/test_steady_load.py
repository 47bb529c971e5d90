"""A real Envoy with split routes serves without a break while rules are edited and while the control plane is replaced."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from meshctl_operator.bootstrap.bootstrap import bootstrap, to_dict
from meshctl_operator.bootstrap.options import BootstrapOptions
from meshctl_operator.controlplane.events import Acked, Nacked, Subscription
from meshctl_operator.controlplane.plane import ControlPlane
from meshctl_operator.controlplane.proxy_descriptions import parse_proxy
from meshctl_operator.controlplane.settings import Settings
from meshctl_operator.sources.memory import MemorySource
from meshctl_operator.xds.readiness import Timing
from tests.support.envoy_process import EnvoyProcess
from tests.support.envoy_versions import newest
from tests.support.meshes import RawObject, istio
from tests.support.served_config import held_by_envoy, is_split

pytestmark = pytest.mark.envoy

EDITS = 30
PORT = 8080
PAUSE = 0.002  # between two requests of one client: a light load, that leaves the processor to the edits
GATEWAY = "router:istio-ingressgateway.istio-system"
EDITED = "shop.example.org"
HOSTS = (EDITED, "blog.example.org", "help.example.org")
VERSIONS = ("v1", "v2", "v3")

Weights = dict[str, int]
Told = dict[str, set[str]]


def gateway(address: str) -> RawObject:
    """Return a Gateway for all hosts at an address."""
    server = {"port": {"number": PORT, "name": "http", "protocol": "HTTP"}, "hosts": ["*"], "bind": address}
    return istio("Gateway", "entrance", {"servers": [server]}, "istio-system")


def workloads(ports: dict[str, int]) -> RawObject:
    """Return the service with an endpoint for each version, given their ports."""
    endpoints = [{"address": "127.0.0.1", "labels": {"version": version}, "ports": {"http": port}} for version, port in ports.items()]
    spec = {
        "hosts": ["workloads.internal"],
        "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}],
        "resolution": "STATIC",
        "location": "MESH_INTERNAL",
        "endpoints": endpoints,
    }
    return istio("ServiceEntry", "workloads", spec, "istio-system")


def subsets(names: dict[str, str]) -> RawObject:
    """Return the DestinationRule with subsets, given the version of each."""
    found = [{"name": name, "labels": {"version": version}} for name, version in names.items()]
    return istio("DestinationRule", "workloads", {"host": "workloads.internal", "subsets": found}, "istio-system")


def rule(host: str, weights: Weights) -> RawObject:
    """Return the VirtualService of a host, given the weight of each subset."""
    destinations = [
        {"destination": {"host": "workloads.internal", "subset": subset}, "weight": weight} for subset, weight in weights.items()
    ]
    spec = {"hosts": [host], "gateways": ["istio-system/entrance"], "http": [{"route": destinations}]}
    return istio("VirtualService", host.partition(".")[0], spec, "istio-system")


@asynccontextmanager
async def answering(*names: str) -> AsyncIterator[dict[str, int]]:
    """Run a server for each name, which says it; yields their ports."""

    def handler(name: str) -> Callable[[web.Request], Any]:
        async def answer(_request: web.Request) -> web.Response:
            return web.Response(text=name)

        return answer

    ports: dict[str, int] = {}
    async with AsyncExitStack() as stack:
        for name in names:
            app = web.Application()
            app.router.add_get("/", handler(name))
            runner = web.AppRunner(app)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            ports[name] = runner.addresses[0][1]
        yield ports


def own_address() -> str:
    """Return a loopback address that no other test uses, where no port is taken."""
    high, low = divmod(os.getpid() % 62_500, 250)
    return f"127.2.{high + 1}.{low + 1}"


class Mesh:
    """A control plane that may be replaced, an Envoy that runs on, and its clients."""

    def __init__(self, source: MemorySource, address: str, http: aiohttp.ClientSession, host: str) -> None:
        self.source, self.address, self.http = source, address, http
        self.url = f"http://{host}:{PORT}/"
        self.route = f"http.{PORT}.{host}"
        self.edited = f"{self.route}/{EDITED}:{PORT}"  # the resource that an edit is about
        self.answers: dict[str, Counter[str]] = {host: Counter() for host in HOSTS}
        self._plane: ControlPlane | None = None
        self._events: Subscription | None = None

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Run a control plane, which knows nothing of an earlier one, on the same address."""
        async with ControlPlane(Settings(drain_grace=0.1, timing=Timing()), [self.source]) as plane:
            with plane.events.subscribe(Acked, Nacked) as events:
                self._plane, self._events = plane, events
                await plane.serve(self.address)
                yield

    async def settled(self) -> Told:
        """Wait until the Envoy has all that it should have of what it has asked for; returns as ``told``."""
        assert self._plane is not None
        await self._plane.settled()
        return self.told()

    async def edit(self, *objects: RawObject) -> Told:
        """Apply objects and wait until the Envoy has them; returns as ``told``."""
        self.source.apply(*objects)
        return await self.settled()

    def told(self) -> Told:
        """Return what the Envoy accepted since the last call: names by type, in the order of the first ACKs.

        It must not have rejected anything.
        """
        assert self._events is not None
        found: Told = {}
        for event in self._events.take():
            assert isinstance(event, Acked), event
            if event.resources:
                found.setdefault(event.type, set()).update(event.resources)
        return found

    async def ask(self, host: str) -> str:
        """Return what answers a host: the text, or status and reason where it is not 200."""
        async with self.http.get(self.url, headers={"host": host}) as response:
            text = await response.text()
            return text if response.status == 200 else f"{response.status} {text}"

    async def answered_by(self, *versions: str) -> None:
        """Wait until these versions answer the edited host and no other: Envoy's worker takes a change over a moment after the ACK."""
        async with asyncio.timeout(10):
            while {await self.ask(EDITED) for _ in range(40)} != set(versions):  # noqa: ASYNC110  (another process sets no event)
                await asyncio.sleep(PAUSE)

    @asynccontextmanager
    async def load(self) -> AsyncIterator[None]:
        """Ask all hosts all the time."""
        done = False

        async def asking(host: str) -> None:
            while not done:
                self.answers[host][await self.ask(host)] += 1
                await asyncio.sleep(PAUSE)

        async with asyncio.TaskGroup() as tasks:
            for host in HOSTS:
                tasks.create_task(asking(host))
            try:
                yield
            finally:
                done = True

    async def more_answers(self, count: int) -> None:
        """Wait until each host has answered the load so often again."""
        wanted = {host: seen.total() + count for host, seen in self.answers.items()}
        async with asyncio.timeout(20):
            while any(self.answers[host].total() < least for host, least in wanted.items()):  # noqa: ASYNC110  (clients set no event)
                await asyncio.sleep(PAUSE)


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[tuple[Mesh, EnvoyProcess]]:
    """Run servers, a control plane to be, and a gateway that waits for it; the gateway and the clients outlive control planes."""
    async with AsyncExitStack() as stack:
        ports = await stack.enter_async_context(answering(*VERSIONS))
        socket = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="xds-"))) / "xds.sock"
        host = own_address()
        rules = [rule(name, {"v1": 100}) for name in HOSTS]
        source = MemorySource(gateway(host), workloads(ports), subsets({"v1": "v1", "v2": "v2"}), *rules)
        config: dict[str, Any] = to_dict(bootstrap(BootstrapOptions(parse_proxy(GATEWAY).as_proxy())))
        (cluster,) = config["static_resources"]["clusters"]
        (endpoint,) = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"]
        endpoint["endpoint"]["address"] = {"pipe": {"path": str(socket)}}
        envoy = await stack.enter_async_context(EnvoyProcess(config, folder / "envoy", binary=newest(), ready=False))
        http = await stack.enter_async_context(aiohttp.ClientSession())
        yield Mesh(source, f"unix:{socket}", http, host), envoy


async def edits(mesh: Mesh, numbers: range) -> None:
    """Edit the rule of one host in turns: other weights; a new subset and all requests to it, at once; that subset gone again, at once."""
    base, cluster = {"v1": "v1", "v2": "v2"}, {"outbound|80|fresh|workloads.internal"}
    everything = {"CDS": cluster, "EDS": cluster, "VHDS": {mesh.edited}}
    for number in numbers:
        match number % 3:
            case 0:
                first = 25 + number
                told = await mesh.edit(rule(EDITED, {"v1": first, "v2": 100 - first}))
                assert told == {"VHDS": {mesh.edited}}
                await mesh.answered_by("v1", "v2")
            case 1:
                told = await mesh.edit(subsets({**base, "fresh": "v3"}), rule(EDITED, {"fresh": 100}))
                assert (told, list(told)[-1]) == (everything, "VHDS")
                await mesh.answered_by("v3")
            case _:
                told = await mesh.edit(subsets(base), rule(EDITED, {"v2": 100}))
                assert next(iter(told)) == "VHDS"
                assert told | {"EDS": cluster} == everything  # Envoy may have unsubscribed from the endpoints by itself
                await mesh.answered_by("v2")


async def test_edits_and_a_new_control_plane_lose_no_request(tmp_path: Path) -> None:
    """Thirty edits of weights and subsets under load, in the middle a restart with an edit meanwhile: every request is answered.

    Each edit is told as one virtual host and the clusters it needs, and the new control plane tells no more than was changed meanwhile.
    """
    async with running(tmp_path) as (mesh, envoy), AsyncExitStack() as load:
        async with mesh.serving():
            await envoy.wait_ready()
            await mesh.answered_by("v1")
            await mesh.settled()
            assert is_split(held_by_envoy(await envoy.config_dump()), mesh.route)
            await load.enter_async_context(mesh.load())
            await edits(mesh, range(EDITS // 2))
        await mesh.more_answers(50)
        mesh.source.apply(rule(EDITED, {"v1": 100}))
        async with mesh.serving():
            await mesh.answered_by("v1")
            assert await mesh.settled() == {"VHDS": {mesh.edited}}
            await edits(mesh, range(EDITS // 2, EDITS))
            assert is_split(held_by_envoy(await envoy.config_dump()), mesh.route)
            await mesh.more_answers(50)
        await load.aclose()
    for host, seen in mesh.answers.items():
        assert set(seen) <= ({*VERSIONS} if host == EDITED else {"v1"}), host
        assert seen.total() > 100
