"""Pods as network namespaces: what a kubelet does with a manifest, as far as tests need it.

In: a Pod as the API server would hand it out, sidecar injected. Its init containers run one after the other, native sidecars before the
applications, each as the user that its security context names, in the network namespace of the pod and with the DNS of the cluster. The
word ``envoy`` stands for the Envoy of this environment, ``meshctl`` for our own command, ``python3`` for the running interpreter.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp
from aiohttp.abc import AbstractResolver

from tests.support.netns import Netns, connected

RawObject = dict[str, Any]
START_SECONDS: Final = 60.0
GRACE_SECONDS: Final = 20.0
LOG_TAIL: Final = 3000
_VARIABLE: Final = re.compile(r"\$\$|\$\((\w+)\)")
_ENTER: Final = 'mount --bind "$0" /etc/resolv.conf && exec setpriv --reuid "$1" --regid "$2" --clear-groups -- "${@:3}"'
_FIELDS: Final[Mapping[str, Callable[[RawObject], str]]] = {
    "metadata.name": lambda pod: pod["metadata"]["name"],
    "metadata.namespace": lambda pod: pod["metadata"]["namespace"],
    "spec.nodeName": lambda pod: pod["spec"].get("nodeName", ""),
    "spec.serviceAccountName": lambda pod: pod["spec"].get("serviceAccountName", "default"),
    "status.podIP": lambda pod: pod["status"]["podIP"],
    "status.hostIP": lambda pod: pod["status"]["hostIP"],
}


@dataclass(frozen=True)
class Node:
    """The machine that pods run on: its namespace with the bridge, its address there, what pods get as resolv.conf, and the Envoy binary."""

    netns: Netns
    address: str
    resolv_conf: Path
    envoy: Path
    folder: Path


class PodError(AssertionError):
    """A container did not start or ended early; carries the end of its log."""


class Pod:
    """One pod on the node. ``raw`` is its manifest, with name, namespace and the address in its status."""

    def __init__(self, node: Node, raw: RawObject) -> None:
        self.raw = raw
        self.name: str = raw["metadata"]["name"]
        self.namespace: str = raw["metadata"]["namespace"]
        self.address: str = raw["status"]["podIP"]
        self.netns = Netns(self.name)
        self._node = node
        self._processes: dict[str, asyncio.subprocess.Process] = {}

    async def start(self) -> None:
        """Run the containers in the order of Kubernetes; returns when all of them are ready. Raises PodError."""
        self._connect()
        spec = self.raw["spec"]
        for container in spec.get("initContainers", ()):
            await self._start(container)
            if container.get("restartPolicy") == "Always":
                await self._wait_for(container, "startupProbe")
            else:
                await self._end_of(container)
        for container in spec["containers"]:
            await self._start(container)
        for container in (*spec.get("initContainers", ()), *spec["containers"]):
            if container["name"] in self._processes:
                await self._wait_for(container, "readinessProbe")

    async def stop(self, *, at_once: bool = False) -> None:
        """End the containers as Kubernetes does: hooks before signals, native sidecars last. The namespace goes in any case."""
        try:
            native = [each["name"] for each in self.raw["spec"].get("initContainers", ())]
            containers = {each["name"]: each for each in (*self.raw["spec"].get("initContainers", ()), *self.raw["spec"]["containers"])}
            for group in ([name for name in self._processes if name not in native], [name for name in self._processes if name in native]):
                await asyncio.gather(*(self._end(containers[name], at_once=at_once) for name in group))
        finally:
            for process in self._processes.values():
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
            self.netns.delete()

    def running(self, container: str) -> bool:
        """Tell whether a container runs."""
        return container in self._processes and self._processes[container].returncode is None

    def kill(self, container: str) -> None:
        """Kill a container."""
        self._processes[container].kill()

    def log(self, container: str) -> str:
        """Return what a container has said so far."""
        path = self._log(container)
        return path.read_text(errors="replace") if path.exists() else ""

    async def admin(self, path: str) -> str:
        """Return a page of the admin interface of the pod's Envoy."""
        async with (
            aiohttp.ClientSession(connector=connector_in(self.netns)) as session,
            session.get(f"http://127.0.0.1:15000{path}") as response,
        ):
            return await response.text()

    async def counter(self, pattern: str) -> int:
        """Return the sum of the counters of the pod's Envoy whose names match."""
        lines = (await self.admin("/stats")).splitlines()
        values = (line.rpartition(": ") for line in lines if re.search(pattern, line.rpartition(": ")[0]))
        return sum(int(value) for _, _, value in values if value.isdigit())

    def _connect(self) -> None:
        """Make the namespace and plug it into the bridge."""
        self.netns.create()
        host = self._node.netns
        last = "".join(f"{int(part):02x}" for part in self.address.split(".")[2:])
        host.ip("link", "add", f"v{last}", "type", "veth", "peer", "name", "eth0", "netns", self.netns.name)
        host.ip("link", "set", f"v{last}", "master", "br0", "up")
        self.netns.ip("addr", "add", f"{self.address}/16", "dev", "eth0")
        self.netns.ip("link", "set", "eth0", "up")
        self.netns.ip("route", "add", "default", "via", self._node.address)

    async def _start(self, container: RawObject) -> None:
        name = container["name"]
        context = {**self.raw["spec"].get("securityContext", {}), **container.get("securityContext", {})}
        user = str(context.get("runAsUser", 0))
        group = str(context.get("runAsGroup", user))
        environment = self._environment(container)
        words = [_expand(word, environment) for word in (*container["command"], *container.get("args", ()))]
        resolv = str(self._node.resolv_conf)
        command = self.netns.command(
            "unshare", "--mount", "--", "bash", "-c", _ENTER, resolv, user, group, *self._program(words[0]), *words[1:]
        )
        with self._log(name).open("ab") as log:
            self._processes[name] = await asyncio.create_subprocess_exec(
                *command, stdout=log, stderr=log, stdin=asyncio.subprocess.DEVNULL, env=environment, cwd="/", start_new_session=True
            )

    def _program(self, word: str) -> list[str]:
        match word:
            case "envoy":
                return [str(self._node.envoy)]
            case "meshctl":
                return [sys.executable, "-m", "meshctl_operator.cli.main"]
            case "python3":
                return [sys.executable]
            case _:
                return [word]

    def _environment(self, container: RawObject) -> dict[str, str]:
        image = {name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ}  # where our own command is imported from
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "PYTHONUNBUFFERED": "1", **image}
        for entry in container.get("env", ()):
            field = entry.get("valueFrom", {}).get("fieldRef", {}).get("fieldPath")
            environment[entry["name"]] = _FIELDS[field](self.raw) if field in _FIELDS else _expand(entry.get("value", ""), environment)
        return environment

    async def _end_of(self, container: RawObject) -> None:
        """Wait until an init container is done."""
        code = await asyncio.wait_for(self._processes.pop(container["name"]).wait(), START_SECONDS)
        if code:
            raise PodError(f"{self.name}: {container['name']} ended with {code}:\n{self.log(container['name'])[-LOG_TAIL:]}")

    async def _wait_for(self, container: RawObject, kind: str) -> None:
        """Wait until the probe of a container succeeds, or, without one, its first port is listened on."""
        probe = container.get(kind, {}).get("httpGet")
        ports = [port["containerPort"] for port in container.get("ports", ())]
        if probe is not None:
            await self._until(lambda: self._answers(int(probe["port"]), probe.get("path", "/")), container["name"])
        elif kind == "readinessProbe" and ports:
            await self._until(lambda: self._listens(ports[0]), container["name"])

    async def _until(self, check: Callable[[], Awaitable[bool]], container: str) -> None:
        deadline = asyncio.get_running_loop().time() + START_SECONDS
        while not await check():
            if not self.running(container):
                raise PodError(f"{self.name}: {container} ended:\n{self.log(container)[-LOG_TAIL:]}")
            if asyncio.get_running_loop().time() > deadline:
                raise PodError(f"{self.name}: {container} is not ready:\n{self.log(container)[-LOG_TAIL:]}")
            await asyncio.sleep(0.05)

    async def _answers(self, port: int, path: str) -> bool:
        """Ask as the kubelet does: from the node, by the address of the pod."""
        session = aiohttp.ClientSession(connector=connector_in(self._node.netns), timeout=aiohttp.ClientTimeout(2))
        try:
            async with session, session.get(f"http://{self.address}:{port}{path}") as response:
                return response.status < 400
        except (aiohttp.ClientError, OSError, TimeoutError):
            return False

    async def _listens(self, port: int) -> bool:
        try:
            (await connected(self.netns.socket(), "127.0.0.1", port)).close()
        except OSError:
            return False
        return True

    async def _end(self, container: RawObject, *, at_once: bool) -> None:
        process = self._processes[container["name"]]
        if process.returncode is not None:
            return
        if not at_once:
            await asyncio.sleep(container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0))
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), 2 if at_once else GRACE_SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()

    def _log(self, container: str) -> Path:
        return self._node.folder / f"{self.name}.{container}.log"


def connector_in(netns: Netns, resolver: AbstractResolver | None = None) -> aiohttp.TCPConnector:
    """Return what opens the connections of an HTTP client in a namespace."""
    return aiohttp.TCPConnector(
        limit=64,
        resolver=resolver,
        use_dns_cache=False,
        socket_factory=lambda info: netns.socket(socket.SocketKind(info[1]), family=info[0]),
    )


def _expand(text: str, environment: Mapping[str, str]) -> str:
    """Replace ``$(NAME)`` as Kubernetes does: ``$$`` is a dollar sign, and unknown names stay as they are."""
    return _VARIABLE.sub(lambda found: "$" if found[0] == "$$" else environment.get(found[1], found[0]), text)
