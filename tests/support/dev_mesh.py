"""The local mesh as a user runs it: ``meshctl dev`` in a process of its own, on a copy of bookinfo, driven by its JSON events."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp

from meshctl_operator.xds.resources import TypeUrl

BOOKINFO = Path(__file__).parents[2] / "examples" / "bookinfo"
SCENARIOS = sorted(folder.name for folder in (BOOKINFO / "scenarios").iterdir())
OUTSIDE = "127.0.10.10"
"""Where the example has the service that is not part of the mesh; the copies of tests have it elsewhere."""
MESHCTL = Path(sys.executable).with_name("meshctl")
START_TIMEOUT = 60.0
EVENT_TIMEOUT = 15.0

Event = dict[str, Any]


def copy_bookinfo(folder: Path) -> str:
    """Copy the example, with an address for the service outside that no other running mesh has. Returns that address."""
    shutil.copytree(BOOKINFO, folder, ignore=shutil.ignore_patterns("__pycache__"))
    high, low = divmod(os.getpid() % 62_500, 250)
    address = f"127.1.{high + 1}.{low + 1}"
    for file in folder.rglob("*.yaml"):
        file.write_text(file.read_text().replace(OUTSIDE, address))
    return address


@asynccontextmanager
async def starting() -> AsyncIterator[None]:
    """Be the only test that starts a mesh: two that start at once may find the same port free. Running meshes do no harm."""
    with (Path(tempfile.gettempdir()) / "meshctl-test-dev.lock").open("w") as lock:
        await asyncio.to_thread(fcntl.flock, lock, fcntl.LOCK_EX)
        yield


def reviews_route(subset: str) -> str:
    """Return a VirtualService that sends all requests for reviews to one subset."""
    return f"""\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: reviews, namespace: default}}
spec:
  hosts: [reviews]
  http:
  - route:
    - destination: {{host: reviews, subset: {subset}}}
"""


class DevMesh:
    """A running ``meshctl dev``.

    ``folder`` is where the copy of the example goes; ``envoy`` the proxy to run, that of this environment if absent. ``events`` are all
    JSON events so far, ``ready`` the one that told the addresses.
    """

    def __init__(self, folder: Path, *, envoy: Path | None = None, arguments: tuple[str, ...] = ()) -> None:
        self.folder = folder / "bookinfo"
        self.events: list[Event] = []
        self.ready: Event = {}
        self.exit_code: int | None = None
        self.outside = ""
        self.envoy = envoy
        self._arguments = [*arguments, *(["--envoy", str(envoy)] if envoy else [])]
        self._errors = folder / "stderr.log"
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._grown = asyncio.Condition()
        self._http: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.stop()

    @property
    def http(self) -> aiohttp.ClientSession:
        """A client without a cookie jar, so that requests do not know of each other."""
        assert self._http is not None, "the mesh is not running"
        return self._http

    @property
    def errors(self) -> str:
        """What the command said on standard error."""
        return self._errors.read_text(errors="replace") if self._errors.exists() else ""

    def gateway(self, name: str = "istio-ingressgateway", port: str = "80") -> str:
        """Return ``host:port`` where a port of a gateway is reached."""
        found = next(gateway for gateway in self.ready["gateways"] if gateway["name"] == name)
        address: str = found["ports"][port]
        return address

    def admin(self, name: str) -> str:
        """Return the admin address of a proxy by the name of its workload."""
        found = next(proxy for proxy in (*self.ready["gateways"], *self.ready["sidecars"]) if proxy["name"] == name)
        address: str = found["admin"]
        return address

    def proxies(self) -> list[str]:
        """Return the names of all workloads with a proxy."""
        return [proxy["name"] for proxy in (*self.ready["gateways"], *self.ready["sidecars"])]

    async def start(self) -> None:
        """Copy the example, start the command and wait until it says that it is ready."""
        self.outside = copy_bookinfo(self.folder)
        self._http = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), connector=aiohttp.TCPConnector(limit=64))
        async with starting():
            with self._errors.open("wb") as errors:
                self._process = await asyncio.create_subprocess_exec(
                    MESHCTL,
                    "dev",
                    self.folder,
                    "-o",
                    "json",
                    *self._arguments,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=errors,
                    stdin=asyncio.subprocess.DEVNULL,
                    limit=2**20,
                    start_new_session=True,
                    env={**os.environ, "MESHCTL_DRAIN_TIME": "0s"},  # what is removed is looked for at once
                )
            self._reader = asyncio.create_task(self._read())
            self.ready = await self.event(lambda event: event["event"] == "ready", since=0, within=START_TIMEOUT)

    async def stop(self) -> None:
        """Interrupt the command as Ctrl-C does and wait for its end."""
        http, self._http = self._http, None
        if http is not None:
            await http.close()
        process, self._process = self._process, None
        if process is not None:
            if process.returncode is None:
                process.send_signal(signal.SIGINT)
                try:
                    await asyncio.wait_for(process.wait(), timeout=10)
                except TimeoutError:
                    process.kill()
                    await process.wait()
            self.exit_code = process.returncode
        if self._reader is not None:
            await self._reader
            self._reader = None

    async def event(self, wanted: Callable[[Event], bool], *, since: int, within: float = EVENT_TIMEOUT) -> Event:
        """Return the first event from number ``since`` on that is wanted; an AssertionError says what came instead."""

        def found() -> Event | None:
            return next((event for event in self.events[since:] if wanted(event)), None)

        try:
            async with asyncio.timeout(within), self._grown:
                await self._grown.wait_for(lambda: found() is not None or self._ended())
        except TimeoutError:
            pass
        event = found()
        assert event is not None, f"no such event; since then came {self.events[since:]}; standard error:\n{self.errors[-3000:]}"
        return event

    async def apply(self, scenario: str) -> None:
        """Lay a scenario over the mesh as a user would, by copying its files, and wait until every proxy has it."""
        target = self.folder / "mesh" / "scenario"
        target.mkdir()
        await self.edit(lambda: [shutil.copy(file, target) for file in (self.folder / "scenarios" / scenario).glob("*.yaml")])

    async def clear(self) -> None:
        """Take the scenario away again."""
        target = self.folder / "mesh" / "scenario"
        if target.exists():
            await self.edit(lambda: shutil.rmtree(target))

    async def edit(self, change: Callable[[], object]) -> Event:
        """Change files, and wait until the change was read and every proxy has acknowledged what it has now. Returns the config event."""
        since = len(self.events)
        change()
        event = await self.event(lambda event: event["event"] == "config", since=since)
        await self.synced()
        return event

    async def synced(self) -> None:
        """Wait until every proxy has acknowledged what it should hold, and its workers have it."""
        async with asyncio.timeout(EVENT_TIMEOUT):
            while not all(self._is_synced(proxy) for proxy in await self.syncz()):  # noqa: ASYNC110  (the state is in another process)
                await asyncio.sleep(0.01)
        # The acknowledgement comes from Envoy's main thread; its workers take the change over a moment later.
        await asyncio.sleep(0.1)

    async def syncz(self) -> list[dict[str, Any]]:
        """Return what the control plane knows of its proxies."""
        async with self.http.get(f"http://{self.ready['http']}/debug/syncz") as response:
            page: list[dict[str, Any]] = await response.json()
        return page

    async def get(self, path: str, *, host: str = "bookinfo.example.org", user: str = "", **headers: str) -> tuple[int, str]:
        """Request a path from the ingress gateway; returns status and body. Redirects are not followed."""
        send = {"host": host, **({"end-user": user} if user else {}), **{name.replace("_", "-"): value for name, value in headers.items()}}
        async with self.http.get(f"http://{self.gateway()}{path}", headers=send, allow_redirects=False) as response:
            return response.status, await response.text()

    async def product(self, *, user: str = "", **headers: str) -> dict[str, Any]:
        """Return the facts of the product; asserts that they came."""
        status, body = await self.get("/api/v1/products/0", user=user, **headers)
        assert status == 200, f"{status}: {body}"
        page: dict[str, Any] = json.loads(body)
        return page

    async def reviewers(self, count: int, *, user: str = "", at_once: int = 16) -> dict[str, int]:
        """Return how many of ``count`` requests each workload of reviews answered."""
        seen: dict[str, int] = {}
        left = iter(range(count))

        async def ask() -> None:
            for _ in left:
                workload = str((await self.product(user=user))["reviews"].get("workload"))
                seen[workload] = seen.get(workload, 0) + 1

        await asyncio.gather(*(ask() for _ in range(at_once)))
        return seen

    async def counter(self, proxy: str, name: str) -> int:
        """Return a counter of an Envoy; 0 if it is not there."""
        async with self.http.get(f"http://{self.admin(proxy)}/stats?format=json", params={"filter": f"^{name}$"}) as response:
            page = json.loads(await response.text())
        return sum(stat.get("value", 0) for stat in page["stats"])

    async def served(self, proxy: str) -> dict[TypeUrl, dict[str, tuple[str, dict[str, Any]]]]:
        """Return name -> (version, protobuf JSON) of what the control plane serves to a proxy, by type; route configurations are whole."""
        namespace = next(each["namespace"] for each in (*self.ready["gateways"], *self.ready["sidecars"]) if each["name"] == proxy)
        async with self.http.get(f"http://{self.ready['http']}/debug/config_dump", params={"proxy": f"{proxy}.{namespace}"}) as response:
            page = await response.json()
        shown = page["resources"]
        types = [type_url for type_url in TypeUrl if type_url is not TypeUrl.VIRTUAL_HOST]
        return {type_url: {entry["name"]: (entry["version"], entry["resource"]) for entry in shown[type_url.short]} for type_url in types}

    async def listeners(self, proxy: str) -> list[str]:
        """Return the addresses that an Envoy listens on."""
        async with self.http.get(f"http://{self.admin(proxy)}/listeners?format=json") as response:
            page = json.loads(await response.text())
        sockets = [status["local_address"]["socket_address"] for status in page.get("listener_statuses", ())]
        return [f"{socket['address']}:{socket['port_value']}" for socket in sockets]

    async def config_dump(self, proxy: str) -> dict[str, Any]:
        """Return ``/config_dump`` of an Envoy, endpoints included."""
        async with self.http.get(f"http://{self.admin(proxy)}/config_dump?include_eds") as response:
            page: dict[str, Any] = json.loads(await response.text())
        return page

    @staticmethod
    def _is_synced(proxy: dict[str, Any]) -> bool:
        return bool(proxy.get("synced"))

    def _ended(self) -> bool:
        return self._process is None or self._process.returncode is not None

    async def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            event = json.loads(line)
            async with self._grown:
                self.events.append(event)
                self._grown.notify_all()
        async with self._grown:
            self._grown.notify_all()
