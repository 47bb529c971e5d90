"""A gateway and a sidecar, real Envoys, that serve a steady load while tests change everything behind them and before them.

``async with running(folder, variant) as mesh`` starts servers, the Envoys and the load process; ``mesh.serving()`` runs a control plane.
What a test gets in the end is ``mesh.lost``: what clients saw fail, with what Envoy wrote into its access log about it.
"""

from __future__ import annotations

import asyncio
import base64
import os
import socket
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

from envoy.extensions.network.dns_resolver.cares.v3 import cares_dns_resolver_pb2

from meshctl_operator.apis.mesh_config import MeshConfig
from meshctl_operator.apis.mesh_settings import MeshSettings
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.bootstrap.bootstrap import bootstrap, to_dict
from meshctl_operator.bootstrap.options import BootstrapOptions, XdsVariant
from meshctl_operator.compiler.emit import resources
from meshctl_operator.compiler.emit.clusters import emit_cluster
from meshctl_operator.compiler.inputs.clusters import ClusterInput
from meshctl_operator.controlplane.events import Acked, Nacked, Subscription
from meshctl_operator.controlplane.pipeline import mesh_object
from meshctl_operator.controlplane.plane import ControlPlane
from meshctl_operator.controlplane.proxy_descriptions import parse_proxy
from meshctl_operator.controlplane.settings import Settings
from meshctl_operator.model.proxies import LocalBinding, Proxy
from meshctl_operator.sources.memory import MemorySource
from meshctl_operator.xds.options import ServerOptions
from tests.support.envoy_process import EnvoyProcess
from tests.support.envoy_versions import newest
from tests.support.key_pairs import key_pair
from tests.support.meshes import RawObject, istio
from tests.support.traffic.connections import WAIT, Target
from tests.support.traffic.handle import POLL, TIMEOUT, Traffic

GATEWAY: Final = "gateway"
SIDECAR: Final = "sidecar"
PORT: Final = 8080
TLS_PORT: Final = 8443
SHOP: Final = "shop.example.org"
BLOG: Final = "blog.example.org"
VERSIONS: Final = ("v1", "v2", "v3")
BLOGGERS: Final = ("blog-1", "blog-2")
RATE: Final = 80.0
"""Requests a second for each host and Envoy that are answered at once."""

SLOW_RATE: Final = 40.0
SLOW_MS: Final = 40
"""Those that are answered later, so that there is always one on its way through what changes."""

SLOW_NAME: Final = "slow.example.net"
NAME_MS: Final = 200
"""The one name that DNS answers, and after how many milliseconds. Any other name is asked for in vain."""

LOG_MARK: Final = "access"
_FORMAT: Final = f"{LOG_MARK} %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %UPSTREAM_CLUSTER% %REQ(:AUTHORITY)%"


def entrance(address: str, *more: RawObject) -> RawObject:
    """Return the Gateway for all hosts at an address, with more servers if there are."""
    server = {"port": {"number": PORT, "name": "http", "protocol": "HTTP"}, "hosts": ["*"], "bind": address}
    return istio("Gateway", "entrance", {"servers": [server, *more]}, "istio-system")


def entry(host: str, ports: Mapping[str, int], *, name: str = "") -> RawObject:
    """Return a service with an endpoint on loopback for each version, given their ports."""
    endpoints = [{"address": "127.0.0.1", "labels": {"version": version}, "ports": {"http": port}} for version, port in ports.items()]
    spec = {
        "hosts": [host],
        "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}],
        "resolution": "STATIC",
        "location": "MESH_INTERNAL",
        "endpoints": endpoints,
    }
    return istio("ServiceEntry", name or host.partition(".")[0], spec)


def named_entry(host: str, name: str, port: int) -> RawObject:
    """Return a service whose one endpoint is found by DNS."""
    raw = entry(host, {})
    return {**raw, "spec": {**raw["spec"], "resolution": "DNS", "endpoints": [{"address": name, "ports": {"http": port}}]}}


def subsets(host: str, names: Mapping[str, str]) -> RawObject:
    """Return the DestinationRule of a host with subsets, given the version of each."""
    found = [{"name": name, "labels": {"version": version}} for name, version in names.items()]
    return istio("DestinationRule", host.partition(".")[0], {"host": host, "subsets": found})


def destination(host: str, subset: str = "", weight: int = 100) -> RawObject:
    """Return a weighted destination."""
    return {"destination": {"host": host} | ({"subset": subset} if subset else {}), "weight": weight}


def rule(host: str, *destinations: RawObject, matches: Mapping[str, RawObject] | None = None) -> RawObject:
    """Return the VirtualService of a host for sidecars and the gateway: prefixes with destinations of their own, then the rest."""
    special = [{"match": [{"uri": {"prefix": prefix}}], "route": [found]} for prefix, found in (matches or {}).items()]
    rest = [{"route": list(destinations)}]
    spec = {"hosts": [host], "gateways": ["mesh", "istio-system/entrance"], "http": [*special, *rest]}
    return istio("VirtualService", host.partition(".")[0], spec)


def mesh_wide(**fields: object) -> Any:
    """Return the settings of the mesh with an access log, and with these fields of MeshConfig changed."""
    raw = {"accessLogFile": "/dev/stdout", "accessLogFormat": f"{_FORMAT}\n", **fields}
    return mesh_object(MeshSettings(MeshConfig.model_validate(raw)))


def tls_server(address: str, host: str, secret: str) -> RawObject:
    """Return a server of the Gateway for TLS with a certificate of its own."""
    port = {"number": TLS_PORT, "name": f"https-{secret}", "protocol": "HTTPS"}
    return {"port": port, "hosts": [host], "bind": address, "tls": {"mode": "SIMPLE", "credentialName": secret}}


def credential(name: str, serial: int) -> RawObject:
    """Return a Secret with a certificate; another serial gives another one."""
    certificate, key = key_pair(serial=serial)
    data = {"tls.crt": base64.b64encode(certificate).decode(), "tls.key": base64.b64encode(key).decode()}
    meta = {"name": name, "namespace": "istio-system"}
    return {"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls", "metadata": meta, "data": data}


def key_of(raw: RawObject) -> ObjectKey:
    """Return the key of an object."""
    return ObjectKey(raw["kind"], raw["metadata"]["namespace"], raw["metadata"]["name"])


class Replica:
    """One control plane after the other on one address, with objects that outlive them."""

    def __init__(self, address: str, *objects: Any, options: ServerOptions | None = None) -> None:
        self.address = address
        self._options = options
        self.source = MemorySource(*objects)
        self.plane: ControlPlane | None = None
        self._events: Subscription | None = None

    @asynccontextmanager
    async def serving(self, settings: Settings) -> AsyncIterator[None]:
        """Run a control plane, which knows nothing of an earlier one."""
        async with ControlPlane(settings, [self.source], server_options=self._options) as plane:
            with plane.events.subscribe(Acked, Nacked) as events:
                self.plane, self._events = plane, events
                try:
                    await plane.settled()
                    await plane.serve(self.address)
                    yield
                finally:
                    self.plane = None

    def told(self) -> dict[str, set[str]]:
        """Return what proxies accepted since the last call: names by type. They must not have rejected anything."""
        assert self._events is not None
        found: dict[str, set[str]] = {}
        for event in self._events.take():
            assert isinstance(event, Acked), event
            if event.resources:
                found.setdefault(event.type, set()).update(event.resources)
        return found


@dataclass(frozen=True)
class Lost:
    """What clients saw fail, by the name of the target, and the lines of Envoys' access logs that are not about a 200, counted."""

    failures: Mapping[str, Mapping[str, int]]
    logged: Mapping[str, Mapping[str, int]]

    def __bool__(self) -> bool:
        """Tell whether anything failed."""
        return bool(self.failures)


class Mesh:
    """What ``running`` yields."""

    def __init__(self, traffic: Traffic, ports: Mapping[str, int], replicas: list[Replica], address: str, settings: Settings) -> None:
        self.traffic, self.ports, self.replicas, self.address, self.settings = traffic, ports, replicas, address, settings
        self.envoys: dict[str, EnvoyProcess] = {}
        self.http_proxy = 0

    # -- control planes ---------------------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def serving(self, number: int = 0) -> AsyncIterator[Replica]:
        """Run the control plane of a replica."""
        async with self.replicas[number].serving(self.settings):
            yield self.replicas[number]

    def change(self, *objects: Any, gone: tuple[RawObject, ...] = ()) -> None:
        """Apply objects and delete some, on all replicas; the applied ones are one change set."""
        for replica in self.replicas:
            if gone:
                replica.source.delete(*map(key_of, gone))
            if objects:
                replica.source.apply(*objects)

    async def settled(self) -> None:
        """Wait until the running control planes have sent everything and the Envoys have answered."""
        for replica in self.replicas:
            if replica.plane is not None:
                await replica.plane.settled()

    async def edit(self, *objects: Any, gone: tuple[RawObject, ...] = ()) -> None:
        """Change, and wait until the Envoys have it."""
        self.change(*objects, gone=gone)
        await self.settled()

    async def ready(self) -> None:
        """Wait until the Envoys are LIVE and everything is settled."""
        for envoy in self.envoys.values():
            await envoy.wait_ready()
        await self.settled()

    # -- clients ----------------------------------------------------------------------------------------------------------------------

    def targets(self, *hosts: str) -> list[Target]:
        """Return the load for hosts by way of both Envoys: ``gateway/shop`` is answered at once, ``gateway/shop/slow`` after a while."""
        places = {GATEWAY: (self.address, PORT), SIDECAR: ("127.0.0.1", self.http_proxy)}
        kinds = {"": Target("", "", 0, "", RATE), "/slow": Target("", "", 0, "", SLOW_RATE, connections=4, path=f"{WAIT}{SLOW_MS}")}
        return [
            replace(kind, name=f"{name}/{host.partition('.')[0]}{suffix}", address=address, port=port, host=host)
            for name, (address, port) in places.items()
            for host in hosts
            for suffix, kind in kinds.items()
        ]

    def path(self, host: str, path: str) -> list[Target]:
        """Return the load for one path of a host by way of both Envoys; the path without its slash ends the names of the targets."""
        return [
            replace(target, name=f"{target.name.partition('/')[0]}{path}", path=path)
            for target in self.targets(host)
            if not target.name.endswith("/slow")
        ]

    def secure(self, *hosts: str) -> list[Target]:
        """Return the load for hosts by way of the gateway's port for TLS."""
        target = Target("", self.address, TLS_PORT, host="", rate=RATE, tls=True)
        return [replace(target, name=f"{GATEWAY}/secure-{host.partition('.')[0]}", host=host) for host in hosts]

    async def answered_by(self, *texts: str, target: str = "shop", within: float = TIMEOUT) -> None:
        """Wait until a target is answered like that by way of both Envoys: their workers take a change over a moment after the ACK."""
        await self.traffic.answered_by({f"{name}/{target}": texts for name in self.envoys}, timeout=within)

    async def failing(self, target: str) -> None:
        """Wait until a target is not answered any more by way of both Envoys."""
        await self.traffic.answered_by({f"{name}/{target}": () for name in self.envoys})

    async def connected(self, replica: Replica) -> None:
        """Wait until both Envoys are connected to a replica."""
        async with asyncio.timeout(30):
            while replica.plane is None or len(replica.plane.sessions) < len(self.envoys):  # noqa: ASYNC110  (streams that open are no event here)
                await asyncio.sleep(POLL)


class Run:
    """The lost requests of a run, known when all is stopped: Envoy writes the last lines of its access log when it ends."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.traffic = Traffic()

    def lost(self, may_fail: Mapping[str, str]) -> Lost:
        """Return what failed, but for the failures that begin as expected."""
        found: dict[str, dict[str, int]] = {}
        for name, failures in self.traffic.failures().items():
            expected = may_fail.get(name.split("/")[1])
            left = {reason: count for reason, count in failures.items() if expected is None or not reason.startswith(expected)}
            if left:
                found[name] = left
        return Lost(found, {name: _not_ok(self._folder / name / "envoy.log") for name in (GATEWAY, SIDECAR)})


@asynccontextmanager
async def running(
    folder: Path,
    variant: XdsVariant,
    *objects: Any,
    replicas: int = 1,
    may_fail: Mapping[str, str] | None = None,
    binary: Path | None = None,
    settings: Settings | None = None,
    options: ServerOptions | None = None,
) -> AsyncIterator[Mesh]:
    """Run servers, the load process and the Envoys, which wait for a control plane.

    In the end the load is stopped and must have lost nothing: AssertionError tells what was.

    Args:
        folder: takes the logs.
        variant: SotW or Delta.
        objects: config objects beside those of the two hosts and the Gateway.
        may_fail: how failures begin that are expected, by the target without the name of the Envoy.
        replicas: how many control planes the Envoys know; they try the next when one is gone.
        binary: the Envoy to run, the newest if absent.
        settings: of the control planes.
        options: of their servers.
    """
    run = Run(folder)
    async with AsyncExitStack() as stack:
        traffic = await stack.enter_async_context(run.traffic)
        ports = await traffic.serve(*VERSIONS, *BLOGGERS)
        stack.enter_context(_resolving(await traffic.names({SLOW_NAME: NAME_MS})))
        address = own_address()
        held = (*_base(address, ports), *objects)
        sockets = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="xds-")))
        planes = [Replica(f"unix:{sockets / str(number)}", *held, options=options) for number in range(replicas)]
        mesh = Mesh(traffic, ports, planes, address, settings or Settings(drain_grace=0.1))
        mesh.http_proxy = free_port()
        for name, proxy in _proxies(mesh.http_proxy).items():
            config = _bootstrap(proxy, variant, [sockets / str(number) for number in range(replicas)])
            envoy = EnvoyProcess(config, folder / name, binary=binary or newest(), ready=False)
            mesh.envoys[name] = await stack.enter_async_context(envoy)
        yield mesh
        await traffic.stop()
    lost = run.lost(may_fail or {})
    assert not lost, lost


def _base(address: str, ports: Mapping[str, int]) -> Iterator[Any]:
    yield mesh_wide()
    yield entrance(address)
    yield entry(SHOP, {version: ports[version] for version in VERSIONS})
    yield subsets(SHOP, {"v1": "v1", "v2": "v2"})
    yield rule(SHOP, destination(SHOP, "v1"))
    yield entry(BLOG, {BLOGGERS[0]: ports[BLOGGERS[0]]})
    yield rule(BLOG, destination(BLOG))


def _proxies(http_proxy: int) -> dict[str, Proxy]:
    sidecar = replace(parse_proxy("sidecar:client.default").as_proxy(), http_proxy_port=http_proxy, local=LocalBinding("127.0.0.1"))
    return {GATEWAY: parse_proxy("router:istio-ingressgateway.istio-system").as_proxy(), SIDECAR: sidecar}


def _bootstrap(proxy: Proxy, variant: XdsVariant, sockets: list[Path]) -> dict[str, Any]:
    config: dict[str, Any] = to_dict(bootstrap(BootstrapOptions(proxy, variant=variant)))
    (cluster,) = config["static_resources"]["clusters"]
    places = [{"endpoint": {"address": {"pipe": {"path": str(socket)}}}} for socket in sockets]
    cluster["load_assignment"]["endpoints"][0]["lb_endpoints"] = places
    return config


@contextmanager
def _resolving(port: int) -> Iterator[None]:
    """Let clusters ask the DNS server on a port of 127.0.0.1: Envoy would ask that of the machine."""

    def emit(cluster: ClusterInput) -> Any:
        message = emit_cluster(cluster)
        config = message.typed_dns_resolver_config.typed_config
        resolver = cares_dns_resolver_pb2.CaresDnsResolverConfig()
        if config.Unpack(resolver):
            address = resolver.resolvers.add().socket_address
            address.address, address.port_value = "127.0.0.1", port
            config.Pack(resolver, deterministic=True)
        return message

    with patch.object(resources, "emit_cluster", emit):
        yield


def _not_ok(log: Path) -> Counter[str]:
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    return Counter(line for line in lines if line.startswith(LOG_MARK) and not line.startswith(f"{LOG_MARK} 200 "))


def own_address() -> str:
    """Return a loopback address that no other test uses, where no port is taken."""
    high, low = divmod(os.getpid() % 62_500, 250)
    return f"127.2.{high + 1}.{low + 1}"


def free_port() -> int:
    """Return a port of 127.0.0.1 that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
