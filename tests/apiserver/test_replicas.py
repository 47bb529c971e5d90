"""Two replicas: one writes for both, and the other one goes on when it is gone."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack

import pytest

from meshctl_operator.xds.resources import TypeUrl
from tests.support.api_server import ApiServer, object_path
from tests.support.meshes import RawObject, endpoints, service, virtual_service
from tests.support.operator_process import conditions, next_event, serving, wait_for_condition
from tests.support.xds_client import XdsClient

pytestmark = [pytest.mark.apiserver, pytest.mark.timeout(180)]

LEASES = "/apis/coordination.k8s.io/v1/namespaces/istio-system/leases"
TAKE_OVER = 20.0


def leader(server: ApiServer) -> str:
    """Return who holds the Lease."""
    found = server.request("GET", f"{LEASES}/meshctl-operator-default")
    holder: str = found["spec"].get("holderIdentity") or ""
    return holder


def sidecar(address: str, name: str) -> XdsClient:
    """Return a sidecar."""
    return XdsClient(address, node_id=f"sidecar~10.0.0.9~{name}.default~default.svc.cluster.local")


def version(server: ApiServer, given: RawObject) -> str:
    """Return the version of an object, which changes with each write."""
    found: str = server.request("GET", object_path(given))["metadata"]["resourceVersion"]
    return found


async def test_the_leader_writes_what_both_know_and_another_takes_over(server: ApiServer) -> None:
    """An answer that is held back at the other replica counts; after a leader is killed nothing is taken back, and status goes on."""
    rule = virtual_service("a", "b")
    server.apply(*(each for name in ("a", "b") for each in (service(name), endpoints(name, "10.1.0.1"))))
    async with AsyncExitStack() as stack:
        first = stack.enter_context(serving(server, environment={"POD_NAME": "first"}))
        one = (await asyncio.to_thread(next_event, first))["xds"]
        await asyncio.to_thread(next_event, first, "synced")
        server.apply(rule)
        await asyncio.to_thread(wait_for_condition, server, rule, "Programmed", "NoProxies")
        assert leader(server).startswith("first-")
        second = stack.enter_context(serving(server, environment={"POD_NAME": "second"}))
        two = (await asyncio.to_thread(next_event, second))["xds"]
        await asyncio.to_thread(next_event, second, "synced")
        near, far = await stack.enter_async_context(sidecar(one, "near")), await stack.enter_async_context(sidecar(two, "far"))
        await near.follow()
        await far.follow()
        told = await asyncio.to_thread(wait_for_condition, server, rule, "Programmed", "Programmed")
        assert told["message"] in {"1/1 proxy", "2/2 proxies"}

        far.hold = {TypeUrl.ROUTE, TypeUrl.VIRTUAL_HOST}
        edited = virtual_service("a", "a")
        server.apply(edited)
        told = await asyncio.to_thread(wait_for_condition, server, edited, "Programmed", "Pending")
        assert told["message"] == "1/2 proxies; waiting for far.default"
        far.hold = set()
        for received in tuple(far.unanswered):
            await far.ack(received)
        await asyncio.to_thread(wait_for_condition, server, edited, "Programmed", "Programmed")

        before = version(server, edited)
        await near.close()
        first.kill()
        killed = time.monotonic()
        while not leader(server).startswith("second-"):
            assert time.monotonic() - killed < TAKE_OVER
            await asyncio.sleep(0.2)
        later = virtual_service("b", "a")
        server.apply(later)
        await asyncio.to_thread(wait_for_condition, server, later, "Programmed", "Programmed")
        assert version(server, edited) == before, conditions(server, edited)
