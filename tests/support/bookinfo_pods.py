"""Bookinfo as pods: the manifests of the example, injected, its services as they are, with no proxy in their environment."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
from types import TracebackType
from typing import Any, Self

import aiohttp
import yaml

from meshctl_operator.controlplane.certificates import throw_away_certificate
from tests.support.dev_mesh import BOOKINFO, OUTSIDE
from tests.support.netns import connected
from tests.support.pod_cluster import OUTSIDE_ADDRESS, PodCluster, key_of
from tests.support.pods import Pod, RawObject

HOST = "bookinfo.example.org"
GATEWAY = "istio-ingressgateway"
EGRESS = "istio-egressgateway"


class BookinfoPods:
    """The running example with a pod for each Deployment (named as it), and one called ``client`` that has nothing but a sidecar."""

    def __init__(self) -> None:
        self.cluster = PodCluster()
        self.services = self.cluster.folder / "services"
        self._deployments: dict[str, RawObject] = {}
        self._outside: asyncio.subprocess.Process | None = None
        self._scenario: list[tuple[str, str, str]] = []
        self._visitor: aiohttp.ClientSession | None = None

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
        """Start everything and wait until all pods are ready."""
        cluster = self.cluster
        shutil.copytree(BOOKINFO / "services", self.services, ignore=shutil.ignore_patterns("__pycache__"))
        await cluster.start()
        cluster.names["quotes.example.org"] = (OUTSIDE_ADDRESS,)
        commands = {
            entry["deployment"]: entry["command"] for entry in yaml.safe_load((BOOKINFO / "meshctl-dev.yaml").read_text())["workloads"]
        }
        for raw in self._documents("mesh"):
            if raw["kind"] == "Deployment":
                self._deployments[raw["metadata"]["name"]] = self._runnable(raw, commands)
            else:
                cluster.add(raw)
        pair = throw_away_certificate((HOST, "localhost"))
        data = {name: base64.b64encode(text.encode()).decode() for name, text in (("tls.crt", pair.certificate), ("tls.key", pair.key))}
        meta = {"name": "bookinfo-cert", "namespace": "istio-system"}
        cluster.add({"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls", "metadata": meta, "data": data})
        await cluster.publish()
        self._outside = await self._run_outside()
        client = cluster.place("client", {"metadata": {"labels": {"app": "client"}}, "spec": {"containers": []}})
        pods = [self.place(name, name) for name in self._deployments]
        await cluster.start_pods(client, *pods)
        self._visitor = cluster.client(cluster.outside)

    async def stop(self) -> None:
        """End everything."""
        outside, self._outside = self._outside, None
        if outside is not None and outside.returncode is None:
            outside.kill()
            await outside.wait()
        await self.cluster.stop()

    @property
    def client(self) -> Pod:
        """The pod from which a test calls as an application would."""
        return self.cluster.pods["client"]

    @property
    def visitor(self) -> aiohttp.ClientSession:
        """A client outside of the cluster."""
        assert self._visitor is not None, "bookinfo is not running"
        return self._visitor

    def pod(self, name: str) -> Pod:
        """Return a pod by its name."""
        return self.cluster.pods[name]

    def template(self, deployment: str) -> RawObject:
        """Return a copy of the pod template of a Deployment."""
        template: RawObject = json.loads(json.dumps(self._deployments[deployment]["spec"]["template"]))
        return template

    def place(self, deployment: str, name: str) -> Pod:
        """Return one more pod of a Deployment, which is not started yet."""
        return self.cluster.place(name, self.template(deployment), self._deployments[deployment]["metadata"]["namespace"])

    def gateway(self, port: int = 8080) -> str:
        """Return where a port of the ingress gateway is reached."""
        return f"{self.pod(GATEWAY).address}:{port}"

    async def apply(self, scenario: str) -> None:
        """Lay a scenario over the mesh and wait until every proxy has it."""
        objects = self._documents(f"scenarios/{scenario}")
        self._scenario = [key_of(raw) for raw in objects]
        await self.cluster.apply(*objects)

    async def clear(self) -> None:
        """Take the scenario away; what it has replaced is back."""
        keys, self._scenario = self._scenario, []
        before = {key_of(raw): raw for raw in self._documents("mesh")}
        for key in keys:
            self.cluster.objects.pop(key, None)
            if key in before:
                self.cluster.add(before[key])
        await self.cluster.publish()

    async def get(self, path: str, *, user: str = "", **headers: str) -> tuple[int, str]:
        """Request a path from the ingress gateway, from outside of the cluster; returns status and body."""
        send = {"host": HOST, **({"end-user": user} if user else {}), **{name.replace("_", "-"): value for name, value in headers.items()}}
        async with self.visitor.get(f"http://{self.gateway()}{path}", headers=send, allow_redirects=False) as response:
            return response.status, await response.text()

    async def product(self, *, user: str = "", **headers: str) -> dict[str, Any]:
        """Return the facts of the product; asserts that they came."""
        status, body = await self.get("/api/v1/products/0", user=user, **headers)
        assert status == 200, f"{status}: {body}"
        page: dict[str, Any] = json.loads(body)
        return page

    async def reviewers(self, count: int, *, user: str = "", at_once: int = 8) -> dict[str, int]:
        """Return how many of ``count`` requests each workload of reviews answered."""
        seen: dict[str, int] = {}
        left = iter(range(count))

        async def ask() -> None:
            for _ in left:
                workload = str((await self.product(user=user))["reviews"].get("workload"))
                seen[workload] = seen.get(workload, 0) + 1

        await asyncio.gather(*(ask() for _ in range(at_once)))
        return seen

    def _documents(self, folder: str) -> list[RawObject]:
        """Return the objects of a folder of the example, with the address that the outside world has here."""
        found = []
        for file in sorted((BOOKINFO / folder).glob("*.yaml")):
            found += [raw for raw in yaml.safe_load_all(file.read_text().replace(OUTSIDE, OUTSIDE_ADDRESS)) if raw]
        return found

    def _runnable(self, deployment: RawObject, commands: dict[str, list[str]]) -> RawObject:
        """Return a Deployment whose containers run the services of the example."""
        template = deployment["spec"]["template"]
        for container in template["spec"]["containers"]:
            if deployment["metadata"]["name"] in commands:
                word, script = commands[deployment["metadata"]["name"]]
                container["command"] = [word, str(self.cluster.folder / script)]
        return deployment

    async def _run_outside(self) -> asyncio.subprocess.Process:
        """Run the service that stands for the outside world, and wait until it listens."""
        import sys

        command = self.cluster.outside.command(sys.executable, self.services / "outside.py")
        environment = {"WORKLOAD": "outside", "ADDRESS": OUTSIDE_ADDRESS, "PORT": "8080", "PATH": "/usr/bin:/bin", "PYTHONUNBUFFERED": "1"}
        process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, env=environment
        )
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), 20)
        assert line.startswith(b"listening"), line
        (await connected(self.cluster.outside.socket(), OUTSIDE_ADDRESS, 8080)).close()
        return process
