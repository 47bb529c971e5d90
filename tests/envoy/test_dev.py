"""The life of the local mesh: it starts whole, mends itself, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.dev_mesh import BOOKINFO, MESHCTL, DevMesh, copy_bookinfo, reviews_route, starting
from tests.support.envoy_versions import newest

pytestmark = pytest.mark.envoy


def children_of(parent: int) -> dict[int, str]:
    """Return the processes that a process started, zombies apart, with their command lines."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, ppid = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
            if int(ppid) == parent and state != "Z":
                found[int(folder.name)] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue  # it ended while we looked
    return found


def is_alive(pid: int) -> bool:
    """Tell whether there is such a process, zombies apart."""
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition on other processes."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110  (other processes set no event of ours)
            await asyncio.sleep(0.02)


def pid_of(mesh: DevMesh) -> int:
    """Return the process id of the command."""
    assert mesh._process is not None
    return mesh._process.pid


def child(mesh: DevMesh, *words: str) -> int:
    """Return the child whose command line has all the words."""
    (pid,) = (pid for pid, line in children_of(pid_of(mesh)).items() if all(word in line for word in words))
    return pid


async def test_it_ends_by_ctrl_c_and_leaves_nothing(tmp_path: Path) -> None:
    """Eight Envoys and seven processes run; after Ctrl-C the exit code is 130 soon, and all of them are gone."""
    async with DevMesh(tmp_path, envoy=newest()) as mesh:
        status, _ = await mesh.get("/productpage")
        assert status == 200
        children = children_of(pid_of(mesh))
        assert len(children) == 15
        assert len(mesh.ready["gateways"]) + len(mesh.ready["sidecars"]) == 8
        started = asyncio.get_running_loop().time()
        await mesh.stop()
        assert asyncio.get_running_loop().time() - started < 8  # 2 s are promised to people; a loaded machine gets more
    assert mesh.exit_code == 130
    assert mesh.errors == ""
    assert not [line for pid, line in children.items() if is_alive(pid)]


async def test_nothing_outlives_a_killed_mesh(tmp_path: Path) -> None:
    """When the command is killed outright, the kernel ends what it had started."""
    async with DevMesh(tmp_path, envoy=newest()) as mesh:
        children = children_of(pid_of(mesh))
        assert children
        os.kill(pid_of(mesh), signal.SIGKILL)
        await until(lambda: not any(map(is_alive, children)))


async def test_what_dies_is_started_again(tmp_path: Path) -> None:
    """A dead application and a dead Envoy come back, each with a line that says so, and requests are answered as before."""
    async with DevMesh(tmp_path, envoy=newest()) as mesh:
        for words, name in ((("services/details.py",), "details-v1"), (("--config-path", "envoy.details-v1."), "envoy.details-v1.default")):
            since = len(mesh.events)
            os.kill(child(mesh, *words), signal.SIGKILL)
            died = await mesh.event(lambda event, name=name: event["event"] == "restart" and event["name"] == name, since=since)  # type: ignore[misc]  # bound at once
            assert died["reason"] == "signal SIGKILL"

            async def is_back() -> bool:
                return "error" not in (await mesh.product())["details"]

            async with asyncio.timeout(20):
                while not await is_back():  # noqa: ASYNC110  (only a request can tell)
                    await asyncio.sleep(0.05)


async def test_two_meshes_at_a_time(tmp_path: Path) -> None:
    """A second mesh on the machine takes other addresses and ports; one that needs a taken address is refused by the name of its owner."""
    folder = tmp_path / "plain"
    (folder / "mesh").mkdir(parents=True)
    for file in (BOOKINFO / "mesh").glob("*.yaml"):
        (folder / "mesh" / file.name).write_text(file.read_text())
    (folder / "meshctl-dev.yaml").write_text("config: [mesh/]\n")
    async with DevMesh(tmp_path, envoy=newest()) as mesh:
        arguments = [str(MESHCTL), "dev", str(folder), "-o", "json", "--envoy", str(newest())]
        async with starting():
            second = await asyncio.create_subprocess_exec(*arguments, stdout=asyncio.subprocess.PIPE)
            try:
                assert second.stdout is not None
                async with asyncio.timeout(60):
                    ready = json.loads(await second.stdout.readline())
                assert ready["gateways"][0]["ports"]["80"] != mesh.gateway()
                assert ready["xds"] != mesh.ready["xds"]
                assert {finding["code"] for finding in ready["diagnostics"]} == {"MC4101"}
            finally:
                second.send_signal(signal.SIGINT)
                assert await second.wait() == 130
        third = await asyncio.create_subprocess_exec(MESHCTL, "dev", mesh.folder, "-o", "json", stderr=asyncio.subprocess.PIPE)
        _, errors = await third.communicate()
        assert third.returncode == 1
        assert f"{mesh.outside}:8080 is taken by python" in errors.decode()


SECOND_GATEWAY = """\
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: second}
spec:
  selector: {istio: ingressgateway}
  servers: [{port: {number: PORT, name: http, protocol: HTTP}, hosts: ["*"]}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: second}
spec:
  hosts: ["*"]
  gateways: [second]
  http: [{route: [{destination: {host: productpage, port: {number: 9080}}}]}]
"""


def free_port() -> int:
    """Return a port that nobody has at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def test_a_port_that_a_gateway_opens_later_is_told(tmp_path: Path) -> None:
    """A Gateway with a new port is an event with the address, which answers by then; taking it away is another."""
    async with DevMesh(tmp_path, envoy=newest()) as mesh:
        port, file = free_port(), mesh.folder / "mesh" / "second.yaml"
        since = len(mesh.events)
        file.write_text(SECOND_GATEWAY.replace("PORT", str(port)))
        opened = await mesh.event(lambda event: event["event"] == "gateway", since=since)
        assert opened["opened"] == {str(port): f"127.0.0.1:{port}"}
        assert set(opened["ports"]) == {"80", str(port)}
        async with mesh.http.get(f"http://{opened['opened'][str(port)]}/productpage") as answer:
            assert answer.status == 200
        since = len(mesh.events)
        file.unlink()
        gone = await mesh.event(lambda event: event["event"] == "gateway", since=since)
        assert (gone["opened"], list(gone["closed"])) == ({}, [str(port)])


async def test_lines_of_an_edit(tmp_path: Path) -> None:
    """Without a terminal the text says what changed and how soon it was live, where a mistake stands, and where a new port is.

    A rule for one host is one resource, its virtual host, however many Envoys have it.
    """
    folder = tmp_path / "bookinfo"
    copy_bookinfo(folder)
    arguments = [str(MESHCTL), "dev", "bookinfo", "--envoy", str(newest())]
    async with starting():
        process = await asyncio.create_subprocess_exec(*arguments, cwd=tmp_path, stdout=asyncio.subprocess.PIPE)
        assert process.stdout is not None
        lines = process.stdout

        async def line_with(words: str) -> str:
            async with asyncio.timeout(60):
                while words not in (line := (await lines.readline()).decode()):
                    assert line, f"the command ended without saying {words!r}"
            return line

        try:
            await line_with("/productpage  (istio-ingressgateway port 80)")
            await line_with("log: ")
            rule = folder / "mesh" / "mine.yaml"
            rule.write_text(reviews_route("v3"))
            assert re.fullmatch(r"VirtualService/default/reviews: 1 resource live in 6 Envoys after \d+ ms\n", await line_with("live in"))
            rule.write_text(reviews_route("v3").replace("subset", "subsett"))
            line = await line_with("error [MC1004]")
            assert line.startswith("bookinfo/mesh/mine.yaml:8: error [MC1004] VirtualService default/reviews: ")
            assert line.endswith('(did you mean "subset"?)\n')
            await line_with("VirtualService/default/reviews rejected, the last good state stays")
            rule.write_text(reviews_route("v3"))
            await line_with("mended: 1 finding gone")
            (folder / "mesh" / "broken.yaml").write_text("a: [\n")
            assert (await line_with("MC4001")).startswith("bookinfo/mesh/broken.yaml:1: error [MC4001] not YAML")
            port = free_port()
            (folder / "mesh" / "second.yaml").write_text(SECOND_GATEWAY.replace("PORT", str(port)))
            await line_with(f"istio-ingressgateway answers at http://127.0.0.1:{port}/")
        finally:
            process.send_signal(signal.SIGINT)
            await process.communicate()
    assert process.returncode == 130
