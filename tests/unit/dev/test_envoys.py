"""The Envoy binary, its command, and its admin interface."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from meshctl_operator.base.errors import MeshctlError, SettingsError
from meshctl_operator.bootstrap.options import BootstrapOptions
from meshctl_operator.dev import envoys
from meshctl_operator.dev.envoys import EnvoyAdmin, envoy_command, find_envoy
from meshctl_operator.model.proxies import Proxy, ProxyRole


def executable(folder: Path, name: str = "envoy") -> Path:
    """Return a file that can be executed."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_a_given_binary_is_taken(tmp_path: Path) -> None:
    """``--envoy`` decides; a path that is not executable is bad usage."""
    path = executable(tmp_path)
    assert find_envoy(str(path)) == path
    with pytest.raises(SettingsError, match="is not an executable file"):
        find_envoy(str(tmp_path / "nowhere"))


def test_the_path_comes_before_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An Envoy on PATH is preferred to that of the package."""
    path = executable(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(envoys, "_packaged", lambda: Path("/packaged/envoy"))
    assert find_envoy() == path


def test_the_script_of_the_package_is_passed_by(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The script beside our interpreter would only start Python to start the same binary."""
    executable(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setattr(envoys, "_packaged", lambda: Path("/packaged/envoy"))
    assert find_envoy() == Path("/packaged/envoy")


def test_the_package_is_found_without_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Inside the import folder ``envoy``, which the package shares with the protobuf classes, lies the binary."""
    binary = executable(tmp_path / "_bin")
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: type("Spec", (), {"submodule_search_locations": [str(tmp_path)]}))
    monkeypatch.setenv("PATH", "")
    assert find_envoy() == binary


@pytest.mark.parametrize(("platform", "way"), [("darwin", "brew install envoy"), ("linux", "meshctl-operator[envoy]")])
def test_no_envoy(monkeypatch: pytest.MonkeyPatch, platform: str, way: str) -> None:
    """Without any the hint says how to get one on this platform."""
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(MeshctlError) as caught:
        find_envoy()
    assert way in (caught.value.hint or "")


def test_command_of_an_envoy(tmp_path: Path) -> None:
    """The bootstrap lies in the folder, and nothing is shared between two Envoys."""
    options = BootstrapOptions(Proxy(ProxyRole.ROUTER, "gw", "edge"), admin_port=12345)
    command = envoy_command(Path("/bin/envoy"), options, tmp_path)
    written = json.loads((tmp_path / "envoy.gw.edge.json").read_text())
    assert written["admin"]["address"]["socket_address"]["port_value"] == 12345
    assert command.name == "envoy.gw.edge"
    assert command.words[0] == "/bin/envoy"
    assert "--disable-hot-restart" in command.words


@asynccontextmanager
async def admin(answer: bytes) -> AsyncIterator[EnvoyAdmin]:
    """Serve one answer to every request."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield EnvoyAdmin(*server.sockets[0].getsockname())


def sized(body: str, status: str = "200 OK") -> bytes:
    """Return an answer with a stated length."""
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


def chunked(*parts: str) -> bytes:
    """Return an answer in chunks."""
    body = "".join(f"{len(part):x}\r\n{part}\r\n" for part in (*parts,)) + "0\r\n\r\n"
    return f"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{body}".encode()


@pytest.mark.parametrize(
    ("answer", "live"),
    [
        (sized("LIVE\n"), True),
        (chunked("LI", "VE\n"), True),
        (b"HTTP/1.1 200 OK\r\n\r\nLIVE\n", True),
        (sized("INITIALIZING\n", "503 Service Unavailable"), False),
        (b"", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nLIVE", False),
    ],
    ids=["length", "chunks", "until the end", "initializing", "no answer", "cut off"],
)
async def test_live(answer: bytes, live: bool) -> None:  # noqa: FBT001  (a column of the table)
    """An Envoy is live when it says so, in whatever framing; no answer is no."""
    async with admin(answer) as interface:
        assert await interface.is_live() is live


async def test_nobody_there() -> None:
    """A refused connection is an answer: not yet."""
    assert not await EnvoyAdmin("127.0.0.1", 1).is_live()
    assert await EnvoyAdmin("127.0.0.1", 1).counters("x") is None


async def test_counters() -> None:
    """Histograms and texts are no counters."""
    stats = {"stats": [{"name": "a", "value": 3}, {"histograms": {}}, {"name": "b", "value": "text"}]}
    async with admin(sized(json.dumps(stats))) as interface:
        assert await interface.counters(".*") == {"a": 3}


async def test_listeners() -> None:
    """The addresses that are really bound, as the Envoy tells them."""
    statuses = [{"name": "l", "local_address": {"socket_address": {"address": "127.0.0.1", "port_value": 8080}}}, {"name": "pipe"}]
    async with admin(sized(json.dumps({"listener_statuses": statuses}))) as interface:
        assert await interface.listeners() == ("127.0.0.1:8080",)


async def test_an_answer_that_is_not_json() -> None:
    """Nonsense is no answer."""
    async with admin(sized("<html>")) as interface:
        assert await interface.counters(".*") is None
        assert await interface.listeners() == ()
