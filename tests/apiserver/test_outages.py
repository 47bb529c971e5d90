"""Trouble with the API server while a real Envoy serves a steady load: no request fails, and what happened meanwhile is caught up."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest

from meshctl_operator.kube.permissions import WEBHOOK_CONFIGURATION
from tests.support.ads_bootstrap import ads_bootstrap
from tests.support.api_server import ApiServer, ApiServerError, free_port
from tests.support.envoy_process import EnvoyProcess
from tests.support.meshes import RawObject, istio
from tests.support.operator_process import CONFIGURATIONS, install_webhook, next_event, serving, uninstall_webhook
from tests.support.tcp_proxy import TcpProxy
from tests.support.upstreams import upstream

pytestmark = [pytest.mark.apiserver, pytest.mark.envoy, pytest.mark.timeout(180)]

CATCH_UP = 60.0
BEAT = 0.01  # seconds between two requests of the load


def backend(name: str, port: int) -> RawObject:
    """Return a ServiceEntry for a server on loopback, which no EndpointSlice may have."""
    ports = [{"number": 80, "name": "http", "protocol": "HTTP"}]
    endpoints = [{"address": "127.0.0.1", "ports": {"http": port}}]
    return istio("ServiceEntry", name, {"hosts": [f"{name}.test"], "ports": ports, "resolution": "STATIC", "endpoints": endpoints})


def rule(name: str, target: str) -> RawObject:
    """Return the rule of a host of the gateway."""
    route = [{"destination": {"host": f"{target}.test", "port": {"number": 80}}}]
    return istio("VirtualService", name, {"hosts": [f"{name}.example.com"], "gateways": ["gw"], "http": [{"route": route}]})


async def until(check: Callable[[], Awaitable[bool]]) -> None:
    """Wait until a condition on other processes holds."""
    async with asyncio.timeout(CATCH_UP):
        while not await check():  # noqa: ASYNC110  (they have no event to wait for)
            await asyncio.sleep(BEAT)


@dataclass
class Load:
    """Requests to the host ``main`` without a pause; everything but an answer of a backend is a loss."""

    url: str
    http: aiohttp.ClientSession
    lost: list[str] = field(default_factory=list)
    served: int = 0

    async def ask(self, name: str) -> str:
        """Return which backend answers for a host, or the status of another answer."""
        async with self.http.get(self.url, headers={"Host": f"{name}.example.com"}) as response:
            return await response.text() if response.status == 200 else str(response.status)

    async def run(self) -> None:
        """Ask until cancelled."""
        while True:
            try:
                answer = await self.ask("main")
            except aiohttp.ClientError as error:
                answer = repr(error)
            if answer in {"one", "two"}:
                self.served += 1
            else:
                self.lost.append(answer)
            await asyncio.sleep(BEAT)

    async def until(self, name: str, expected: str) -> None:
        """Wait until a host is answered as expected."""

        async def is_answered() -> bool:
            return await self.ask(name) == expected

        await until(is_answered)


@contextmanager
def operator(server: ApiServer, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], TcpProxy]]:
    """Run the operator, which reaches the API server through a proxy."""
    with TcpProxy(server.port) as proxy:
        kubeconfig = server.kubeconfig(server=f"https://127.0.0.1:{proxy.port}", name="kubeconfig-proxy")
        with serving(server, *arguments, kubeconfig=kubeconfig) as process:
            yield process, proxy


@asynccontextmanager
async def under_load(server: ApiServer, folder: Path, xds: str) -> AsyncIterator[Load]:
    """Let an Envoy serve the hosts ``main`` and ``extra`` for the length of a block, and fail if a request was lost."""
    port = free_port()
    servers = [{"port": {"number": port, "name": "http", "protocol": "HTTP"}, "hosts": ["*"], "bind": "127.0.0.1"}]
    bootstrap = ads_bootstrap(xds, "router~127.0.0.1~gw.default~default.svc.cluster.local", ["cds", "lds"])
    bootstrap["node"]["metadata"] = {"LABELS": {"app": "gw"}, "NAMESPACE": "default"}
    async with upstream("one") as one, upstream("two") as two:
        server.apply(backend("one", one), backend("two", two), istio("Gateway", "gw", {"selector": {"app": "gw"}, "servers": servers}))
        server.apply(rule("main", "one"), rule("extra", "two"))
        async with EnvoyProcess(bootstrap, folder) as envoy, aiohttp.ClientSession() as http:
            load = Load(f"http://127.0.0.1:{port}/", http)

            async def is_served() -> bool:
                try:
                    return (await load.ask("main"), await load.ask("extra")) == ("one", "two")
                except aiohttp.ClientError:
                    return False

            await envoy.wait_until(is_served, "both hosts are served")
            running = asyncio.create_task(load.run())
            try:
                yield load
            finally:
                running.cancel()
            assert load.lost == []
            assert load.served > 0


async def more(load: Load, requests: int) -> None:
    """Wait for further requests to be served."""
    wanted = load.served + requests

    async def are_served() -> bool:
        return load.served >= wanted or bool(load.lost)

    await until(are_served)


async def test_an_api_server_that_is_away(server: ApiServer, tmp_path: Path) -> None:
    """Nothing changes meanwhile; deletions that are made as soon as it is back, before anybody watches again, are found."""
    with operator(server) as (process, _):
        xds = next_event(process)["xds"]
        async with under_load(server, tmp_path, xds) as load:
            server.stop()
            await more(load, 200)
            assert await load.ask("extra") == "two"
            await asyncio.to_thread(server.start)
            server.delete(rule("extra", "two"))
            server.apply(rule("main", "two"))
            await load.until("main", "two")
            await load.until("extra", "404")


async def test_an_api_server_that_has_forgotten(server: ApiServer, tmp_path: Path) -> None:
    """After a compaction and a restart every watch gets 410 for where it was: all is listed again."""
    with operator(server) as (process, proxy):
        xds = next_event(process)["xds"]
        async with under_load(server, tmp_path, xds) as load:
            proxy.refuse(refusing=True)
            server.delete(rule("extra", "two"))
            server.apply(rule("main", "two"))
            server.compact()
            server.stop()
            await asyncio.to_thread(server.start)
            await more(load, 100)
            assert (await load.ask("main"), await load.ask("extra")) == ("one", "two")
            proxy.refuse(refusing=False)
            await load.until("main", "two")
            await load.until("extra", "404")


async def test_watches_that_are_cut(server: ApiServer, tmp_path: Path) -> None:
    """Again and again, with a change between two cuts: each of them arrives."""
    with operator(server) as (process, proxy):
        xds = next_event(process)["xds"]
        async with under_load(server, tmp_path, xds) as load:
            for target in ("two", "one", "two", "one"):
                proxy.cut()
                server.apply(rule("main", target))
                await load.until("main", target)
            proxy.cut()
            server.delete(rule("extra", "two"))
            await load.until("extra", "404")


async def test_a_webhook_that_is_away(server: ApiServer, tmp_path: Path) -> None:
    """Nobody but who applies something notices; the installer chose whether that is refused or let through."""
    with operator(server, "--webhook", "127.0.0.1:0") as (process, _):
        listening = next_event(process)
        async with under_load(server, tmp_path, listening["xds"]) as load:
            webhook: str = listening["webhook"]
            with TcpProxy(int(webhook.rpartition(":")[2])) as before:
                await asyncio.to_thread(install_webhook, server, f"127.0.0.1:{before.port}", failure_policy="Fail")
                try:
                    server.apply(rule("main", "two"))
                    await load.until("main", "two")
                    before.refuse(refusing=True)
                    with pytest.raises(ApiServerError, match="failed calling webhook"):
                        server.apply(rule("main", "one"))
                    await more(load, 50)
                    patch = [{"op": "replace", "path": "/webhooks/0/failurePolicy", "value": "Ignore"}]
                    server.request("PATCH", f"{CONFIGURATIONS}/{WEBHOOK_CONFIGURATION}", patch, content="application/json-patch+json")
                    await until(lambda: _is_stored(server, rule("main", "one")))
                    await load.until("main", "one")
                finally:
                    uninstall_webhook(server)


async def _is_stored(server: ApiServer, given: RawObject) -> bool:
    """Apply an object; returns whether it was taken."""
    try:
        server.apply(given)
    except ApiServerError:
        return False
    return True
