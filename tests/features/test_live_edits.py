"""An edit of a file is served to the connected proxies a moment later, and nothing else is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
import yaml

from meshctl_operator.controlplane.events import ConfigApplied, Synced
from meshctl_operator.controlplane.plane import ControlPlane
from meshctl_operator.controlplane.settings import Settings
from meshctl_operator.sources.directory import DirectorySource
from meshctl_operator.xds.discovery import XdsProtocol
from meshctl_operator.xds.resources import TypeUrl
from tests.support.meshes import RawObject, endpoints, istio, service, virtual_service
from tests.support.xds_client import XdsClient

NODE = "sidecar~10.0.0.1~client.default~default.svc.cluster.local"
SUBSETS = istio(
    "DestinationRule",
    "reviews",
    {"host": "reviews", "subsets": [{"name": name, "labels": {"version": name}} for name in ("v1", "v2")]},
)


class Mesh:
    """A directory, the control plane that watches it, and one proxy."""

    def __init__(self, folder: Path, plane: ControlPlane, proxy: XdsClient) -> None:
        """Take the parts."""
        self.folder, self.plane, self.proxy = folder, plane, proxy

    async def edit(self, action: Callable[[], object]) -> ConfigApplied:
        """Change files, and return the event that tells what became of it, once every proxy has it."""
        with self.plane.events.subscribe() as events:
            action()
            async with asyncio.timeout(10):
                async for event in events:
                    if isinstance(event, ConfigApplied):
                        await self.plane.settled()
                        return event
        raise AssertionError("the control plane stopped")

    def write(self, name: str, *objects: RawObject) -> None:
        """Write a file of objects."""
        (self.folder / name).write_text(yaml.safe_dump_all(objects))

    def destination(self, port: str = "9080") -> str:
        """Return the cluster of the first route to reviews."""
        hosts = self.proxy.virtual_hosts(port)
        reviews = next(host for name, host in hosts.items() if name.startswith("reviews."))
        cluster: str = reviews.routes[0].route.cluster
        return cluster


@asynccontextmanager
async def running(folder: Path, protocol: XdsProtocol = "delta") -> AsyncIterator[Mesh]:
    """Run a control plane on a folder, with a proxy that behaves like Envoy."""
    plane = ControlPlane(Settings(drain_grace=0.1), [DirectorySource([folder])])
    with plane.events.subscribe() as events:
        async with plane, XdsClient(await plane.serve("127.0.0.1:0"), protocol, node_id=NODE) as proxy:
            await proxy.follow()
            async with asyncio.timeout(10):
                while not isinstance(await anext(events), Synced):
                    pass
            await proxy.wait_for(lambda: proxy.resources[TypeUrl.ROUTE] and all(map(proxy.virtual_hosts, proxy.resources[TypeUrl.ROUTE])))
            await plane.settled()
            yield Mesh(folder, plane, proxy)


@pytest.mark.parametrize("protocol", ["delta", "sotw"])
async def test_a_route_is_edited(tmp_path: Path, protocol: XdsProtocol) -> None:
    """Only the routes of that host travel: no cluster, no listener, no endpoint; to Delta clients not even the other hosts."""
    for name, document in (("base", [service("reviews"), SUBSETS]), ("routes", [virtual_service("reviews", "reviews", subset="v1")])):
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump_all(document))
    async with running(tmp_path, protocol) as mesh:
        assert mesh.destination() == "outbound|9080|v1|reviews.default.svc.cluster.local"
        before = len(mesh.proxy.log)
        event = await mesh.edit(lambda: mesh.write("routes.yaml", virtual_service("reviews", "reviews", subset="v2")))
        assert [str(key) for key in event.changed] == ["VirtualService/default/reviews"]
        assert mesh.destination() == "outbound|9080|v2|reviews.default.svc.cluster.local"
        expected = {"delta": (TypeUrl.VIRTUAL_HOST, ["9080/reviews.default.svc.cluster.local:9080"]), "sotw": (TypeUrl.ROUTE, ["9080"])}
        assert [(received.type_url, received.names) for received in mesh.proxy.log[before:]] == [expected[protocol]]


async def test_endpoints_come_and_go(tmp_path: Path) -> None:
    """Only the endpoints of that service travel."""
    async with running_with(tmp_path, service("reviews"), service("ratings"), endpoints("reviews", "10.0.0.5")) as mesh:
        cluster = "outbound|9080||reviews.default.svc.cluster.local"
        before = len(mesh.proxy.log)
        await mesh.edit(
            lambda: mesh.write("mesh.yaml", service("reviews"), service("ratings"), endpoints("reviews", "10.0.0.5", "10.0.0.6"))
        )
        (received,) = mesh.proxy.log[before:]
        assert (received.type_url, received.names) == (TypeUrl.ENDPOINT, [cluster])
        assignment = mesh.proxy.resources[TypeUrl.ENDPOINT][cluster]
        addresses = [host.endpoint.address.socket_address.address for group in assignment.endpoints for host in group.lb_endpoints]
        assert sorted(addresses) == ["10.0.0.5", "10.0.0.6"]


@asynccontextmanager
async def running_with(folder: Path, *objects: RawObject) -> AsyncIterator[Mesh]:
    """Run on a folder with one file."""
    (folder / "mesh.yaml").write_text(yaml.safe_dump_all(objects))
    async with running(folder) as mesh:
        yield mesh


async def test_a_broken_edit_changes_nothing_and_says_where_it_is_broken(tmp_path: Path) -> None:
    """A YAML error, an unknown field, a weight of -1: file and line; mending heals. Other files are live meanwhile."""
    good = yaml.safe_dump(virtual_service("reviews", "reviews", subset="v1"), sort_keys=False)
    path = tmp_path / "routes.yaml"
    path.write_text(good)
    async with running_with(tmp_path, service("reviews"), SUBSETS) as mesh:
        served = mesh.destination()
        for broken, line in (
            (good.replace("hosts:", "hosts: [", 1), None),
            (good.replace("hosts:", "hostz:", 1), 7),
            (good.replace("    - destination:", "    - weight: -1\n      destination:", 1), 11),
        ):
            assert broken != good
            event = await mesh.edit(partial(path.write_text, broken))
            assert event.rejected
            assert event.diagnostics[0].source == str(path)
            assert event.diagnostics[0].line is not None
            assert line in {None, event.diagnostics[0].line}
            assert mesh.destination() == served
            event = await mesh.edit(lambda: path.write_text(good))
            assert event.healed
            assert mesh.plane.diagnostics() == ()


async def test_a_host_that_does_not_exist_is_reported_with_its_line(tmp_path: Path) -> None:
    """The object itself is fine; what it refers to is not there."""
    path = tmp_path / "routes.yaml"
    async with running_with(tmp_path, service("reviews")) as mesh:
        text = yaml.safe_dump(virtual_service("reviews", "reviewz"), sort_keys=False)
        event = await mesh.edit(lambda: path.write_text(text))
        (finding,) = event.diagnostics
        assert (finding.path, finding.source) == ("spec.http[0].route[0].destination.host", str(path))
        assert finding.line == next(number for number, line in enumerate(text.splitlines(), 1) if "reviewz" in line)
