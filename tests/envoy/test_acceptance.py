"""Every Envoy accepts everything: what it runs is what it was served, for each scenario, proxy, protocol variant and supported end."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from meshctl_operator.apis.changes import Upsert
from meshctl_operator.apis.meta import ConfigObject
from meshctl_operator.bootstrap.bootstrap import bootstrap, to_dict
from meshctl_operator.bootstrap.options import BootstrapOptions, XdsVariant
from meshctl_operator.compiler.emit.rendering import as_json
from meshctl_operator.controlplane.certificates import throw_away_certificate
from meshctl_operator.controlplane.events import Nacked
from meshctl_operator.controlplane.plane import ControlPlane
from meshctl_operator.controlplane.proxy_descriptions import parse_proxy
from meshctl_operator.controlplane.settings import Settings
from meshctl_operator.sources.memory import MemorySource
from meshctl_operator.xds.resources import TypeUrl
from tests.support.dev_mesh import BOOKINFO
from tests.support.envoy_process import EnvoyProcess
from tests.support.envoy_versions import BINARIES
from tests.support.golden import load_objects
from tests.support.served_config import endpoint_addresses, held_by_envoy, same

pytestmark = [pytest.mark.envoy, pytest.mark.asyncio(loop_scope="module")]

PROXIES = (
    "sidecar:productpage-v1.default",
    "sidecar:reviews-v2.default",
    "router:istio-ingressgateway.istio-system",
    "router:istio-egressgateway.istio-system",
)
DRAINING = {TypeUrl.ROUTE, TypeUrl.SECRET}
"""A removed listener drains for ten minutes, and what it refers to lives on in Envoy as long."""
SCENARIOS = sorted(folder.name for folder in (BOOKINFO / "scenarios").iterdir())


def objects(*folders: Path) -> list[ConfigObject[Any]]:
    """Return the accepted objects of folders; asserts that there is nothing but those."""
    changes, findings = load_objects(list(folders))
    assert not findings
    assert all(isinstance(change, Upsert) for change in changes)
    return [change.object for change in changes if isinstance(change, Upsert)]


def certificate() -> dict[str, Any]:
    """Return the Secret that the scenario with TLS asks for."""
    pair = throw_away_certificate(["bookinfo.example.org"])
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls",
        "metadata": {"name": "bookinfo-cert", "namespace": "istio-system"},
        "stringData": {"tls.crt": pair.certificate, "tls.key": pair.key},
    }


def endpoint_slice(service: str, *addresses: str) -> dict[str, Any]:
    """Return the slice of a service: each address stands for a ready pod, the last one for a pod that is not."""
    endpoints = [{"addresses": [address], "conditions": {"ready": address != addresses[-1], "terminating": False}} for address in addresses]
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": f"{service}-1", "namespace": "default", "labels": {"kubernetes.io/service-name": service}},
        "addressType": "IPv4",
        "endpoints": endpoints,
        "ports": [{"name": "http", "port": 9080, "protocol": "TCP"}],
    }


class Fleet:
    """A control plane and one intercepting Envoy for each of the proxies, in network namespaces of their own."""

    def __init__(self, folder: Path, binary: Path, variant: XdsVariant) -> None:
        self.base = objects(BOOKINFO / "mesh")
        slices = [
            endpoint_slice(name, "10.231.0.1", "10.231.0.2", "10.231.0.3") for name in ("productpage", "details", "reviews", "ratings")
        ]
        self.source = MemorySource(*self.base, certificate(), *slices)
        self.plane = ControlPlane(Settings(), [self.source])
        self.variant = variant
        self.envoys: dict[str, EnvoyProcess] = {}
        self._over: list[ConfigObject[Any]] = []
        self._folder, self._binary = folder, binary

    async def start(self, stack: AsyncExitStack) -> None:
        """Start everything."""
        await stack.enter_async_context(self.plane)
        self._events = stack.enter_context(self.plane.events.subscribe())
        socket = self._folder / "xds.sock"
        await self.plane.serve(f"unix:{socket}")
        for name in PROXIES:
            proxy = parse_proxy(name).as_proxy()
            config: dict[str, Any] = to_dict(bootstrap(BootstrapOptions(proxy, variant=self.variant)))
            (cluster,) = config["static_resources"]["clusters"]
            (endpoint,) = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"]
            endpoint["endpoint"]["address"] = {"pipe": {"path": str(socket)}}
            envoy = EnvoyProcess(config, self._folder / name.partition(":")[2], binary=self._binary, isolated=True)
            self.envoys[proxy.id] = await stack.enter_async_context(envoy)

    async def lay_over(self, scenario: str) -> None:
        """Apply a scenario, take the one before away, and wait until every proxy has said yes or no."""
        over = objects(BOOKINFO / "scenarios" / scenario)
        self.source.delete(*(obj.key for obj in self._over))
        self.source.apply(*self.base, *over)
        self._over = over
        await self.plane.settled()

    def nacks(self) -> list[Nacked]:
        """Return the rejections since the last call."""
        return [event for event in self._events.take() if isinstance(event, Nacked)]


@pytest_asyncio.fixture(
    scope="module", loop_scope="module", params=[(end, variant) for end in sorted(BINARIES) for variant in XdsVariant], ids=str
)
async def fleet(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Fleet]:
    """Bookinfo's proxies on one end of the supported versions, in one variant of the protocol."""
    end, variant = request.param
    async with AsyncExitStack() as stack:
        running = Fleet(tmp_path_factory.mktemp(f"{end}-{variant.name}"), BINARIES[end](), variant)
        await running.start(stack)
        yield running


@pytest.mark.parametrize("scenario", SCENARIOS)
async def test_envoy_runs_what_it_was_served(fleet: Fleet, scenario: str) -> None:
    """No NACK, nothing warming, and each resource in Envoy equals the one that was served, names and versions included."""
    await fleet.lay_over(scenario)
    assert not fleet.nacks()
    delta = fleet.variant is XdsVariant.DELTA
    for session in fleet.plane.sessions:
        envoy = fleet.envoys[session.proxy_id]
        assert session.served is not None
        assert session.settled, f"{session.proxy_id} has not answered"
        held = held_by_envoy(await envoy.config_dump(), versions=delta)
        for type_url in TypeUrl:
            compiled = session.served.compiled.resources[type_url]
            state = session.served.state.of(type_url)
            shown = held[type_url]
            if type_url is TypeUrl.ENDPOINT:
                for name, resource in compiled.items():
                    assert endpoint_addresses(shown[name][1]) == endpoint_addresses(as_json(resource)), f"{session.proxy_id} {name}"
                continue
            if type_url in DRAINING:
                shown = {name: entry for name, entry in shown.items() if name in compiled}
            assert {name: version for name, (version, _) in shown.items()} == {
                name: state[name].version if delta else "" for name in compiled
            }, f"{session.proxy_id} {type_url.short}"
            for name, (_, message) in shown.items():
                assert message is None or same(message, as_json(compiled[name])), f"{session.proxy_id} {name}"


async def test_the_check_can_fail(fleet: Fleet) -> None:
    """The comparison tells two configurations apart: an Envoy does not run what another one was served."""
    one, other = (fleet.envoys[name] for name in ("productpage-v1.default", "istio-ingressgateway.istio-system"))
    assert held_by_envoy(await one.config_dump()) != held_by_envoy(await other.config_dump())
    assert json.dumps(await one.config_dump())
