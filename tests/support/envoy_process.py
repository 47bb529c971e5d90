"""A real Envoy for tests: ``async with EnvoyProcess(bootstrap, folder) as envoy`` runs one and ends it, whatever happens."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp

from tests.support.envoy_versions import newest

POLL_INTERVAL = 0.02
LOG_TAIL = 4000
ISOLATION = ("unshare", "--user", "--map-root-user", "--net")  # exec's in place, so that the process id is Envoy's


class EnvoyError(AssertionError):
    """Envoy did not start, ended early or did not reach what a test waited for; carries the end of its log."""


class EnvoyProcess:
    """One Envoy process with its admin interface on a port that the kernel picks.

    Args:
        bootstrap: the bootstrap as JSON text or as a mapping of JSON values; its ``admin`` is set here.
        folder: where configuration, log and admin address are kept; made if absent.
        binary: the Envoy to run; the one of this environment if not given.
        log_level: of Envoy's log in ``folder/envoy.log``.
        ready: whether entering the context waits until Envoy is LIVE, or only until the admin interface answers.
        timeout: seconds until waiting for that is given up.
        isolated: run it in an empty network namespace, where listeners may bind what they like; the admin interface is then a Unix
            socket, and so must be the address of the control plane.
    """

    def __init__(
        self,
        bootstrap: Mapping[str, Any] | str,
        folder: Path,
        *,
        binary: Path | None = None,
        log_level: str = "warning",
        ready: bool = True,
        timeout: float = 20.0,
        isolated: bool = False,
    ) -> None:
        self.folder = folder
        self.admin = ""
        self._bootstrap: dict[str, Any] = json.loads(bootstrap) if isinstance(bootstrap, str) else dict(bootstrap)
        self._binary = binary or newest()
        self._log_level = log_level
        self._ready = ready
        self._timeout = timeout
        self._isolated = isolated
        self._process: asyncio.subprocess.Process | None = None
        self._http: aiohttp.ClientSession | None = None
        self._sockets: tempfile.TemporaryDirectory[str] | None = None  # the path of a socket may have 107 characters only

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
    def log(self) -> str:
        """All that Envoy has logged."""
        path = self.folder / "envoy.log"
        return path.read_text(errors="replace") if path.exists() else ""

    @property
    def pid(self) -> int:
        """The process id."""
        assert self._process is not None, "Envoy is not running"
        return self._process.pid

    async def start(self) -> None:
        """Start the process and wait as the constructor says."""
        self.folder.mkdir(parents=True, exist_ok=True)
        address_file = self.folder / "admin-address"
        address_file.unlink(missing_ok=True)
        self._sockets = tempfile.TemporaryDirectory(prefix="envoy-")
        socket = Path(self._sockets.name) / "admin.sock"
        pipe = {"pipe": {"path": str(socket)}}
        admin = {"address": pipe if self._isolated else {"socket_address": {"address": "127.0.0.1", "port_value": 0}}}
        config = self.folder / "bootstrap.json"
        config.write_text(json.dumps({**self._bootstrap, "admin": admin}))
        files = ["--config-path", str(config), "--admin-address-path", str(address_file)]
        with (self.folder / "envoy.log").open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                *(ISOLATION if self._isolated else ()),
                self._binary,
                *files,
                "--concurrency",
                "1",
                "--disable-hot-restart",
                "--log-level",
                self._log_level,
                stdout=output,
                stderr=output,
                stdin=asyncio.subprocess.DEVNULL,
            )
        self._http = aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(socket)) if self._isolated else None)

        async def listening() -> bool:
            if self._isolated:
                self.admin = "admin" if socket.exists() and await _accepts(socket) else ""
            else:
                self.admin = address_file.read_text().strip() if address_file.exists() else ""
            return bool(self.admin)

        await self.wait_until(listening, "its admin interface listens")
        if self._ready:
            await self.wait_ready()

    async def stop(self) -> None:
        """End the process: politely first, then for good."""
        http, self._http = self._http, None
        if http is not None:
            await http.close()
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), timeout=5)
            except TimeoutError:
                process.kill()
                await process.wait()
        sockets, self._sockets = self._sockets, None
        if sockets is not None:
            sockets.cleanup()

    async def wait_until(self, check: Callable[[], Awaitable[bool]], what: str, *, timeout: float | None = None) -> None:  # noqa: ASYNC109  (a test states its deadline where it waits)
        """Poll until ``check`` holds; raises EnvoyError that says ``what`` did not happen, also when the process ends."""
        deadline = asyncio.get_running_loop().time() + (self._timeout if timeout is None else timeout)
        while not await check():
            if self._process is None or self._process.returncode is not None:
                raise EnvoyError(f"Envoy ended before {what}:\n{self.log[-LOG_TAIL:]}")
            if asyncio.get_running_loop().time() > deadline:
                raise EnvoyError(f"waited in vain until {what}:\n{self.log[-LOG_TAIL:]}")
            await asyncio.sleep(POLL_INTERVAL)

    async def wait_ready(self) -> None:
        """Wait until ``/ready`` says LIVE."""

        async def live() -> bool:
            return (await self.get("/ready")).strip() == "LIVE"

        await self.wait_until(live, "Envoy is LIVE")

    async def get(self, path: str) -> str:
        """Return the body of an admin page, whatever its status."""
        assert self._http is not None, "Envoy is not running"
        async with self._http.get(f"http://{self.admin}{path}") as response:
            return await response.text()

    async def config_dump(self, query: str = "include_eds") -> dict[str, Any]:
        """Return ``/config_dump`` as JSON values."""
        page: dict[str, Any] = json.loads(await self.get(f"/config_dump?{query}"))
        return page

    async def stats(self, filter_regex: str = "") -> dict[str, int]:
        """Return the counters and gauges whose names match, by name."""
        page = json.loads(await self.get(f"/stats?format=json&filter={filter_regex}" if filter_regex else "/stats?format=json"))
        return {stat["name"]: stat["value"] for stat in page["stats"] if "value" in stat and isinstance(stat["value"], int)}

    async def stat(self, name: str) -> int:
        """Return one counter or gauge; 0 if it is not there yet."""
        return (await self.stats(f"^{name.replace('.', '[.]')}$")).get(name, 0)


async def _accepts(socket: Path) -> bool:
    """Tell whether a socket is listened on: its file is there a moment earlier."""
    try:
        _, writer = await asyncio.open_unix_connection(socket)
    except OSError:
        return False
    writer.close()
    return True
