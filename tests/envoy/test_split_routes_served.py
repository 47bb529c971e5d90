"""Our own server and split route configurations: who is served them, when, and how little travels."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from meshctl_operator.compiler.inputs.routes import VirtualHostInput
from meshctl_operator.xds.ads import AdsServer
from meshctl_operator.xds.resources import TypeUrl, XdsResource, make_resource
from meshctl_operator.xds.state import view_state
from meshctl_operator.xds.virtual_hosts import shell_version
from tests.support.envoy_process import EnvoyProcess
from tests.support.envoy_versions import BINARIES
from tests.support.memory_discovery import MemoryDiscovery
from tests.support.split_routes import BAD_REGEX, REST, A, B, Client, host, listener, running, shell, virtual_hosts, whole

pytestmark = pytest.mark.envoy


def resources(route: str, *hosts: VirtualHostInput, listener_name: str = "web") -> list[XdsResource]:
    """Return a listener, the shell of its route configuration and the virtual hosts as our server holds them."""
    body = shell(route)[route].SerializeToString(deterministic=True)
    found = [made(TypeUrl.VIRTUAL_HOST, name, message) for name, message in virtual_hosts(route, *hosts).items()]
    served_listener = made(TypeUrl.LISTENER, listener_name, listener(listener_name, route))
    return [*found, served_listener, make_resource(TypeUrl.ROUTE, route, body, shell_version(body))]


def whole_resources(route: str, *hosts: VirtualHostInput) -> list[XdsResource]:
    """Return the same with a whole route configuration."""
    return [made(TypeUrl.LISTENER, "web", listener("web", route)), made(TypeUrl.ROUTE, route, whole(route, *hosts)[route])]


def made(type_url: TypeUrl, name: str, message: Any) -> XdsResource:
    """Return a message as resource."""
    return make_resource(type_url, name, message.SerializeToString(deterministic=True))


def both_forms(route: str, *hosts: VirtualHostInput) -> MemoryDiscovery:
    """Return what serves a route configuration split to those who take it so, and whole to others."""
    discovery = MemoryDiscovery(*resources(route, *hosts))
    assert discovery.state is not None
    discovery.state = replace(discovery.state, make_whole=lambda: view_state(1, whole_resources(route, *hosts)).resources)
    return discovery


class Served(Client):
    """An Envoy and our server."""

    def __init__(
        self, envoy: EnvoyProcess, http: aiohttp.ClientSession, server: AdsServer, address: str, discovery: MemoryDiscovery
    ) -> None:
        super().__init__(envoy, http)
        self.server, self.address, self.discovery = server, address, discovery

    async def serve(self, *served: XdsResource) -> list[tuple[str, tuple[str, ...]]]:
        """Serve other resources and wait until Envoy has them; returns what was sent: the type and the names of each ACKed response."""
        since = len(self.discovery.acks)
        revision = self.discovery.serve(served)
        await self.discovery.wait_for(lambda: self.discovery.sessions[-1].idle_revision == revision)
        return [(ack.type_url.short, tuple(sorted(ack.changes))) for ack in self.discovery.acks[since:]]

    async def restart(self, discovery: MemoryDiscovery) -> None:
        """Replace the server by one that knows nothing of the client and serves something else."""
        await self.server.stop(0.1)
        self.discovery = discovery
        self.server = AdsServer(discovery)
        await self.server.start(self.address)

    async def sent(self, type_url: TypeUrl) -> list[tuple[str, ...]]:
        """Wait for an ACK of a type; returns the names of each ACKed response of it."""
        await self.discovery.wait_for(lambda: any(ack.type_url is type_url for ack in self.discovery.acks))
        return [tuple(sorted(ack.changes)) for ack in self.discovery.acks if ack.type_url is type_url]


@asynccontextmanager
async def serving(discovery: MemoryDiscovery, version: str, folder: Path) -> AsyncIterator[Served]:
    """Run our server and an Envoy that has opened its listener."""
    server = AdsServer(discovery)
    address = await server.start("127.0.0.1:0")
    async with running(address, BINARIES[version](), folder / "envoy") as (envoy, http):
        client = Served(envoy, http, server, address, discovery)
        try:
            await client.open("web")
            yield client
            assert not client.discovery.nacks
        finally:
            await client.server.stop(0.1)


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    """An Envoy of the newest version that holds one split route configuration from our server."""
    async with serving(both_forms("80", A, B, REST), "newest", tmp_path) as client:
        await client.sent(TypeUrl.VIRTUAL_HOST)
        yield client


async def test_an_edit_sends_one_virtual_host(served: Served) -> None:
    """Of a change only the virtual hosts travel that it touches; removals come with the additions."""
    assert await served.serve(*resources("80", host("a.com", says="new"), B, REST)) == [("VHDS", ("80/a.com",))]
    assert await served.ask("a.com") == "new"
    moved = host("other", "a.com", says="moved")
    assert await served.serve(*resources("80", moved, B, REST)) == [("VHDS", ("80/a.com", "80/other"))]
    assert [await served.ask(name) for name in ("a.com", "b.com", "c.com")] == ["moved", "b.com", "rest"]


async def test_virtual_hosts_follow_a_new_listener(served: Served) -> None:
    """A listener that comes later opens with all its virtual hosts, which are sent once, and nothing else is sent again."""
    served.discovery.acks.clear()
    await served.serve(*resources("80", A, B, REST), *resources("8080", A, host("c.com"), listener_name="more"))
    assert await served.ask("c.com", "more") == "c.com"
    await served.serve(*resources("80", A, REST), *resources("8080", A, host("c.com"), listener_name="more"))
    assert await served.sent(TypeUrl.VIRTUAL_HOST) == [("8080/a.com", "8080/c.com"), ("80/b.com",)]


async def test_a_restart_sends_nothing_that_is_held(served: Served) -> None:
    """A server that starts anew tells a proxy only what changed meanwhile: additions, changes and removals."""
    await served.restart(MemoryDiscovery(*resources("80", host("a.com", says="new"), host("c.com"), REST)))
    assert await served.sent(TypeUrl.VIRTUAL_HOST) == [("80/a.com", "80/b.com", "80/c.com")]
    assert {ack.type_url for ack in served.discovery.acks} == {TypeUrl.VIRTUAL_HOST}
    assert [await served.ask(name) for name in ("a.com", "b.com", "c.com")] == ["new", "rest", "c.com"]


async def test_a_rejected_virtual_host_is_named(served: Served) -> None:
    """The NACK names the virtual hosts of its response alone; what comes later is served, and the rejected one once it is mended."""
    bad = host("bad.com", match=BAD_REGEX)
    await served.serve(*resources("80", A, B, bad, REST))
    assert [dict(nack.changes).keys() for nack in served.discovery.nacks] == [{"80/bad.com"}]
    assert await served.serve(*resources("80", host("a.com", says="new"), B, bad, REST)) == [("VHDS", ("80/a.com",))]
    assert await served.serve(*resources("80", host("a.com", says="new"), B, host("bad.com"), REST)) == [("VHDS", ("80/bad.com",))]
    assert [await served.ask(name) for name in ("a.com", "bad.com")] == ["new", "bad.com"]
    served.discovery.nacks.clear()


async def test_old_versions_are_served_whole(tmp_path: Path) -> None:
    """An Envoy that might crash over it is never told of virtual hosts."""
    async with serving(both_forms("80", A, REST), "oldest", tmp_path) as client:
        assert [await client.ask(name) for name in ("a.com", "b.com")] == ["a.com", "rest"]
        assert await client.sent(TypeUrl.ROUTE) == [("80",)]
        assert await client.envoy.stats("vhds") == {}


async def test_a_proxy_that_runs_whole_stays_whole(tmp_path: Path) -> None:
    """A server that would split finds a proxy whose route configuration is whole: no request is lost, and edits arrive."""
    async with serving(MemoryDiscovery(*whole_resources("80", A, REST)), "newest", tmp_path) as client:
        async with client.load("a.com", "a.com") as answers:
            await client.restart(both_forms("80", A, B, REST))
            assert await client.sent(TypeUrl.ROUTE) == [("80",)]
        assert set(answers) == {"a.com"}
        assert await client.ask("b.com") == "b.com"
        assert {ack.type_url for ack in client.discovery.acks} == {TypeUrl.ROUTE}


async def test_a_proxy_that_runs_split_may_become_whole(served: Served) -> None:
    """A server that does not split finds a proxy whose route configuration is split: no request is lost, and edits arrive."""
    async with served.load("a.com", "a.com") as answers:
        await served.restart(MemoryDiscovery(*whole_resources("80", A, host("c.com"), REST)))
        assert await served.sent(TypeUrl.ROUTE) == [("80",)]
    assert set(answers) == {"a.com"}
    assert [await served.ask(name) for name in ("b.com", "c.com")] == ["rest", "c.com"]


async def test_one_bad_virtual_host_does_not_keep_the_others_away(tmp_path: Path) -> None:
    """Envoy rejects the response with all virtual hosts for one of them; the others are told again, and the one is reported alone."""
    hosts = [host(f"{number}.com") for number in range(50)]
    bad = host("bad.com", match=BAD_REGEX)
    async with serving(both_forms("80", *hosts, bad, REST), "newest", tmp_path) as client:
        await client.discovery.wait_for(lambda: client.discovery.nacks)
        assert [dict(nack.changes).keys() for nack in client.discovery.nacks] == [{"80/bad.com"}]
        assert [await client.ask(name) for name in ("0.com", "49.com", "bad.com")] == ["0.com", "49.com", "rest"]
        client.discovery.nacks.clear()
