"""What a proxy rejects is held at the last good version for every proxy like it, also after a restart, and tried again when it is mended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from meshctl_operator.controlplane.events import Nacked
from meshctl_operator.controlplane.plane import ControlPlane
from meshctl_operator.controlplane.settings import Settings, Windows
from meshctl_operator.sources.memory import MemorySource
from meshctl_operator.xds.discovery import XdsProtocol
from meshctl_operator.xds.resources import TypeUrl
from tests.support.meshes import RawObject, endpoints, istio, service
from tests.support.xds_client import Received, XdsClient

FAST = Windows(config_quiet=0, cap=0)
NODE = "sidecar~10.1.0.9~client.default~default.svc.cluster.local"
HOST = "reviews.default.svc.cluster.local"
BASE = f"outbound|9080||{HOST}"
protocols = pytest.mark.parametrize("protocol", ["sotw", "delta"])


def timeout_of(seconds: int) -> RawObject:
    """Return the DestinationRule that gives the cluster of reviews this connect timeout: 13 is what the clients here reject."""
    policy = {"connectionPool": {"tcp": {"connectTimeout": f"{seconds}s"}}}
    return istio("DestinationRule", "reviews", {"host": HOST, "trafficPolicy": policy})


def rejecting(name: str) -> Callable[[Received], str | None]:
    """Return how a client answers that rejects whatever has a connect timeout of 13 seconds; it says why with the name, or with none."""

    def answer(received: Received) -> str | None:
        bad = [
            found
            for found, message in received.resources.items()
            if getattr(message, "connect_timeout", None) and message.connect_timeout.seconds == 13
        ]
        return f"{name}: unlucky" if bad else None

    return answer


def client(address: str, protocol: XdsProtocol, name: str = BASE) -> XdsClient:
    """Return a proxy that rejects the number 13."""
    envoy = XdsClient(address, protocol, node_id=NODE)
    envoy.reject = rejecting(name)
    return envoy


def source() -> MemorySource:
    """Return two services."""
    return MemorySource(
        service("reviews"),
        endpoints("reviews", "10.0.0.1"),
        service("ratings", clusterIP="10.96.0.2"),
        endpoints("ratings", "10.0.0.2"),
        timeout_of(3),
    )


def seconds(envoy: XdsClient) -> int | None:
    """Return the connect timeout of reviews that a client holds."""
    found = envoy.resources[TypeUrl.CLUSTER].get(BASE)
    return found.connect_timeout.seconds if found is not None else None


@protocols
@pytest.mark.parametrize("name", [BASE, "Proto constraint validation failed"], ids=["named", "unnamed"])
async def test_the_last_good_version_stays_and_the_rest_goes_on(protocol: XdsProtocol, name: str, tmp_path: Path) -> None:
    """A later proxy, and one of a later control plane, gets the last good version; what is mended is served within one push."""
    config = source()
    settings = Settings(windows=FAST, state_folder=tmp_path)
    async with ControlPlane(settings, [config]) as plane:
        address = await plane.serve("127.0.0.1:0")
        async with client(address, protocol, name) as envoy:
            await envoy.follow()
            await envoy.wait_for(lambda: seconds(envoy) == 3 and envoy.resources[TypeUrl.LISTENER])
            await plane.settled()
            config.apply(timeout_of(13))
            await envoy.wait_for(lambda: any(BASE in received.resources for received in envoy.responses(TypeUrl.CLUSTER)[-1:]))
            await plane.settled()
            config.apply(service("details", clusterIP="10.96.0.3"), endpoints("details", "10.0.0.3"))
            await envoy.wait_for(lambda: "outbound|9080||details.default.svc.cluster.local" in envoy.resources[TypeUrl.CLUSTER])
            await plane.settled()
            assert seconds(envoy) == 3
            assert [held.rejection.name for held in plane.quarantined()] == [BASE]
            assert 'meshctl_quarantined_resources{type="CDS"} 1.0' in plane.telemetry.exposition().decode()
            async with client(address, protocol) as later:
                await later.follow()
                await later.wait_for(lambda: later.resources[TypeUrl.LISTENER])
                assert seconds(later) == 3
    async with ControlPlane(settings, [config]) as plane, client(await plane.serve("127.0.0.1:0"), protocol) as envoy:
        envoy.reject = lambda _: None
        await envoy.follow()
        await envoy.wait_for(lambda: envoy.resources[TypeUrl.LISTENER])
        assert seconds(envoy) == 3
        await plane.settled()
        config.apply(timeout_of(4))
        await envoy.wait_for(lambda: seconds(envoy) == 4)
        await plane.settled()
        assert plane.quarantined() == ()


@protocols
async def test_the_reason_is_found_where_none_is_named(protocol: XdsProtocol) -> None:
    """A client that rejects a whole response without a name ends with everything but the one that it rejects, in whatever responses."""
    config = source()
    config.apply(timeout_of(13))
    async with (
        ControlPlane(Settings(windows=FAST), [config]) as plane,
        client(await plane.serve("127.0.0.1:0"), protocol, "Proto constraint validation failed") as envoy,
    ):
        with plane.events.subscribe(Nacked) as events:
            await envoy.follow()
            await envoy.wait_for(lambda: "outbound|9080||ratings.default.svc.cluster.local" in envoy.resources[TypeUrl.CLUSTER])
            async with asyncio.timeout(10):
                await anext(events)
        assert [held.rejection.name for held in plane.quarantined()] == [BASE]
        assert seconds(envoy) is None
        config.apply(timeout_of(3))
        await envoy.wait_for(lambda: seconds(envoy) == 3)


@protocols
async def test_proxies_that_reject_everything_change_nothing_for_others(protocol: XdsProtocol) -> None:
    """Whether they do so from the start or all of a sudden: the others are served every change."""
    config = source()
    async with ControlPlane(Settings(windows=FAST), [config]) as plane, AsyncExitStack() as stack:
        address = await plane.serve("127.0.0.1:0")
        stubborn = [await stack.enter_async_context(client(address, protocol)) for _ in range(3)]
        sudden = [await stack.enter_async_context(client(address, protocol)) for _ in range(3)]
        for envoy in stubborn:
            envoy.reject = lambda _: "no"
        for envoy in (*stubborn, *sudden):
            await envoy.follow()
        for envoy in sudden:
            await envoy.wait_for(lambda envoy=envoy: seconds(envoy) == 3 and envoy.resources[TypeUrl.LISTENER])  # type: ignore[misc]
            envoy.reject = lambda received: f"{BASE}: no" if received.resources else "no"
        good = await stack.enter_async_context(client(address, protocol))
        await good.follow()
        await good.wait_for(lambda: seconds(good) == 3 and good.resources[TypeUrl.LISTENER])
        for timeout in (4, 5, 6):
            config.apply(timeout_of(timeout))
            await good.wait_for(lambda timeout=timeout: seconds(good) == timeout)  # type: ignore[misc]
        config.apply(service("details", clusterIP="10.96.0.3"))
        await good.wait_for(lambda: "outbound|9080||details.default.svc.cluster.local" in good.resources[TypeUrl.CLUSTER])
