"""The rules of interception in the kernel: they load, they are replaced and removed, and connections go where they should.

Nothing here is an Envoy: where one would listen, a socket of its user does, and tells where the connection was meant to go.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from meshctl_operator.interception.options import Family
from tests.support.netns import PROXY_USER, Netns, connect, connected

pytestmark = pytest.mark.traffic

POD, PEER, ROUTED = "10.231.7.2", "10.231.7.1", "192.0.2.9"
POD6, PEER6 = "fd00:231::2", "fd00:231::1"
SO_ORIGINAL_DST = 80


@dataclass(frozen=True)
class Machines:
    """A pod, and a machine that it can talk to."""

    pod: Netns
    peer: Netns

    def meshctl(self, *words: str) -> str:
        """Run a verb of ``meshctl iptables`` in the pod."""
        return self.pod.run(sys.executable, "-m", "meshctl_operator.cli.main", "iptables", *words)


@pytest.fixture
def machines() -> Iterator[Machines]:
    """The two, connected, each with an address of both families; whatever else the pod sends goes to its peer."""
    with Netns("pod") as pod, Netns("peer") as peer:
        connect(pod, peer, name="eth0", other="eth0")
        for machine, addresses in ((pod, (f"{POD}/24", f"{POD6}/64")), (peer, (f"{PEER}/24", f"{ROUTED}/32", f"{PEER6}/64"))):
            for address in addresses:
                machine.ip("addr", "add", address, "dev", "eth0", *(("nodad",) if ":" in address else ()))
        pod.ip("route", "add", "default", "via", PEER)
        yield Machines(pod, peer)


def ours(machine: Netns, command: str = "iptables-save") -> list[str]:
    """Return the rules and chains that the kernel has, without counters, those of the kernel itself left out."""
    lines = machine.run(command).splitlines()
    return [line.split(" [")[0] for line in lines if line.startswith(("*", "-A", ":ISTIO"))]


SETS = {
    "default": (),
    "ports": ("-b", "80,81", "-q", "443", "-o", "3306"),
    "excluded": ("-d", "15090,15021", "-x", "10.0.0.0/8,fd00::/8", "-c", "eth1,eth2"),
    "ranges": ("-i", "10.0.0.0/8,127.0.0.1/32,fd00::/8", "-k", "net1,net2"),
    "owners": ("-u", "1337,7", "-g", "8", "--exclude-owner-groups", "202"),
    "dns": ("--redirect-dns", "--dns-servers", "10.96.0.10,fd00::10"),
    "all-dns": ("--redirect-dns", "--capture-all-dns", "--owner-groups", "202,203"),
    "tproxy": ("-m", "TPROXY", "-d", "15090", "-c", "eth1", "--drop-invalid"),
    "tproxy-ports": ("-m", "TPROXY", "-b", "80", "--tproxy-mark", "1337"),
}


@pytest.mark.parametrize("options", SETS.values(), ids=SETS)
def test_every_set_loads(machines: Machines, options: tuple[str, ...]) -> None:
    """The kernel has as many rules as were printed, in both families; again is the same, and afterwards there is nothing."""
    printed = machines.meshctl("print", *options)
    machines.meshctl("apply", "--dual-stack", *options)
    before = {command: ours(machines.pod, command) for command in ("iptables-save", "ip6tables-save")}
    wanted = sum(line.startswith(("-A", "-I")) for line in printed.splitlines())
    assert sum(line.startswith("-A") for lines in before.values() for line in lines) == wanted
    beside = [machines.pod.ip(*words) for words in (("rule",), ("-6", "rule"), ("addr", "show", "dev", "lo"))]
    machines.meshctl("apply", "--dual-stack", *options)
    assert before == {command: ours(machines.pod, command) for command in before}
    assert beside == [machines.pod.ip(*words) for words in (("rule",), ("-6", "rule"), ("addr", "show", "dev", "lo"))]
    machines.meshctl("clean")
    assert [line for command in before for line in ours(machines.pod, command) if not line.startswith("*")] == []
    assert "fwmark" not in machines.pod.ip("rule")
    assert "::6" not in machines.pod.ip("-6", "addr", "show", "dev", "lo").split()


def test_other_options_replace_the_first(machines: Machines) -> None:
    """Nothing of the first is left, but for what is not ours."""
    machines.meshctl("apply", "-c", "eth5")
    plain = Netns("plain")
    machines.pod.run("iptables", "-t", "nat", "-A", "OUTPUT", "-d", "198.51.100.1", "-j", "RETURN")
    with plain:
        plain.run(sys.executable, "-m", "meshctl_operator.cli.main", "iptables", "apply")
        expected = ours(plain)
    machines.meshctl("apply", *SETS["tproxy"], "--dual-stack")
    machines.meshctl("apply")
    foreign = "-A OUTPUT -d 198.51.100.1/32 -j RETURN"
    now = ours(machines.pod)
    assert foreign in now
    assert [line for line in now if line != foreign and line not in ("*mangle", "*raw")] == expected
    assert [line for line in ours(machines.pod, "ip6tables-save") if not line.startswith("*")] == []


def test_broken_rules_change_nothing(machines: Machines) -> None:
    """A rule that the kernel refuses leaves the table as it was."""
    machines.meshctl("apply")
    before = ours(machines.pod)
    with pytest.raises(Exception, match="non-zero exit status 1"):
        machines.meshctl("apply", "-u", "no-such-user")
    assert ours(machines.pod) == before


class Places:
    """Sockets that listen, each under a name; ``reach`` tells under which name a connection arrives."""

    def __init__(self) -> None:
        self._servers: list[asyncio.Server] = []
        self._arrived: asyncio.Queue[tuple[str, str, tuple[str, int]]] = asyncio.Queue()

    async def listen(self, name: str, sock: socket.socket, host: str, port: int) -> None:
        """Listen under a name."""
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if sock.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((host, port))

        async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            peer = writer.get_extra_info("socket")
            await self._arrived.put((name, _meant_for(peer), peer.getpeername()[:2]))
            writer.close()

        self._servers.append(await asyncio.start_server(serve, sock=sock))

    async def reach(self, sock: socket.socket, host: str, port: int) -> tuple[str, str]:
        """Connect; returns the name of the place and where the connection was meant to go, as far as that was changed."""
        mine = await connected(sock, host, port)
        try:
            name, meant, peer = await asyncio.wait_for(self._arrived.get(), timeout=5)
            assert peer[1] == mine.getsockname()[1]
        finally:
            mine.close()
        return name, meant

    def close(self) -> None:
        """Stop listening."""
        for server in self._servers:
            server.close()


def _meant_for(sock: socket.socket) -> str:
    """Return the original destination of a redirected connection."""
    try:
        if sock.family == socket.AF_INET6:
            answer = sock.getsockopt(socket.IPPROTO_IPV6, SO_ORIGINAL_DST, 28)
            return f"{socket.inet_ntop(socket.AF_INET6, answer[8:24])}:{struct.unpack('!H', answer[2:4])[0]}"
        answer = sock.getsockopt(socket.IPPROTO_IP, SO_ORIGINAL_DST, 16)
        return f"{socket.inet_ntoa(answer[4:8])}:{struct.unpack('!H', answer[2:4])[0]}"
    except OSError:
        return f"{sock.getsockname()[0]}:{sock.getsockname()[1]}"


async def listening(machines: Machines, family: Family) -> Places:
    """Return the places: Envoy's two ports and two of the application in the pod, and two ports of the peer."""
    places = Places()
    six = family is Family.IPV6
    kind, everywhere = (socket.AF_INET6, "::") if six else (socket.AF_INET, "0.0.0.0")
    for name, port in (("outbound", 15001), ("inbound", 15006)):
        await places.listen(name, machines.pod.socket(family=kind, user=PROXY_USER), everywhere, port)
    for port in (8080, 8081):
        await places.listen("application", machines.pod.socket(family=kind), everywhere, port)
    for port in (80, 3306):
        await places.listen("peer", machines.peer.socket(family=kind), everywhere, port)
    return places


@pytest.mark.parametrize("family", Family)
async def test_where_connections_go(machines: Machines, family: Family) -> None:
    """Each row of the table that decides, seen from the outside."""
    six = family is Family.IPV6
    pod, peer = (POD6, PEER6) if six else (POD, PEER)
    loop, passthrough = ("::1", "::6") if six else ("127.0.0.1", "127.0.0.6")
    kind = socket.AF_INET6 if six else socket.AF_INET
    machines.meshctl("apply", "--dual-stack", "-d", "8081", "-o", "3306")
    places = await listening(machines, family)

    def at(address: str, port: int) -> str:
        return f"{address}:{port}"

    def application() -> socket.socket:
        return machines.pod.socket(family=kind)

    def envoy() -> socket.socket:
        return machines.pod.socket(family=kind, user=PROXY_USER)

    def handed_on() -> socket.socket:
        sock = envoy()
        sock.bind((passthrough, 0))
        return sock

    def client() -> socket.socket:
        return machines.peer.socket(family=kind)

    try:
        assert await places.reach(application(), peer, 80) == ("outbound", at(peer, 80))
        assert await places.reach(application(), peer, 3306) == ("peer", at(peer, 3306))
        assert await places.reach(envoy(), peer, 80) == ("peer", at(peer, 80))
        assert await places.reach(client(), pod, 8080) == ("inbound", at(pod, 8080))
        assert await places.reach(client(), pod, 8081) == ("application", at(pod, 8081))
        assert await places.reach(handed_on(), pod, 8080) == ("application", at(pod, 8080))
        assert await places.reach(envoy(), pod, 8080) == ("inbound", at(pod, 8080))
        assert await places.reach(application(), pod, 8080) == ("application", at(pod, 8080))
        assert await places.reach(application(), loop, 8080) == ("application", at(loop, 8080))
        assert await places.reach(envoy(), loop, 8080) == ("application", at(loop, 8080))
    finally:
        places.close()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("-i", "192.0.2.0/24"), {PEER: "peer", ROUTED: "outbound"}),
        (("-x", "192.0.2.0/24"), {PEER: "outbound", ROUTED: "peer"}),
        (("-i", ""), {PEER: "peer", ROUTED: "peer"}),
        (("-i", "", "-q", "80"), {PEER: "outbound", ROUTED: "outbound"}),
        (("-c", "eth0"), {PEER: "peer", ROUTED: "peer"}),
        (("--exclude-owner-groups", "0"), {PEER: "peer", ROUTED: "peer"}),
        (("--owner-groups", "0"), {PEER: "outbound", ROUTED: "outbound"}),
    ],
    ids=lambda value: "".join(value) if isinstance(value, tuple) else None,
)
async def test_where_options_lead(machines: Machines, options: tuple[str, ...], expected: dict[str, str]) -> None:
    """Ranges, ports, interfaces and groups, included and excluded."""
    machines.meshctl("apply", *options)
    places = await listening(machines, Family.IPV4)
    try:
        for host, name in expected.items():
            assert await places.reach(machines.pod.socket(), host, 80) == (name, f"{host}:80")
    finally:
        places.close()


@pytest.mark.parametrize(
    ("options", "expected"),
    [(("-b", "8081"), ("application", "inbound")), (("-b", ""), ("application", "application"))],
    ids=["one", "none"],
)
async def test_which_inbound_ports(machines: Machines, options: tuple[str, ...], expected: tuple[str, str]) -> None:
    """Those that are listed, and no others."""
    machines.meshctl("apply", *options)
    places = await listening(machines, Family.IPV4)
    try:
        for port, name in zip((8080, 8081), expected, strict=True):
            assert await places.reach(machines.peer.socket(), POD, port) == (name, f"{POD}:{port}")
    finally:
        places.close()


async def test_transparent_proxying_keeps_addresses(machines: Machines) -> None:
    """With TPROXY, Envoy gets the connection under the address that the client asked for; outbound stays as it was."""
    machines.meshctl("apply", "-m", "TPROXY", "-d", "8081")
    places = Places()
    transparent = machines.pod.socket(user=PROXY_USER)
    transparent.setsockopt(socket.SOL_IP, 19, 1)  # IP_TRANSPARENT
    await places.listen("inbound", transparent, "0.0.0.0", 15006)
    await places.listen("outbound", machines.pod.socket(user=PROXY_USER), "0.0.0.0", 15001)
    for port in (8080, 8081):
        await places.listen("application", machines.pod.socket(), "0.0.0.0", port)
    try:
        assert await places.reach(machines.peer.socket(), POD, 8080) == ("inbound", f"{POD}:8080")
        assert await places.reach(machines.peer.socket(), POD, 8081) == ("application", f"{POD}:8081")
        assert await places.reach(machines.pod.socket(), PEER, 80) == ("outbound", f"{PEER}:80")
        assert await places.reach(machines.pod.socket(), POD, 8080) == ("application", f"{POD}:8080")
    finally:
        places.close()
