"""One cluster among a thousand that Envoy refuses: it is held at the last good version, and everything else goes on."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from meshctl_operator.bootstrap.bootstrap import bootstrap, to_dict
from meshctl_operator.bootstrap.options import BootstrapOptions, XdsVariant
from meshctl_operator.compiler.emit import resources
from meshctl_operator.compiler.emit.clusters import emit_cluster
from meshctl_operator.compiler.inputs.clusters import ClusterInput
from meshctl_operator.controlplane.events import Nacked
from meshctl_operator.controlplane.plane import ControlPlane
from meshctl_operator.controlplane.proxy_descriptions import parse_proxy
from meshctl_operator.controlplane.settings import Settings
from meshctl_operator.sources.memory import MemorySource
from tests.support.envoy_process import EnvoyProcess
from tests.support.meshes import RawObject, istio, service

pytestmark = [pytest.mark.envoy, pytest.mark.netns]

SERVICES = 1000
UNLUCKY = 13  # the connect timeout that stands for what passes our checks and Envoy refuses: what does is unknown, or it would be checked
GOOD, OTHER, MENDED = 3, 7, 4
NAME = "outbound|9080||s500.default.svc.cluster.local"


def timeout_of(number: int, seconds: int) -> RawObject:
    """Return the DestinationRule that gives the cluster of a service this connect timeout."""
    policy = {"connectionPool": {"tcp": {"connectTimeout": f"{seconds}s"}}}
    return istio("DestinationRule", f"s{number}", {"host": f"s{number}.default.svc.cluster.local", "trafficPolicy": policy})


@pytest.fixture(params=["named", "unnamed"], autouse=True)
def refused(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Emit such a cluster so that Envoy refuses it: it alone, with its name, or the whole response, with no name."""

    def emit_broken(cluster: ClusterInput) -> Any:
        message = emit_cluster(cluster)
        if message.connect_timeout.seconds == UNLUCKY:
            if request.param == "named":
                message.lb_policy = message.CLUSTER_PROVIDED
            else:
                message.connect_timeout.FromSeconds(0)
        return message

    monkeypatch.setattr(resources, "emit_cluster", emit_broken)


class Rig:
    """A state folder, the address of control planes, and what they read."""

    def __init__(self, folder: Path, socket: Path, variant: XdsVariant) -> None:
        self.source = MemorySource(
            *(service(f"s{number}", clusterIP=f"10.96.{number // 250}.{number % 250 + 1}") for number in range(SERVICES))
        )
        self._folder, self._socket, self._variant = folder, socket, variant

    @asynccontextmanager
    async def plane(self) -> AsyncIterator[ControlPlane]:
        """Run a control plane."""
        async with ControlPlane(Settings(state_folder=self._folder / "state"), [self.source]) as plane:
            await plane.serve(f"unix:{self._socket}")
            yield plane

    def envoy(self, name: str) -> EnvoyProcess:
        """Return an Envoy to be started."""
        proxy = parse_proxy("router:istio-ingressgateway.istio-system").as_proxy()
        config: dict[str, Any] = to_dict(bootstrap(BootstrapOptions(proxy, variant=self._variant)))
        (cluster,) = config["static_resources"]["clusters"]
        (endpoint,) = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"]
        endpoint["endpoint"]["address"] = {"pipe": {"path": str(self._socket)}}
        return EnvoyProcess(config, self._folder / name, isolated=True)


async def timeouts(envoy: EnvoyProcess) -> dict[str, str]:
    """Return the connect timeout of each cluster that an Envoy uses."""
    found = (await envoy.config_dump("resource=dynamic_active_clusters")).get("configs", [])
    return {entry["cluster"]["name"]: entry["cluster"]["connect_timeout"] for entry in found}


async def has(envoy: EnvoyProcess, name: str, seconds: int) -> None:
    """Return when an Envoy uses a cluster with a connect timeout."""

    async def there() -> bool:
        return (await timeouts(envoy)).get(name) == f"{seconds}s"

    await envoy.wait_until(there, f"{name} has a timeout of {seconds} seconds")


@pytest.mark.parametrize("variant", list(XdsVariant), ids=lambda variant: variant.name)
async def test_one_among_a_thousand(tmp_path: Path, variant: XdsVariant) -> None:
    """The others are updated; a later Envoy, and one of a later control plane, get the last good version; what is mended is served."""
    async with AsyncExitStack() as stack:
        socket = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="xds-"))) / "xds.sock"
        rig = Rig(tmp_path, socket, variant)
        rig.source.apply(timeout_of(500, GOOD))
        async with rig.plane() as plane:
            first = await stack.enter_async_context(rig.envoy("first"))
            await has(first, NAME, GOOD)
            await plane.settled()
            with plane.events.subscribe(Nacked) as nacks:
                rig.source.apply(timeout_of(500, UNLUCKY), *(timeout_of(number, OTHER) for number in range(0, SERVICES, 3)))
                await anext(nacks)
                await has(first, "outbound|9080||s999.default.svc.cluster.local", OTHER)
                await plane.settled()
                assert [held.rejection.name for held in plane.quarantined()] == [NAME]
                found = await timeouts(first)
                changed = {name: seconds for name, seconds in found.items() if seconds == f"{OTHER}s"}
                assert (len(changed), found[NAME]) == (len(range(0, SERVICES, 3)), f"{GOOD}s")
            with plane.events.subscribe(Nacked) as nacks:
                second = await stack.enter_async_context(rig.envoy("second"))
                await has(second, NAME, GOOD)
                await plane.settled()
                assert not nacks.take()
        async with rig.plane() as plane:
            with plane.events.subscribe(Nacked) as nacks:
                third = await stack.enter_async_context(rig.envoy("third"))
                await has(third, NAME, GOOD)
                assert [held.rejection.name for held in plane.quarantined()] == [NAME]
                rig.source.apply(timeout_of(500, MENDED))
                for envoy in (first, second, third):
                    await has(envoy, NAME, MENDED)
                await plane.settled()
                assert not nacks.take()
                assert plane.quarantined() == ()
