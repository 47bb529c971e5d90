"""Route configurations whose virtual hosts come one by one (VHDS): what real Envoys do with them.

These are the facts that the design rests on (``docs/decisions/0006``), told by a server that follows a script; where versions differ, both
behaviours are stated.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from meshctl_operator.compiler.emit.routes import emit_virtual_host
from meshctl_operator.compiler.inputs.routes import FaultAbortInput, FaultInput, FractionInput, VirtualHostInput
from meshctl_operator.xds.resources import TypeUrl
from tests.support.envoy_process import EnvoyProcess
from tests.support.envoy_versions import BINARIES
from tests.support.scripted_discovery import ScriptedDiscovery
from tests.support.split_routes import BAD_REGEX, NO_STATUS, REST, A, B, Client, host, listener, names, running, shell, virtual_hosts, whole

pytestmark = pytest.mark.envoy


class Script(Client):
    """An Envoy and a server that tells it what the test says."""

    def __init__(self, envoy: EnvoyProcess, http: aiohttp.ClientSession, server: ScriptedDiscovery, version: str) -> None:
        super().__init__(envoy, http)
        self.server, self.version = server, version

    async def begin(self, route: str, hosts: Iterable[VirtualHostInput], *, listener_name: str = "web", **settings: Any) -> None:
        """Add a listener with a split route configuration, in the order in which a server has to: LDS, RDS, VHDS."""
        await self.server.send(TypeUrl.LISTENER, {listener_name: listener(listener_name, route)})
        await self.server.subscribed(TypeUrl.ROUTE, route)
        await self.server.send(TypeUrl.ROUTE, shell(route, **settings))
        await self.server.subscribed(TypeUrl.VIRTUAL_HOST)
        assert not await self.change(route, *hosts)
        await self.open(listener_name)

    async def change(self, route: str, *hosts: VirtualHostInput, removed: Iterable[VirtualHostInput] = (), version: str = "1") -> str:
        """Tell changed and removed virtual hosts in one response; returns why it was rejected, if it was."""
        return await self.server.tell(TypeUrl.VIRTUAL_HOST, virtual_hosts(route, *hosts), names(route, *removed), version)


@pytest.fixture(params=sorted(BINARIES))
async def script(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Script]:
    """An Envoy that has connected to a scripted server."""
    async with ScriptedDiscovery() as server, running(server.address, BINARIES[request.param](), tmp_path / "envoy") as (envoy, http):
        await server.subscribed(TypeUrl.LISTENER)
        yield Script(envoy, http, server, request.param)


async def test_hosts_are_found_and_others_fall_to_the_catch_all(script: Script) -> None:
    """The catch-all is a virtual host like the others: it answers what nobody claims, and without it that is 404."""
    await script.begin("80", [A, REST])
    assert [await script.ask(name) for name in ("a.com", "b.com")] == ["a.com", "rest"]
    assert not await script.change("80", B)
    assert [await script.ask(name) for name in ("a.com", "b.com", "c.com")] == ["a.com", "b.com", "rest"]
    assert not await script.change("80", removed=[REST])
    assert [await script.ask(name) for name in ("a.com", "b.com", "c.com")] == ["a.com", "b.com", "404"]


async def test_removal_goes_by_the_name_in_the_message(script: Script) -> None:
    """A virtual host is removed if its message has the name of the resource; the removal of any other is ACKed and ignored."""
    await script.begin("80", [A, REST])
    assert not await script.change("80", removed=[A])
    assert await script.ask("a.com") == "rest"
    assert not await script.server.tell(TypeUrl.VIRTUAL_HOST, {"80/a.com": emit_virtual_host(A)})
    assert not await script.change("80", removed=[A])
    assert await script.ask("a.com") == "a.com"


async def test_all_may_be_removed(script: Script) -> None:
    """A route configuration that has lost its last virtual host answers 404, and takes new ones."""
    await script.begin("80", [A, REST])
    assert not await script.change("80", removed=[A, REST])
    assert await script.ask("a.com") == "404"
    assert not await script.change("80", A)
    assert await script.ask("a.com") == "a.com"


async def test_a_domain_moves_within_one_response(script: Script) -> None:
    """Removal and addition of a domain in one response, or an exchange between two, lose no request."""
    other = host("other", "a.com", says="a.com")
    await script.begin("80", [A, REST])
    async with script.load("a.com", "a.com") as answers:
        for _ in range(10):
            assert not await script.change("80", other, removed=[A])
            assert not await script.change("80", A, removed=[other])
        for _ in range(10):
            assert not await script.change("80", host("a.com", "b.com"), other)
            assert not await script.change("80", A, host("other", "b.com"))
    assert set(answers) == {"a.com"}


async def test_a_domain_does_not_move_in_two_responses(script: Script) -> None:
    """The addition without the removal is rejected: all changes of virtual hosts belong into one response."""
    await script.begin("80", [A, REST])
    reason = await script.change("80", host("other", "a.com"), B)
    assert "Duplicate entry of domain a.com" in reason
    assert [await script.ask(name) for name in ("a.com", "b.com")] == ["a.com", "rest"]


@pytest.mark.parametrize("mistake", [host("c.com", match=BAD_REGEX), replace(host("c.com"), routes=(NO_STATUS,))], ids=["meaning", "form"])
async def test_a_rejected_virtual_host_holds_up_its_response_alone(script: Script, mistake: VirtualHostInput) -> None:
    """Nothing of a response is applied of which one virtual host is wrong, removals neither; what comes after it is."""
    await script.begin("80", [A, REST])
    assert await script.change("80", mistake, B, removed=[A])
    assert [await script.ask(name) for name in ("a.com", "b.com", "c.com")] == ["a.com", "rest", "rest"]
    assert not await script.change("80", B)
    assert [await script.ask(name) for name in ("a.com", "b.com", "c.com")] == ["a.com", "b.com", "rest"]


async def test_rejected_at_the_start(script: Script) -> None:
    """A listener whose first virtual hosts were rejected opens all the same, with none of them, and mends with the next response."""
    await script.server.send(TypeUrl.LISTENER, {"web": listener("web", "80")})
    await script.server.subscribed(TypeUrl.ROUTE)
    await script.server.send(TypeUrl.ROUTE, shell("80"))
    await script.server.subscribed(TypeUrl.VIRTUAL_HOST)
    assert await script.change("80", host("a.com", match=BAD_REGEX), REST)
    assert await script.ask("a.com") == "404"
    assert not await script.change("80", A, REST)
    assert await script.ask("a.com") == "a.com"


async def test_ports_of_hosts(script: Script) -> None:
    """Whether the port of a host counts is said by the shell, and holds for the virtual hosts whenever they come."""
    await script.begin("80", [A, REST])
    assert [await script.ask(name) for name in ("a.com:81", "a.com")] == ["a.com", "a.com"]
    await script.begin("http_proxy", [host("x", "a.com", "a.com:80"), REST], listener_name="proxy", ignore_port_in_host_matching=False)
    assert [await script.ask(name, "proxy") for name in ("a.com:81", "a.com:80", "a.com")] == ["rest", "x", "x"]
    assert not await script.server.tell(TypeUrl.ROUTE, shell("80", ignore_port_in_host_matching=False))
    assert [await script.ask(name) for name in ("a.com:81", "a.com")] == ["rest", "a.com"]


async def test_a_virtual_host_belongs_to_the_route_before_the_last_slash(script: Script) -> None:
    """Route configurations with names that begin or end alike share a stream without mixing up their virtual hosts."""
    routes = ["80", "8080", "x/80", "https.443.https.gw.ns", "http.80"]
    for route in routes:
        await script.begin(route, [host("a.com", says=route), REST], listener_name=f"to {route}")
    assert [await script.ask("a.com", f"to {route}") for route in routes] == routes
    assert not await script.change("x/80", removed=[A])
    assert [await script.ask("a.com", f"to {route}") for route in routes] == ["80", "8080", "rest", "https.443.https.gw.ns", "http.80"]


async def test_a_listener_opens_with_its_virtual_hosts(script: Script) -> None:
    """A new listener stays shut while its virtual hosts are on their way, so that nobody sees a 404 meanwhile."""
    await script.begin("80", [A, REST])
    await script.server.send(TypeUrl.LISTENER, {"new": listener("new", "81")})
    await script.server.subscribed(TypeUrl.ROUTE, "81")
    assert not await script.server.tell(TypeUrl.ROUTE, shell("81"))
    assert "new" not in await script.ports()
    assert not await script.change("80", B)
    assert "new" not in await script.ports()
    assert not await script.change("81", A)
    assert await script.ask("a.com", "new") == "a.com"


async def test_virtual_hosts_ahead_of_their_route_are_lost(script: Script) -> None:
    """What arrives before its route configuration is ACKed, forgotten and claimed on reconnect: it must follow the route configuration.

    Envoy subscribes once, so it does not ask again either. Following at once is right, the ACK need not be waited for.
    """
    await script.begin("80", [A, REST])
    assert not await script.change("81", A)
    await script.server.send(TypeUrl.LISTENER, {"new": listener("new", "81")})
    await script.server.subscribed(TypeUrl.ROUTE, "81")
    assert not await script.server.tell(TypeUrl.ROUTE, shell("81"))
    async with script.server.away():
        pass
    request = await script.server.subscribed(TypeUrl.VIRTUAL_HOST)
    assert set(request.initial_resource_versions) == {"80/a.com", "80/rest", "81/a.com"}
    assert "new" not in await script.ports()
    await script.server.send(TypeUrl.ROUTE, shell("81"), version="2")
    assert not await script.change("81", A)
    assert await script.ask("a.com", "new") == "a.com"


async def test_a_known_route_serves_further_listeners(script: Script) -> None:
    """A listener that is added or changed needs nothing but the route configuration that is there already."""
    await script.begin("80", [A, REST])
    assert not await script.server.tell(TypeUrl.LISTENER, {"more": listener("more", "80")})
    assert await script.ask("a.com", "more") == "a.com"
    assert not await script.server.tell(TypeUrl.LISTENER, {"web": listener("web", "80", "changed")}, version="2")
    assert [await script.ask(name) for name in ("a.com", "b.com")] == ["a.com", "rest"]


async def test_reconnect(script: Script) -> None:
    """While the server is away everything is served; on reconnect Envoy claims versions, and takes changes on top of what it has."""
    await script.begin("80", [A, host("c.com"), REST])
    async with script.server.away():
        assert await script.ask("a.com") == "a.com"
    request = await script.server.subscribed(TypeUrl.VIRTUAL_HOST)
    assert dict(request.initial_resource_versions) == {"80/a.com": "1", "80/c.com": "1", "80/rest": "1"}
    assert not request.resource_names_subscribe
    assert [await script.ask(name) for name in ("a.com", "b.com", "c.com")] == ["a.com", "rest", "c.com"]
    assert not await script.change("80", B, host("c.com", says="new"), removed=[A])
    assert [await script.ask(name) for name in ("a.com", "b.com", "c.com")] == ["rest", "b.com", "new"]


async def test_the_shell_changes_alone(script: Script) -> None:
    """A changed shell keeps the virtual hosts that are there, and its limit of bodies holds for those that come."""
    await script.begin("80", [A, REST], max_direct_response_body=None)
    big = host("big.com", says="x" * 5000)
    assert "maximum is 4096" in await script.change("80", big)
    assert not await script.server.tell(TypeUrl.ROUTE, shell("80", max_direct_response_body=5000), version="2")
    assert await script.ask("a.com") == "a.com"
    assert not await script.change("80", big)
    assert await script.ask("big.com") == "x" * 5000


async def test_the_config_dump_shows_one_route_configuration(script: Script) -> None:
    """Envoy shows the virtual hosts inside, by the names of their resources and in that order; the version is no longer the shell's."""
    await script.begin("80", [REST, B, A])
    dump = await script.envoy.config_dump("resource=dynamic_route_configs")
    (entry,) = dump["configs"]
    assert [shown["name"] for shown in entry["route_config"]["virtual_hosts"]] == ["80/a.com", "80/b.com", "80/rest"]
    assert "vhds" in entry["route_config"]
    assert entry.get("version_info", "") != "1"


async def test_filter_configuration_of_a_route(script: Script) -> None:
    """Per-route configuration of a filter works as it does in a whole route configuration."""
    abort = FaultInput(abort=FaultAbortInput(http_status=418, percentage=FractionInput(100)))
    faulty = replace(A, routes=(replace(A.routes[0], fault=abort),))
    await script.begin("80", [faulty, REST])
    assert await script.ask("a.com") == "418"
    assert not await script.change("80", A)
    assert await script.ask("a.com") == "a.com"


async def test_a_drained_listener_still_needs_its_virtual_hosts(script: Script) -> None:
    """Connections of a removed listener are served by its route configuration, as long as nobody removes the virtual hosts from it."""
    await script.begin("80", [REST])
    await script.begin("81", [A], listener_name="old")
    port = await script.open("old")
    async with aiohttp.ClientSession() as kept, aiohttp.ClientSession() as lost:
        for session in (kept, lost):
            async with session.get(f"http://127.0.0.1:{port}/", headers={"Host": "a.com"}) as response:
                assert await response.text() == "a.com"
        assert not await script.server.tell(TypeUrl.LISTENER, {}, ["old"])
        assert not await script.server.tell(TypeUrl.ROUTE, {}, ["81"])
        async with kept.get(f"http://127.0.0.1:{port}/", headers={"Host": "a.com"}) as response:
            assert (response.status, await response.text()) == (200, "a.com")
        assert not await script.change("81", removed=[A])
        async with lost.get(f"http://127.0.0.1:{port}/", headers={"Host": "a.com"}) as response:
            assert response.status == 404


async def test_virtual_hosts_in_the_shell(script: Script) -> None:
    """A shell with virtual hosts of its own that clash is rejected, and up to 1.39 so is every virtual host after it: ours has none."""
    await script.begin("80", [A, REST])
    clashing = shell("80")
    clashing["80"].virtual_hosts.add(name="again", domains=["a.com"])
    assert "Duplicate entry of domain a.com" in await script.server.tell(TypeUrl.ROUTE, clashing, version="2")
    assert bool(await script.change("80", B)) == (script.version == "oldest")


async def test_from_whole_to_split(script: Script) -> None:
    """A running whole route configuration that becomes split answers 404 until its virtual hosts are there, in all versions."""
    await script.begin("80", [A, REST])
    await script.server.send(TypeUrl.LISTENER, {"new": listener("new", "81")})
    await script.server.subscribed(TypeUrl.ROUTE, "81")
    assert not await script.server.tell(TypeUrl.ROUTE, whole("81", A, REST))
    assert await script.ask("a.com", "new") == "a.com"
    assert not await script.server.tell(TypeUrl.ROUTE, shell("81"), version="2")
    assert await script.ask("a.com", "new") == "404"
    assert not await script.change("81", A)
    assert await script.ask("a.com", "new") == "a.com"


async def test_from_split_to_whole(script: Script) -> None:
    """Becoming whole loses no request. Later virtual hosts are ignored; up to 1.39 they take the whole one's place, so nobody may send any."""
    await script.begin("80", [A, REST])
    async with script.load("a.com", "a.com") as answers:
        assert not await script.server.tell(TypeUrl.ROUTE, whole("80", A, REST), version="2")
    assert set(answers) == {"a.com"}
    assert not await script.change("80", removed=[A, REST])
    assert await script.ask("a.com") == ("404" if script.version == "oldest" else "a.com")
