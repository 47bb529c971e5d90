"""Real Envoys take every kind of listener that we plan, and terminate TLS with certificates that come over the ADS stream."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from meshctl_operator.base.labels import freeze
from meshctl_operator.compiler.emit.listeners import emit_listener
from meshctl_operator.compiler.emit.routes import emit_route_configuration
from meshctl_operator.compiler.emit.secrets import emit_secret
from meshctl_operator.compiler.inputs.listeners import ListenerInput
from meshctl_operator.compiler.inputs.routes import (
    DirectResponseInput,
    RouteConfigurationInput,
    RouteInput,
    RouteMatchInput,
    VirtualHostInput,
)
from meshctl_operator.compiler.plan.gateway_listeners import plan_gateway_listeners
from meshctl_operator.compiler.plan.inbound_listeners import plan_inbound_listeners
from meshctl_operator.compiler.plan.outbound_listeners import plan_outbound_listeners
from meshctl_operator.compiler.plan.secrets import plan_secret
from meshctl_operator.model.proxies import InterceptionMode, LocalBinding, ProxyRole
from meshctl_operator.model.views import GatewayView, InboundView, OutboundView, SecretView
from meshctl_operator.xds.ads import AdsServer
from meshctl_operator.xds.resources import TypeUrl, make_resource
from tests.support.ads_bootstrap import ads_bootstrap
from tests.support.envoy_process import EnvoyProcess
from tests.support.envoy_versions import BINARIES
from tests.support.key_pairs import secret_yaml
from tests.support.memory_discovery import MemoryDiscovery
from tests.support.mesh_text import TextMesh, as_json

pytestmark = pytest.mark.envoy

LABELS = freeze({"app": "web"})
CONFIG = """
apiVersion: v1
kind: Service
metadata: {name: web, namespace: default}
spec:
  clusterIP: 10.96.0.11
  selector: {app: web}
  ports:
  - {name: http, port: 9080}
  - {name: grpc-web, port: 9081}
  - {name: unknown, port: 9082}
  - {name: tcp, port: 9083}
  - {name: https, port: 9443}
  - {name: mongo, port: 27017}
---
apiVersion: v1
kind: Service
metadata: {name: headless, namespace: default}
spec: {clusterIP: None, selector: {app: none}, ports: [{name: tcp, port: 6000}, {name: http, port: 9080}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: headless-1, namespace: default, labels: {kubernetes.io/service-name: headless}}
addressType: IPv4
ports: [{name: tcp, port: 6000}]
endpoints: [{addresses: [10.1.0.5]}, {addresses: [10.1.0.4]}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: outside, namespace: default}
spec:
  hosts: [a.example.com, "*.example.org"]
  resolution: NONE
  ports: [{number: 443, name: tls, protocol: TLS}, {number: 9080, name: tcp, protocol: TCP}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: ranges, namespace: default}
spec:
  hosts: [ranges.example.com]
  addresses: [172.16.0.0/16, 192.168.1.0/24, 1.2.3.4]
  resolution: NONE
  ports: [{number: 9080, name: tcp, protocol: TCP}, {number: 443, name: tls, protocol: TLS}, {number: 9999, name: auto, protocol: ""}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: layer-four, namespace: default}
spec:
  hosts: [web, a.example.com, "*.gateway.example.com"]
  gateways: [mesh, gw]
  tcp:
  - match: [{destinationSubnets: [10.0.0.0/8], port: 9083}]
    route: [{destination: {host: web, port: {number: 9083}}}]
  - route: [{destination: {host: web, port: {number: 9083}}, weight: 50}, {destination: {host: web, subset: v1}, weight: 50}]
  tls:
  - match: [{sniHosts: [a.example.com, "*-b.example.com"]}, {sniHosts: ["*.a.example.com"], destinationSubnets: [10.0.0.0/8]}]
    route: [{destination: {host: a.example.com}}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: web, namespace: default}
spec:
  host: web
  trafficPolicy:
    connectionPool: {tcp: {idleTimeout: 30s, maxConnectionDuration: 1h}}
    loadBalancer: {consistentHash: {useSourceIp: true}}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: gw, namespace: default}
spec:
  selector: {app: web}
  servers:
  - {port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}
  - {port: {number: 81, name: web, protocol: GRPC-WEB}, hosts: ["*"], tls: {httpsRedirect: true}}
  - {port: {number: 443, name: one, protocol: HTTPS}, hosts: [a.gateway.example.com, "*-x.com"], tls: {mode: SIMPLE, credentialName: bk, cipherSuites: [ALL, X]}}
  - {port: {number: 443, name: two, protocol: HTTPS}, hosts: ["default/A.gateway.example.com"], tls: {mode: SIMPLE, credentialName: bk}}
  - {port: {number: 443, name: pass, protocol: TLS}, hosts: ["*"], tls: {mode: PASSTHROUGH}}
  - {port: {number: 8443, name: tls, protocol: TLS}, hosts: ["*"], tls: {mode: SIMPLE, credentialName: bk}}
  - {port: {number: 9000, name: tcp, protocol: TCP}, hosts: ["*"]}
  - {port: {number: 9001, name: mongo, protocol: MONGO}, hosts: ["*"]}
  - {port: {number: 80, name: other, protocol: HTTP}, bind: "::1", hosts: ["*"]}
"""
MESHES: dict[str, dict[str, Any]] = {
    "defaults": {},
    "text-log": {"accessLogFile": "/dev/stdout", "outboundTrafficPolicy": {"mode": "REGISTRY_ONLY"}},
    "json-log": {
        "accessLogFile": "/dev/stdout",
        "accessLogEncoding": "JSON",
        "pathNormalization": {"normalization": "DECODE_AND_MERGE_SLASHES"},
        "protocolDetectionTimeout": "100ms",
    },
}


def every_listener(mesh: TextMesh) -> dict[str, list[ListenerInput]]:
    """Return the listeners of each kind of proxy."""
    plans = {"gateway": mesh.evaluate(plan_gateway_listeners, GatewayView("default", LABELS, http10=True))}
    for mode in InterceptionMode:
        outbound = OutboundView(
            ProxyRole.SIDECAR, "default", "default.svc.cluster.local", interception=mode, http_proxy_port=15080, http10=True
        )
        plans[f"outbound-{mode}"] = mesh.evaluate(plan_outbound_listeners, outbound)
        plans[f"inbound-{mode}"] = mesh.evaluate(
            plan_inbound_listeners, InboundView("default", "web", LABELS, ("10.1.0.1",), interception=mode)
        )
    local = InboundView("default", "web", LABELS, ("127.0.1.2",), local=LocalBinding("127.0.1.2"))
    plans["inbound-local"] = mesh.evaluate(plan_inbound_listeners, local)
    return {name: [listener.input for listener in compiled.value] for name, compiled in plans.items()}


def bootstrap(server: str, listeners: Iterable[ListenerInput] = ()) -> dict[str, Any]:
    """Return the bootstrap of an Envoy with static listeners, and with an ADS stream to the server for anything else."""
    config = ads_bootstrap(server, "router~127.0.0.1~test.default~default.svc.cluster.local", ["lds"])
    config["static_resources"]["listeners"] = [as_json(emit_listener(listener)) for listener in listeners]
    return config


@pytest.mark.parametrize("version", sorted(BINARIES))
@pytest.mark.parametrize("settings", list(MESHES))
def test_envoy_takes_every_listener(version: str, settings: str, tmp_path: Path) -> None:
    """Nothing that is planned is refused: sidecars in every interception mode, the local mesh, gateways with every kind of server."""
    mesh = TextMesh(CONFIG + secret_yaml(namespace="default"), **MESHES[settings])
    for name, listeners in every_listener(mesh).items():
        assert listeners or name == "inbound-NONE"
        config = tmp_path / f"{name}.json"
        config.write_text(json.dumps(bootstrap("127.0.0.1:1", listeners)))
        command = [str(BINARIES[version]()), "--mode", "validate", "-c", str(config), "-l", "error"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, f"{name}: {done.stderr[-2000:]}"


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.mark.parametrize("version", sorted(BINARIES))
async def test_envoy_terminates_tls(version: str, tmp_path: Path) -> None:
    """A server with a credential answers https as soon as Envoy has listener, routes and secret; another server name is turned away."""
    port = free_port()
    text = """
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: gw, namespace: default}
spec:
  servers: [{port: {number: 443, name: https, protocol: HTTPS}, hosts: [a.example.com], tls: {mode: SIMPLE, credentialName: bk}}]
"""
    mesh = TextMesh(text + secret_yaml(namespace="default"))
    view = GatewayView("default", LABELS, local=LocalBinding("127.0.0.1", ((443, port),)))
    (listener,) = mesh.evaluate(plan_gateway_listeners, view).value
    secret = mesh.evaluate(plan_secret, SecretView("default"), "kubernetes://bk")
    assert secret is not None
    route = RouteInput(RouteMatchInput(), DirectResponseInput(200, "over TLS"))
    routes = RouteConfigurationInput("https.443.https.gw.default", (VirtualHostInput("all", ("*",), (route,)),))
    discovery = MemoryDiscovery(
        make_resource(TypeUrl.LISTENER, listener.input.name, emit_listener(listener.input).SerializeToString(deterministic=True)),
        make_resource(TypeUrl.ROUTE, routes.name, emit_route_configuration(routes).SerializeToString(deterministic=True)),
        make_resource(TypeUrl.SECRET, secret.input.name, emit_secret(secret.input).SerializeToString(deterministic=True)),
    )
    server = AdsServer(discovery)
    address = await server.start("127.0.0.1:0")
    try:
        async with EnvoyProcess(bootstrap(address), tmp_path, binary=BINARIES[version]()):
            answer = await _get(port, "a.example.com")
            with pytest.raises((ssl.SSLError, ConnectionError)):
                await _get(port, "b.example.com")
    finally:
        await server.stop(0.5)
    assert not discovery.nacks
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.endswith(b"over TLS")


async def _get(port: int, name: str) -> bytes:
    """Return the answer to a request over TLS with that server name."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # the certificate is of the test's own making
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=name)
    try:
        writer.write(f"GET / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
        return await reader.read()
    finally:
        writer.close()
