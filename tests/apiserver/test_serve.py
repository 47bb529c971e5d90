"""``meshctl serve --kubernetes``: from an applied object to what a proxy does."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import aiohttp
import pytest

from meshctl_operator.xds.resources import TypeUrl
from tests.support.ads_bootstrap import ads_bootstrap
from tests.support.api_server import ApiServer, free_port
from tests.support.envoy_process import EnvoyProcess
from tests.support.meshes import RawObject, endpoints, istio, service
from tests.support.operator_process import install_webhook, next_event, serving, uninstall_webhook
from tests.support.upstreams import upstream
from tests.support.xds_client import XdsClient

pytestmark = pytest.mark.apiserver


def test_it_says_what_it_serves_and_ends_in_order(server: ApiServer) -> None:
    """The same events as with files; SIGTERM ends the threads of the watches too, without a word."""
    server.apply(service("a"))
    with serving(server) as process:
        assert next_event(process)["event"] == "listening"
        synced = next_event(process)
        assert (synced["event"], synced["objects"] > 1) == ("synced", True)
        server.apply(service("b"))
        assert next_event(process)["changed"] == ["Service/default/b"]
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=20)
        assert (process.returncode, out, err) == (0, "", "")


async def test_services_and_endpoints_reach_a_proxy(server: ApiServer) -> None:
    """Clusters and endpoints of a sidecar follow the API server."""
    server.apply(service("a", 80), endpoints("a", "10.1.0.1", port=80))
    with serving(server) as process:
        address = next_event(process)["xds"]
        next_event(process, "synced")
        async with XdsClient(address, node_id="sidecar~10.0.0.1~a.default~default.svc.cluster.local") as proxy:
            name = "outbound|80||a.default.svc.cluster.local"

            def addresses() -> list[str]:
                found = proxy.resources.get(TypeUrl.ENDPOINT, {}).get(name)
                hosts = [] if found is None else [host for group in found.endpoints for host in group.lb_endpoints]
                return sorted(host.endpoint.address.socket_address.address for host in hosts)

            await proxy.follow()
            await proxy.wait_for(lambda: addresses() == ["10.1.0.1"])
            server.apply(endpoints("a", "10.1.0.2", "10.1.0.3", port=80))
            await proxy.wait_for(lambda: addresses() == ["10.1.0.2", "10.1.0.3"])


def external(name: str, port: int) -> RawObject:
    """Return a ServiceEntry for a server on loopback, which no EndpointSlice may have."""
    ports = [{"number": 80, "name": "http", "protocol": "HTTP", "targetPort": port}]
    return istio(
        "ServiceEntry", name, {"hosts": [f"{name}.test"], "ports": ports, "resolution": "STATIC", "endpoints": [{"address": "127.0.0.1"}]}
    )


def routed_to(name: str) -> RawObject:
    """Return the rule of the gateway."""
    route = [{"destination": {"host": f"{name}.test", "port": {"number": 80}}}]
    return istio("VirtualService", "rule", {"hosts": ["*"], "gateways": ["gw"], "http": [{"route": route}]})


@pytest.mark.envoy
async def test_an_applied_gateway_opens_its_port_and_routes(server: ApiServer, tmp_path: Path) -> None:
    """``kubectl apply`` of Gateway and VirtualService: a real Envoy listens and sends requests where the rule says, also after an edit."""
    port = free_port()
    servers = [{"port": {"number": port, "name": "http", "protocol": "HTTP"}, "hosts": ["*"]}]
    gateway = istio("Gateway", "gw", {"selector": {"app": "gw"}, "servers": servers})
    async with upstream("one") as one, upstream("two") as two:
        server.apply(external("one", one), external("two", two))
        with serving(server) as process:
            address = next_event(process)["xds"]
            next_event(process, "synced")
            bootstrap = ads_bootstrap(address, "router~127.0.0.1~gw.default~default.svc.cluster.local", ["cds", "lds"])
            bootstrap["node"]["metadata"] = {"LABELS": {"app": "gw"}, "NAMESPACE": "default"}
            async with EnvoyProcess(bootstrap, tmp_path) as envoy, aiohttp.ClientSession() as http:

                async def answers(expected: str) -> bool:
                    try:
                        async with http.get(f"http://127.0.0.1:{port}/") as response:
                            return await response.text() == expected
                    except aiohttp.ClientError:
                        return False

                server.kubectl(
                    "apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": [gateway, routed_to("one")]})
                )
                await envoy.wait_until(lambda: answers("one"), "the rule is in force")
                server.apply(routed_to("two"))
                await envoy.wait_until(lambda: answers("two"), "the edited rule is in force")


@pytest.mark.parametrize("context", ["nobody"])
def test_a_context_that_does_not_exist_is_said_before_anything_starts(server: ApiServer, context: str) -> None:
    """Exit code 64, with the way out."""
    with serving(server, context=context) as process:
        _, err = process.communicate(timeout=30)
    assert process.returncode == 64
    assert err.startswith("error: no API server to read from")
    assert "--context" in err


async def test_kopf_can_run_the_operator(server: ApiServer) -> None:
    """``kopf run`` of the application serves the same."""
    server.apply(service("a", 80))
    xds, http = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
    webhook = f"127.0.0.1:{free_port()}"
    environment = {
        **os.environ,
        "KUBECONFIG": str(server.kubeconfig()),
        "MESHCTL_XDS": xds,
        "MESHCTL_HTTP": http,
        "MESHCTL_WEBHOOK": webhook,
    }
    command = [sys.executable, "-m", "kopf", "run", "--all-namespaces", "--standalone", "-m", "meshctl_operator.kube.application"]
    process = await asyncio.create_subprocess_exec(*command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        async with aiohttp.ClientSession() as session:

            async def is_ready() -> bool:
                try:
                    async with session.get(f"http://{http}/readyz") as response:
                        return response.status == 200
                except aiohttp.ClientError:
                    return False

            while not await is_ready():  # noqa: ASYNC110  (another process has no event to wait for)
                await asyncio.sleep(0.05)
        server.apply(external("late", 81))
        async with XdsClient(xds, node_id="sidecar~10.0.0.1~a.default~default.svc.cluster.local") as proxy:
            await proxy.follow()
            wanted = {"outbound|80||a.default.svc.cluster.local", "outbound|80||late.test"}
            await proxy.wait_for(lambda: wanted <= set(proxy.names(TypeUrl.CLUSTER)))
        await asyncio.to_thread(install_webhook, server, webhook)
    finally:
        uninstall_webhook(server)
        process.terminate()
        await asyncio.wait_for(process.wait(), 30)
