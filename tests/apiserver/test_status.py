"""What objects say in their status: reasons, Envoy's own words, and what is never taken back."""

from __future__ import annotations

import asyncio
import time

import pytest

from meshctl_operator.xds.resources import TypeUrl
from tests.support.api_server import ApiServer, object_path
from tests.support.meshes import RawObject, endpoints, service, virtual_service
from tests.support.operator_process import conditions, next_event, serving, wait_for_condition
from tests.support.xds_client import Received, XdsClient

pytestmark = [pytest.mark.apiserver, pytest.mark.timeout(180)]

EVENTS_TIMEOUT = 20.0
MESH = tuple(each for name in ("a", "b") for each in (service(name), endpoints(name, "10.1.0.1")))


def sidecar(address: str, name: str) -> XdsClient:
    """Return a sidecar."""
    return XdsClient(address, node_id=f"sidecar~10.0.0.9~{name}.default~default.svc.cluster.local")


def version(server: ApiServer, given: RawObject) -> str:
    """Return the version of an object, which changes with each write."""
    found: str = server.request("GET", object_path(given))["metadata"]["resourceVersion"]
    return found


def test_objects_of_other_revisions_are_left_alone(server: ApiServer) -> None:
    """No status, whatever becomes of them."""
    ours, theirs = virtual_service("a", "b"), virtual_service("b", "b")
    theirs["metadata"]["labels"] = {"istio.io/rev": "canary"}
    with serving(server) as process:
        next_event(process, "synced")
        server.apply(theirs, ours)
        wait_for_condition(server, ours, "Accepted", "Accepted")
        assert not conditions(server, theirs)


def test_a_broken_object_says_what_is_wrong_and_events_tell(server: ApiServer) -> None:
    """Path and way out in the condition; what was served before stays, and mending it is an Event as well."""
    rule, broken = virtual_service("a", "b"), virtual_service("a", "b")
    broken["spec"]["http"][0]["timeout"] = "-1s"
    with serving(server) as process:
        next_event(process, "synced")
        server.apply(service("a"), rule)
        unresolved = wait_for_condition(server, rule, "ResolvedRefs", "HostNotFound")
        assert "spec.http[0].route[0].destination.host" in unresolved["message"]
        server.apply(broken)
        refused = wait_for_condition(server, broken, "Accepted", "Invalid")
        assert refused["status"] == "False"
        assert "spec.http[0].timeout" in refused["message"]
        server.apply(service("b"), rule)
        wait_for_condition(server, rule, "ResolvedRefs", "ResolvedRefs")
        reasons = {"Accepted", "Rejected"}
        deadline = time.monotonic() + EVENTS_TIMEOUT
        while not reasons <= {event["reason"] for event in server.request("GET", "/api/v1/namespaces/default/events")["items"]}:
            assert time.monotonic() < deadline
            time.sleep(0.05)


async def test_a_rejection_is_told_in_the_proxys_words_and_an_edit_mends_it(server: ApiServer) -> None:
    """It is the one thing that takes ``Programmed`` back; who does not reject it does not matter."""
    server.apply(*MESH)
    rule = virtual_service("a", "b")
    with serving(server) as process:
        address = (await asyncio.to_thread(next_event, process))["xds"]
        await asyncio.to_thread(next_event, process, "synced")

        def refusal(received: Received) -> str | None:
            hosts = received.type_url is TypeUrl.VIRTUAL_HOST and any("a.default" in name for name in received.resources)
            return "the route is not to my liking" if hosts else None

        async with sidecar(address, "one") as one, sidecar(address, "two") as two:
            await one.follow()
            await two.follow()
            server.apply(rule)
            await asyncio.to_thread(wait_for_condition, server, rule, "Programmed", "Programmed")
            one.reject = refusal
            edited = virtual_service("a", "a")
            server.apply(edited)
            told = await asyncio.to_thread(wait_for_condition, server, edited, "Programmed", "EnvoyRejected")
            assert told["status"] == "False"
            assert "one.default" in told["message"]
            assert "the route is not to my liking" in told["message"]
            one.reject = lambda _: None
            server.apply(rule)
            await asyncio.to_thread(wait_for_condition, server, rule, "Programmed", "Programmed")


async def test_a_proxy_that_joins_takes_nothing_back_and_a_status_moves_nothing(server: ApiServer) -> None:
    """``Programmed`` stays as it was written, nothing is compiled or sent because of a write, and a later edit counts everybody."""
    server.apply(*MESH)
    rule, later = virtual_service("a", "b"), virtual_service("a", "a")
    with serving(server) as process:
        address = (await asyncio.to_thread(next_event, process))["xds"]
        await asyncio.to_thread(next_event, process, "synced")
        async with sidecar(address, "one") as one, sidecar(address, "two") as two:
            await one.follow()
            server.apply(rule)
            await asyncio.to_thread(wait_for_condition, server, rule, "Programmed", "Programmed")
            before, told = version(server, rule), len(one.log)
            two.hold = {TypeUrl.ROUTE, TypeUrl.VIRTUAL_HOST}
            await two.follow()
            await two.wait_for(lambda: two.unanswered)
            server.apply(service("c"))
            while "Service/default/c" not in (event := await asyncio.to_thread(next_event, process, "config"))["changed"]:
                assert event["changed"] == ["VirtualService/default/a"]
            assert event["changed"] == ["Service/default/c"]
            assert {received.type_url for received in one.log[told:]} <= {TypeUrl.CLUSTER, TypeUrl.ENDPOINT, TypeUrl.VIRTUAL_HOST}
            assert version(server, rule) == before
            server.apply(later)
            told_later = await asyncio.to_thread(wait_for_condition, server, later, "Programmed", "Pending")
            assert told_later["message"] == "1/2 proxies; waiting for two.default"
