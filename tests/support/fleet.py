"""A control plane in this process and real, intercepting Envoys in network namespaces of their own."""

from __future__ import annotations

import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from meshctl_operator.apis.changes import Upsert
from meshctl_operator.apis.decode import decode
from meshctl_operator.apis.meta import ConfigObject
from meshctl_operator.bootstrap.bootstrap import bootstrap, to_dict
from meshctl_operator.bootstrap.options import BootstrapOptions, XdsVariant
from meshctl_operator.controlplane.certificates import throw_away_certificate
from meshctl_operator.controlplane.events import Nacked
from meshctl_operator.controlplane.plane import ControlPlane
from meshctl_operator.controlplane.proxy_descriptions import parse_proxy
from meshctl_operator.controlplane.settings import Settings
from meshctl_operator.sources.memory import MemorySource
from meshctl_operator.xds.readiness import Timing
from tests.support.dev_mesh import BOOKINFO
from tests.support.envoy_process import EnvoyProcess
from tests.support.envoy_versions import newest
from tests.support.golden import load_objects

PROXIES = (
    "sidecar:productpage-v1.default",
    "sidecar:reviews-v2.default",
    "router:istio-ingressgateway.istio-system",
    "router:istio-egressgateway.istio-system",
)


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


def decoded(raw: dict[str, Any]) -> Upsert:
    """Return an object that must be accepted as a change."""
    change = decode(raw)
    assert isinstance(change, Upsert), change
    return change


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
    """A control plane and one intercepting Envoy for each of the proxies, in network namespaces of their own.

    ``splits`` says whether these Envoys are to be served split route configurations: the newest is, by Delta, and the oldest never.
    """

    def __init__(self, folder: Path, binary: Path, variant: XdsVariant, *, proxies: tuple[str, ...] = PROXIES) -> None:
        self.base = objects(BOOKINFO / "mesh")
        slices = [
            endpoint_slice(name, "10.231.0.1", "10.231.0.2", "10.231.0.3") for name in ("productpage", "details", "reviews", "ratings")
        ]
        self.source = MemorySource(*self.base, certificate(), *slices)
        self.plane = ControlPlane(Settings(timing=Timing()), [self.source])
        self.splits = variant is XdsVariant.DELTA and binary == newest()
        self.variant = variant
        self.envoys: dict[str, EnvoyProcess] = {}
        self._over: list[ConfigObject[Any]] = []
        self._folder, self._binary, self._proxies = folder, binary, proxies

    async def start(self, stack: AsyncExitStack) -> None:
        """Start everything."""
        await stack.enter_async_context(self.plane)
        self._events = stack.enter_context(self.plane.events.subscribe())
        sockets = stack.enter_context(tempfile.TemporaryDirectory(prefix="xds-"))  # the path of a socket may have 107 characters only
        socket = Path(sockets) / "xds.sock"
        await self.plane.serve(f"unix:{socket}")
        for name in self._proxies:
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
