"""The whole story: CRDs, the operator, bookinfo, a port that opens, and a status after which the next request goes by the new rule."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from aiohttp import web

from meshctl_operator.xds.resources import TypeUrl
from tests.support.ads_bootstrap import ads_bootstrap
from tests.support.api_server import ApiServer, free_port
from tests.support.envoy_process import EnvoyProcess
from tests.support.meshes import RawObject, istio
from tests.support.operator_process import conditions, next_event, serving, wait_for_condition
from tests.support.xds_client import XdsClient

pytestmark = [pytest.mark.apiserver, pytest.mark.envoy, pytest.mark.timeout(300)]

ROOT = Path(__file__).resolve().parents[2]
BOOKINFO = ROOT / "examples" / "bookinfo" / "mesh"
VERSIONS = ("v1", "v2", "v3")
FLIPS = 100


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """An API server that has nothing but our CRDs."""
    with ApiServer(tmp_path_factory.mktemp("story")) as server:
        server.kubectl("apply", "-f", str(ROOT / "crds"))
        server.kubectl("wait", "--for=condition=Established", "--timeout=20s", "-f", str(ROOT / "crds"))
        server.namespace("istio-system")
        yield server


async def kubectl(server: ApiServer, *arguments: str, stdin: str | None = None) -> str:
    """Run kubectl while the loop goes on."""
    done = await asyncio.to_thread(server.kubectl, *arguments, stdin=stdin)
    return done.stdout


async def apply(server: ApiServer, *objects: RawObject) -> None:
    """Apply objects by kubectl."""
    await kubectl(server, "apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)}))


async def programmed(server: ApiServer, name: str) -> None:
    """Wait by kubectl until an object is in force."""
    await kubectl(server, "wait", "--for=condition=Programmed", "--timeout=20s", name)


def bookinfo(port: int) -> list[RawObject]:
    """Return the objects of bookinfo, with another port for its gateway."""
    text = "\n---\n".join(path.read_text() for path in sorted(BOOKINFO.glob("*.yaml")))
    found = [document for document in yaml.safe_load_all(text) if document]
    for document in found:
        if document["kind"] == "Gateway":
            document["spec"]["servers"][0]["port"]["number"] = port
    return found


@asynccontextmanager
async def workloads() -> AsyncIterator[list[RawObject]]:
    """Run the workloads of bookinfo that requests come to; yields them as the objects that let Services select them."""

    def answering(text: str) -> web.Application:
        async def handle(_: web.Request) -> web.Response:
            return web.Response(text=text)

        application = web.Application()
        application.router.add_route("*", "/{path:.*}", handle)
        return application

    found = []
    async with AsyncExitStack() as stack:
        for app, version in (("productpage", "v1"), *(("reviews", version) for version in VERSIONS)):
            runner = web.AppRunner(answering(f"{app} {version}"))
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            spec = {"address": "127.0.0.1", "labels": {"app": app, "version": version}, "ports": {"http": runner.addresses[0][1]}}
            found.append(istio("WorkloadEntry", f"{app}-{version}", spec))
        yield found


def reviews_rule(*weights: tuple[str, int]) -> RawObject:
    """Return the rule that sends what comes through the gateway, and what sidecars send, to versions of the reviews."""
    route = [{"destination": {"host": "reviews", "subset": subset}, "weight": weight} for subset, weight in weights]
    spec = {"hosts": ["reviews", "reviews.example.com"], "gateways": ["mesh", "bookinfo-gateway"], "http": [{"route": route}]}
    return istio("VirtualService", "reviews", spec)


def sidecar(address: str, name: str) -> XdsClient:
    """Return a sidecar that does what Envoy does."""
    return XdsClient(address, node_id=f"sidecar~10.0.0.9~{name}.default~default.svc.cluster.local")


@asynccontextmanager
async def gateway(address: str, folder: Path) -> AsyncIterator[EnvoyProcess]:
    """Run a real Envoy as the ingress gateway."""
    bootstrap: dict[str, Any] = ads_bootstrap(
        address, "router~127.0.0.1~ingress.istio-system~istio-system.svc.cluster.local", ["cds", "lds"]
    )
    bootstrap["node"]["metadata"] = {"LABELS": {"istio": "ingressgateway"}, "NAMESPACE": "istio-system"}
    async with EnvoyProcess(bootstrap, folder) as envoy:
        yield envoy


async def test_from_an_empty_cluster_to_traffic_that_follows_the_status(cluster: ApiServer, tmp_path: Path) -> None:
    """Nothing is believed before it is true: after each ``kubectl wait`` the very next request goes by the new rule."""
    port = free_port()
    async with AsyncExitStack() as stack:
        process = stack.enter_context(serving(cluster))
        address = (await asyncio.to_thread(next_event, process))["xds"]
        await asyncio.to_thread(next_event, process, "synced")
        envoy = await stack.enter_async_context(gateway(address, tmp_path))
        entries = await stack.enter_async_context(workloads())
        http = await stack.enter_async_context(aiohttp.ClientSession())

        async def answer(path: str, host: str = "bookinfo.example.com") -> str:
            async with http.get(f"http://127.0.0.1:{port}{path}", headers={"host": host}) as response:
                return await response.text()

        await apply(cluster, *bookinfo(port))
        await apply(cluster, *entries)

        async def open_now() -> bool:
            with contextlib.suppress(aiohttp.ClientError):
                return await answer("/productpage") == "productpage v1"
            return False

        await envoy.wait_until(open_now, "the gateway's port is open")
        for name in ("gateway/bookinfo-gateway", "virtualservice/bookinfo"):
            await programmed(cluster, name)

        # weights and subsets, through the gateway
        one, two = await stack.enter_async_context(sidecar(address, "one")), await stack.enter_async_context(sidecar(address, "two"))
        await one.follow()
        await two.follow()
        await apply(cluster, reviews_rule(("v1", 100)))
        await programmed(cluster, "virtualservice/reviews")
        for flip in range(1, FLIPS + 1):
            expected, other = VERSIONS[flip % 3], VERSIONS[(flip + 1) % 3]
            weights = ((expected, 100), (other, 0)) if flip % 2 else ((expected, 100),)
            await apply(cluster, reviews_rule(*weights))
            await programmed(cluster, "virtualservice/reviews")
            assert await answer("/reviews/1", "reviews.example.com") == f"reviews {expected}", f"flip {flip}"

        # one proxy of three does not answer
        held = {TypeUrl.ROUTE, TypeUrl.VIRTUAL_HOST}
        one.hold = held
        rule = reviews_rule(("v3", 60), ("v2", 40))
        await apply(cluster, rule)
        pending = await asyncio.to_thread(wait_for_condition, cluster, rule, "Programmed", "Pending")
        assert (pending["status"], pending["message"]) == ("False", "2/3 proxies; waiting for one.default")
        one.hold = set()
        for received in tuple(one.unanswered):
            await one.ack(received)
        await programmed(cluster, "virtualservice/reviews")
        assert conditions(cluster, rule)["Programmed"]["message"] == "3/3 proxies"
