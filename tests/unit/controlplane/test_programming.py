"""Which generation is in force where: a control plane in this process, and clients that do what Envoy does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.controlplane.plane import ControlPlane
from meshctl_operator.controlplane.programming import GRACE, Programming
from meshctl_operator.controlplane.settings import Settings
from meshctl_operator.sources.memory import MemorySource
from meshctl_operator.status.acknowledgements import Acknowledgements
from meshctl_operator.xds.discovery import XdsProtocol
from meshctl_operator.xds.resources import TypeUrl
from tests.support.clocks import ManualClock
from tests.support.meshes import RawObject, endpoints, istio, service, virtual_service
from tests.support.xds_client import Received, XdsClient

RULE = ObjectKey("VirtualService", "default", "a")
ROUTES = {TypeUrl.ROUTE, TypeUrl.VIRTUAL_HOST}


def generation(given: RawObject, number: int) -> RawObject:
    """Return an object as an API server numbers it."""
    return {**given, "metadata": {**given["metadata"], "generation": number}}


def pod(name: str, *, ready: bool) -> RawObject:
    """Return a Pod."""
    conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", "labels": {}},
        "spec": {"containers": []},
        "status": {"phase": "Running", "podIP": "10.9.9.9", "conditions": conditions},
    }


class Rig:
    """A control plane whose objects are followed."""

    def __init__(self, plane: ControlPlane, source: MemorySource, programming: Programming, clock: ManualClock, address: str) -> None:
        """Take the parts."""
        self.plane, self.source, self.programming, self.clock, self.address = plane, source, programming, clock, address

    async def apply(self, *objects: RawObject) -> None:
        """Apply objects, and wait until they are compiled and their findings known."""
        before = self.programming.rounds
        self.source.apply(*objects)
        while self.programming.rounds == before:
            self.plane._progress.clear()
            await self.plane._progress.wait()

    def said(self, key: ObjectKey = RULE) -> Acknowledgements:
        """Return what is known of an object."""
        return self.programming.acknowledgements([key])[key]

    def client(self, name: str = "one", protocol: XdsProtocol = "delta") -> XdsClient:
        """Return a sidecar."""
        return XdsClient(self.address, protocol, node_id=f"sidecar~10.0.0.1~{name}.default~default.svc.cluster.local")

    async def until(self, check: Any) -> None:
        """Wait until something is so; every change is announced."""
        while not check():
            self.plane._progress.clear()
            await self.plane._progress.wait()


@asynccontextmanager
async def running(*objects: RawObject) -> AsyncIterator[Rig]:
    """Run a control plane with objects."""
    source = MemorySource(*objects)
    plane = ControlPlane(Settings(), [source])
    programming = plane.follow_programming()
    clock = ManualClock()
    programming._clock = clock
    programming.progress = plane._note_progress
    async with plane:
        rig = Rig(plane, source, programming, clock, await plane.serve("127.0.0.1:0"))
        await plane.settled()
        yield rig


MESH = (service("a"), endpoints("a", "10.1.0.1"), service("b"), endpoints("b", "10.1.0.2"))


async def test_a_proxy_has_an_object_once_it_acknowledged_all_that_comes_from_it() -> None:
    """From nobody, over one that is being told, to one that has it."""
    async with running(*MESH, generation(virtual_service("a", "b"), 3)) as rig:
        assert rig.said() == Acknowledgements(3)
        async with rig.client() as proxy:
            proxy.hold = ROUTES
            await proxy.follow()
            await proxy.wait_for(lambda: proxy.unanswered)
            assert rig.said().expected == rig.said().missing == {"one.default"}
            proxy.hold = set()
            for received in tuple(proxy.unanswered):
                await proxy.ack(received)
            await rig.until(lambda: not rig.said().missing)
            assert rig.said().have == {"one.default"}


async def test_an_edit_is_missing_until_its_route_is_answered_and_others_are_not_waited_for() -> None:
    """One of two proxies holds its answer back."""
    async with running(*MESH, generation(virtual_service("a", "b"), 1)) as rig, rig.client() as slow, rig.client("two", "sotw") as quick:
        await slow.follow()
        await quick.follow()
        await rig.until(lambda: rig.said().have == {"one.default", "two.default"})
        slow.hold = ROUTES
        await rig.apply(generation(virtual_service("a", "a"), 2))
        await rig.until(lambda: rig.said().missing == {"one.default"})
        assert rig.said().generation == 2
        slow.hold = set()
        for received in tuple(slow.unanswered):
            await slow.ack(received)
        await rig.until(lambda: not rig.said().missing)


async def test_a_change_that_changes_nothing_is_in_force_at_once() -> None:
    """Nobody is told anything, so nobody has to answer."""
    async with running(*MESH, generation(virtual_service("a", "b"), 1)) as rig, rig.client() as proxy:
        await proxy.follow()
        await rig.until(lambda: rig.said().have == {"one.default"})
        again = generation(virtual_service("a", "b"), 2)
        again["metadata"]["annotations"] = {"note": "nothing is compiled from this"}
        await rig.apply(again)
        assert rig.said().generation == 2
        assert rig.said().have == {"one.default"}


async def test_what_left_a_proxy_is_waited_for_as_well() -> None:
    """A rule that is about another host now has to be gone where it was."""
    async with running(*MESH, generation(virtual_service("a", "b"), 1)) as rig, rig.client() as proxy:
        await proxy.follow()
        await rig.until(lambda: rig.said().have == {"one.default"})
        proxy.hold = ROUTES
        elsewhere = istio(
            "VirtualService", "a", {"hosts": ["a"], "gateways": ["gw"], "http": [{"route": [{"destination": {"host": "b"}}]}]}
        )
        await rig.apply(generation(elsewhere, 2))
        await proxy.wait_for(lambda: proxy.unanswered)
        assert rig.said().missing == {"one.default"}
        for received in tuple(proxy.unanswered):
            await proxy.ack(received)
        await rig.until(lambda: not rig.said().should_have)


async def test_a_rejection_names_proxy_and_text_until_the_object_changes() -> None:
    """An edit is judged anew."""
    async with running(*MESH) as rig, rig.client() as proxy:
        await proxy.follow()
        await rig.plane.settled()

        def refusal(received: Received) -> str | None:
            return "no such thing" if received.type_url in ROUTES else None

        proxy.reject = refusal
        await rig.apply(generation(virtual_service("a", "b"), 1))
        await rig.until(lambda: rig.said().rejections)
        (rejection,) = rig.said().rejections
        assert (rejection.proxy, rejection.message) == ("one.default", "no such thing")
        assert RULE in rig.programming.take_accused()
        assert not rig.programming.take_accused()
        proxy.reject = lambda _: None
        await rig.apply(generation(virtual_service("a", "a"), 2))
        assert not rig.said().rejections
        await rig.until(lambda: rig.said().have == {"one.default"})


async def test_a_lost_proxy_is_waited_for_as_long_as_its_pod_is_ready() -> None:
    """Without a Pod for half a minute; one that comes back is not lost."""
    async with running(*MESH, pod("one", ready=True), generation(virtual_service("a", "b"), 1)) as rig:
        async with rig.client() as proxy, rig.client("two") as other:
            await proxy.follow()
            await other.follow()
            await rig.until(lambda: rig.said().have == {"one.default", "two.default"})
        await rig.until(lambda: rig.said().lost == {"one.default", "two.default"})
        await rig.apply(generation(virtual_service("a", "a"), 2))
        assert rig.said().missing == {"one.default", "two.default"}
        rig.clock.advance(GRACE)
        assert rig.said().missing == {"one.default"}
        async with rig.client() as proxy:
            await proxy.follow()
            await rig.until(lambda: rig.said().have == {"one.default"})
            assert not rig.said().lost
        await rig.until(lambda: rig.said().lost == {"one.default"})
        await rig.apply(pod("one", ready=False))
        assert not rig.said().should_have


async def test_an_invalid_generation_leaves_the_last_good_one_in_service() -> None:
    """What is said of proxies is about that."""
    async with running(*MESH, generation(virtual_service("a", "b"), 1)) as rig:
        broken = generation(istio("VirtualService", "a", {"hosts": [], "http": [{"route": []}]}), 2)
        await rig.apply(broken)
        assert rig.programming.served_generation(RULE) == 1
        assert rig.said().generation == 1
        rig.source.delete(RULE)
        await rig.until(lambda: not rig.programming.acknowledgements([RULE]))
        assert rig.programming.served_generation(RULE) is None
