"""A cluster for tests: one node, pods as network namespaces on its bridge, DNS, and the control plane as a process on the node.

What an API server and its controllers would do is done by hand: pods get addresses, Services cluster addresses and EndpointSlices, all of
it as files in the directory that ``meshctl serve`` watches. Nothing of the host changes: the node is a network namespace itself.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import aiohttp
import yaml
from aiohttp.abc import AbstractResolver, ResolveResult

from meshctl_operator.injector.settings import InjectorSettings
from meshctl_operator.injector.webhook import review
from tests.support.dns_server import DnsServer
from tests.support.envoy_versions import newest
from tests.support.json_patch import apply_patch
from tests.support.netns import Netns
from tests.support.pods import Node, Pod, RawObject, connector_in

NODE_ADDRESS: Final = "10.231.0.1"
OUTSIDE_ADDRESS: Final = "198.51.100.10"
OUTSIDE_GATEWAY: Final = "198.51.100.1"
XDS_PORT: Final = 15010
HTTP_PORT: Final = 15014
EVENT_SECONDS: Final = 30.0
SETTLE_SECONDS: Final = 0.1  # Envoy's workers take a change over a moment after its main thread has acknowledged it
SERVICE_NAME_LABEL: Final = "kubernetes.io/service-name"

SETTINGS: Final = InjectorSettings(xds_host=NODE_ADDRESS, xds_port=XDS_PORT, concurrency=1, termination_drain_seconds=1)

MESH_CONFIG: Final[dict[str, object]] = {"enableAutoMtls": False}

Key = tuple[str, str, str]


def key_of(raw: RawObject) -> Key:
    """Return kind, namespace and name; what belongs to no namespace has none."""
    meta = raw["metadata"]
    return raw["kind"], "" if raw["kind"] in ("Namespace", "Node") else meta.get("namespace", "default"), meta["name"]


class PodCluster:
    """The cluster; ``async with PodCluster() as cluster`` makes one and takes it away, whatever happens."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="meshctl-pods-"))
        self.folder.chmod(0o755)  # other users read from it: Envoy runs as one
        self.objects: dict[Key, RawObject] = {}
        self.pods: dict[str, Pod] = {}
        self.events: list[dict[str, Any]] = []
        self.names: dict[str, tuple[str, ...]] = {}
        self.outside = Netns("outside")
        self._netns = Netns("node")
        self._config = self.folder / "config"
        self._written: dict[Key, str] = {}
        self._addresses = iter(range(2, 60_000))
        self._service_addresses = iter(range(10, 60_000))
        self._grown = asyncio.Condition()
        self._plane: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._dns = DnsServer(self.resolve)
        self._sessions: list[aiohttp.ClientSession] = []
        self.node = Node(self._netns, NODE_ADDRESS, self.folder / "resolv.conf", self.folder / "envoy", self.folder)

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.stop()

    async def start(self) -> None:
        """Make the node with its bridge, the outside world behind a router, DNS and the control plane."""
        self._config.mkdir()
        _provide(newest(), self.node.envoy)
        self.node.resolv_conf.write_text(
            f"nameserver {NODE_ADDRESS}\nsearch default.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5\n"
        )
        self._netns.create()
        self._netns.ip("link", "add", "br0", "type", "bridge")
        self._netns.ip("addr", "add", f"{NODE_ADDRESS}/16", "dev", "br0")
        self._netns.ip("link", "set", "br0", "up")
        self._netns.run("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
        self.outside.create()
        self._netns.ip("link", "add", "out0", "type", "veth", "peer", "name", "eth0", "netns", self.outside.name)
        self._netns.ip("addr", "add", f"{OUTSIDE_GATEWAY}/24", "dev", "out0")
        self._netns.ip("link", "set", "out0", "up")
        self.outside.ip("addr", "add", f"{OUTSIDE_ADDRESS}/24", "dev", "eth0")
        self.outside.ip("link", "set", "eth0", "up")
        self.outside.ip("route", "add", "default", "via", OUTSIDE_GATEWAY)
        resolver = self._netns.socket(socket.SOCK_DGRAM)
        resolver.bind((NODE_ADDRESS, 53))
        await self._dns.start(resolver)
        await self._start_plane()

    async def stop(self) -> None:
        """End everything."""
        for session in self._sessions:
            await session.close()
        await asyncio.gather(*(pod.stop(at_once=True) for pod in self.pods.values()), return_exceptions=True)
        if self._plane is not None and self._plane.returncode is None:
            self._plane.send_signal(signal.SIGTERM)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._plane.wait(), 10)
            if self._plane.returncode is None:
                self._plane.kill()
        if self._reader is not None:
            await self._reader
        await self._dns.close()
        self.outside.delete()
        self._netns.delete()
        shutil.rmtree(self.folder)

    def resolve(self, name: str) -> tuple[str, ...]:
        """Return the addresses of a name as the DNS of a cluster does: Services, addresses of headless ones, pods of those, names of others."""
        if name in self.names:
            return self.names[name]
        parts = name.split(".")
        if parts[-3:] != ["svc", "cluster", "local"] or len(parts) not in (5, 6):
            return ()
        service = self.objects.get(("Service", parts[-4], parts[-5]))
        if service is None:
            return ()
        address = service["spec"].get("clusterIP", "None")
        if address != "None":
            return (address,) if len(parts) == 5 else ()
        pods = [pod for pod in self.pods.values() if _selects(service, pod.raw) and _is_ready(pod.raw)]
        return tuple(pod.address for pod in pods if len(parts) == 5 or pod.raw["spec"].get("hostname", pod.name) == parts[0])

    def client(self, netns: Netns) -> aiohttp.ClientSession:
        """Return an HTTP client whose connections begin in a namespace, with the names of the cluster. It is closed with the cluster."""
        session = aiohttp.ClientSession(connector=connector_in(netns, _Resolver(self)), cookie_jar=aiohttp.DummyCookieJar())
        self._sessions.append(session)
        return session

    async def apply(self, *objects: RawObject) -> None:
        """Put objects into the cluster and wait until every proxy has what follows from them."""
        for raw in objects:
            self.add(raw)
        await self.publish()

    async def delete(self, *keys: Key) -> None:
        """Take objects out of the cluster and wait as ``apply`` does."""
        for key in keys:
            self.objects.pop(key, None)
        await self.publish()

    def add(self, raw: RawObject) -> None:
        """Put an object into the cluster without telling anybody yet. A Service without a cluster address gets one."""
        if raw["kind"] == "Service" and raw["spec"].get("type") != "ExternalName" and "clusterIP" not in raw["spec"]:
            known = self.objects.get(key_of(raw), {}).get("spec", {}).get("clusterIP")
            number = next(self._service_addresses) if known is None else 0
            raw = {**raw, "spec": {**raw["spec"], "clusterIP": known or f"10.96.{number // 250}.{number % 250 + 1}"}}
        self.objects[key_of(raw)] = raw

    async def publish(self, *, wait: bool = True) -> None:
        """Write what has changed, EndpointSlices included, and wait until every proxy has it."""
        since = len(self.events)
        changed = self._write()
        if wait and changed:
            await self._told(changed, since)
            await self.synced()

    async def configure(self, **fields: object) -> None:
        """Set fields of the MeshConfig; without any it is as it was."""
        since = len(self.events)
        draft = self.folder / "draft"
        draft.write_text(yaml.safe_dump({**MESH_CONFIG, **fields}))
        draft.rename(self.folder / "mesh-config.yaml")
        await self._told([], since)
        await self.synced()

    async def synced(self) -> None:
        """Wait until every proxy has acknowledged what it should hold."""
        session = self.client(self._netns)
        try:
            async with asyncio.timeout(EVENT_SECONDS):
                while True:
                    async with session.get(f"http://{NODE_ADDRESS}:{HTTP_PORT}/debug/syncz") as response:
                        if all(row.get("synced") for row in await response.json()):
                            break
                    await asyncio.sleep(0.01)
        finally:
            self._sessions.remove(session)
            await session.close()
        await asyncio.sleep(SETTLE_SECONDS)

    async def debug(self, page: str, **query: str) -> Any:
        """Return a debug page of the control plane."""
        async with self.client(self._netns).get(f"http://{NODE_ADDRESS}:{HTTP_PORT}/debug/{page}", params=query) as response:
            return await response.json()

    def place(self, name: str, template: RawObject, namespace: str = "default") -> Pod:
        """Return a pod of a template at an address of its own, with the sidecar that the webhook gives it; it is not started yet."""
        number = next(self._addresses)
        address = f"10.231.{number // 250}.{number % 250 + 2}"
        meta = {**template.get("metadata", {}), "name": name, "namespace": namespace}
        status = {"podIP": address, "podIPs": [{"ip": address}], "hostIP": NODE_ADDRESS, "phase": "Pending", "conditions": []}
        raw = {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": {**template["spec"], "nodeName": "node"}}
        pod = self.pods[name] = Pod(self.node, {**_admitted(raw), "status": status})
        return pod

    async def start_pods(self, *pods: Pod) -> None:
        """Start pods, which are known to the control plane before they run and get requests when they are ready."""
        for pod in pods:
            self.add(pod.raw)
        await self.publish()
        await asyncio.gather(*(pod.start() for pod in pods))
        for pod in pods:
            pod.raw["status"] |= {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
        await self.publish()

    async def stop_pod(self, pod: Pod) -> None:
        """End a pod as Kubernetes does: it leaves the EndpointSlices and gets its signal at the same time, and is deleted in the end."""
        pod.raw["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
        await self.publish(wait=False)
        await pod.stop()
        del self.pods[pod.name]
        self.objects.pop(key_of(pod.raw), None)
        await self.publish(wait=False)

    def _write(self) -> list[Key]:
        """Write one file for each object that is new or other than before; returns the keys of what changed."""
        wanted = {**self.objects, **{key_of(raw): raw for raw in self._slices()}}
        changed = []
        for key, raw in wanted.items():
            text = json.dumps(raw)
            if self._written.get(key) != text:
                draft = self.folder / "draft"
                draft.write_text(text)
                draft.rename(self._path(key))
                self._written[key] = text
                changed.append(key)
        for key in [key for key in self._written if key not in wanted]:
            self._path(key).unlink()
            del self._written[key]
            changed.append(key)
        return changed

    def _path(self, key: Key) -> Path:
        return self._config / f"{'-'.join(key)}.json"

    def _slices(self) -> Iterable[RawObject]:
        for (kind, namespace, name), service in self.objects.items():
            if kind == "Service" and service["spec"].get("selector"):
                pods = [pod.raw for pod in self.pods.values() if _selects(service, pod.raw)]
                yield _slice(service, namespace, name, pods)

    async def _told(self, keys: Iterable[Key], since: int) -> None:
        """Wait until the control plane says that it took the changes over."""
        silent = {"Deployment", "ServiceAccount"}  # kinds that change nothing that is served
        missing = {"/".join(filter(None, key)) for key in keys if key[0] not in silent}

        def told() -> set[str]:
            return {name for event in self.events[since:] if event["event"] == "config" for name in event["changed"]}

        try:
            async with asyncio.timeout(EVENT_SECONDS), self._grown:
                await self._grown.wait_for(lambda: missing <= told() and any(event["event"] == "config" for event in self.events[since:]))
        except TimeoutError:
            raise AssertionError(f"the control plane never spoke of {sorted(missing - told())}; its log:\n{self._plane_log()}") from None

    def _plane_log(self) -> str:
        return (self.folder / "plane.log").read_text(errors="replace")[-3000:]

    async def _start_plane(self) -> None:
        mesh = self.folder / "mesh-config.yaml"
        mesh.write_text(yaml.safe_dump(MESH_CONFIG))
        command = self._netns.command(
            *(sys.executable, "-m", "meshctl_operator.cli.main", "serve", "--config-dir", self._config, "--mesh-config", mesh),
            *("--xds", f"{NODE_ADDRESS}:{XDS_PORT}", "--http", f"{NODE_ADDRESS}:{HTTP_PORT}", "-o", "json", "--events", "acks"),
            "--remote-debug",
        )
        with (self.folder / "plane.log").open("wb") as log:
            self._plane = await asyncio.create_subprocess_exec(
                *command, stdout=asyncio.subprocess.PIPE, stderr=log, stdin=asyncio.subprocess.DEVNULL, limit=2**22, env=dict(os.environ)
            )
        self._reader = asyncio.create_task(self._read(self._plane))
        try:
            async with asyncio.timeout(EVENT_SECONDS), self._grown:
                await self._grown.wait_for(lambda: any(event["event"] == "synced" for event in self.events))
        except TimeoutError:
            raise AssertionError(f"the control plane did not start:\n{self._plane_log()}") from None

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            async with self._grown:
                self.events.append(json.loads(line))
                self._grown.notify_all()


class _Resolver(AbstractResolver):
    """Names of the cluster for the HTTP client of a test."""

    def __init__(self, cluster: PodCluster) -> None:
        self._cluster = cluster

    async def resolve(self, host: str, port: int = 0, family: int = 2) -> list[ResolveResult]:
        """Return the addresses, in the search order of a pod in the namespace ``default``."""
        for name in (f"{host}.default.svc.cluster.local", f"{host}.svc.cluster.local", host):
            found = self._cluster.resolve(name)
            if found:
                return [ResolveResult(hostname=host, host=each, port=port, family=family, proto=0, flags=0) for each in found]
        raise OSError(f"no such host: {host}")

    async def close(self) -> None:
        """Do nothing: there is nothing to close."""


def _admitted(pod: RawObject) -> RawObject:
    """Return a pod as it is when the webhook has seen it. Raises AssertionError if it is refused."""
    answer = review({"kind": "AdmissionReview", "request": {"uid": "1", "kind": {"kind": "Pod"}, "object": pod}}, SETTINGS)
    response: Any = answer["response"]
    assert response["allowed"], response
    if "patch" in response:
        apply_patch(pod, json.loads(base64.b64decode(response["patch"])))
    return pod


def _provide(binary: Path, target: Path) -> None:
    """Make a binary runnable by other users, who may not reach it where it lies."""
    try:
        target.hardlink_to(binary)
    except OSError:
        shutil.copy(binary, target)
    target.chmod(0o755)


def _selects(service: RawObject, pod: RawObject) -> bool:
    labels: Mapping[str, str] = pod["metadata"].get("labels", {})
    selector: Mapping[str, str] = service["spec"].get("selector") or {}
    same = service["metadata"].get("namespace", "default") == pod["metadata"]["namespace"]
    return same and bool(selector) and selector.items() <= labels.items()


def _is_ready(pod: RawObject) -> bool:
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in pod["status"]["conditions"])


def _slice(service: RawObject, namespace: str, name: str, pods: list[RawObject]) -> RawObject:
    endpoints = []
    for pod in pods:
        leaving = "deletionTimestamp" in pod["metadata"]
        ready = _is_ready(pod)
        endpoints.append(
            {
                "addresses": [pod["status"]["podIP"]],
                "conditions": {"ready": ready and not leaving, "serving": ready, "terminating": leaving},
                "nodeName": "node",
                "targetRef": {"kind": "Pod", "namespace": namespace, "name": pod["metadata"]["name"]},
            }
        )
    ports = [
        {"name": port.get("name", ""), "port": port.get("targetPort", port["port"]), "protocol": port.get("protocol", "TCP")}
        for port in service["spec"]["ports"]
    ]
    meta = {"name": f"{name}-1", "namespace": namespace, "labels": {SERVICE_NAME_LABEL: name}}
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "addressType": "IPv4",
        "metadata": meta,
        "endpoints": endpoints,
        "ports": ports,
    }
