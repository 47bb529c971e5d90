"""Real Envoys take every kind of cluster that we plan, and hold exactly what was served."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pytest
from envoy.config.cluster.v3 import cluster_pb2
from envoy.extensions.network.dns_resolver.cares.v3 import cares_dns_resolver_pb2
from envoy.extensions.transport_sockets.tls.v3 import tls_pb2
from envoy.extensions.upstreams.http.v3 import http_protocol_options_pb2
from google.protobuf.json_format import ParseDict

from meshctl_operator.compiler.emit.clusters import emit_cluster
from meshctl_operator.compiler.emit.endpoints import emit_endpoints
from meshctl_operator.compiler.inputs.clusters import ClusterInput
from meshctl_operator.compiler.plan.inbound_clusters import plan_inbound_clusters
from meshctl_operator.compiler.plan.upstream_tls import SYSTEM_AUTHORITIES
from meshctl_operator.model.proxies import InterceptionMode, LocalBinding, Locality, ProxyRole
from meshctl_operator.model.views import EndpointView, InboundView, OutboundView
from meshctl_operator.xds.ads import AdsServer
from meshctl_operator.xds.resources import TypeUrl, XdsResource, make_resource
from tests.support.ads_bootstrap import ads_bootstrap
from tests.support.envoy_process import EnvoyProcess
from tests.support.envoy_versions import BINARIES
from tests.support.memory_discovery import MemoryDiscovery
from tests.support.mesh_text import TextMesh
from tests.support.plans import endpoints_of_cluster, plan_outbound_clusters

pytestmark = pytest.mark.envoy

_REGISTERED = (tls_pb2, http_protocol_options_pb2, cares_dns_resolver_pb2)  # the type URLs that ParseDict resolves inside Any
SIDECAR = OutboundView(ProxyRole.SIDECAR, "default", "default.svc.cluster.local")
GATEWAY = OutboundView(ProxyRole.ROUTER, "default", "default.svc.cluster.local")
WORKLOAD = InboundView("default", "every", (("app", "every"),), ("10.0.0.9",))
HERE = EndpointView(Locality("r1", "z1", "s1"))
LOCAL = LocalBinding("127.0.1.2", app_ports=((9080, 41234),))

SERVICES = """
apiVersion: v1
kind: Service
metadata: {name: every, namespace: default}
spec:
  clusterIP: 10.0.0.20
  selector: {app: every}
  ports:
  - {name: http, port: 9080}
  - {name: grpc-a, port: 9081}
  - {name: tcp-b, port: 9082}
  - {name: unknown, port: 9083}
---
apiVersion: v1
kind: Service
metadata: {name: headless, namespace: default}
spec: {clusterIP: None, ports: [{name: tcp, port: 7000}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: every-1, namespace: default, labels: {kubernetes.io/service-name: every}}
addressType: IPv4
ports: [{name: http, port: 9080}, {name: grpc-a, port: 9081}, {name: tcp-b, port: 9082}, {name: unknown, port: 9083}]
endpoints:
- {addresses: [10.1.0.1], conditions: {ready: true}}
- {addresses: [10.1.0.2], conditions: {ready: false, terminating: false}}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: static, namespace: default}
spec:
  hosts: [static.example.com]
  resolution: STATIC
  location: MESH_INTERNAL
  ports: [{number: 80, name: http, protocol: HTTP}]
  endpoints: [{address: 10.9.0.1, locality: r1/z1/s1, weight: 3}, {address: "unix:///run/some.sock"}, {address: 10.9.0.2, locality: r2}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: dns, namespace: default}
spec:
  hosts: [localhost.example.com]
  resolution: DNS
  ports: [{number: 443, name: https, protocol: HTTPS}, {number: 80, name: http, protocol: HTTP}]
  endpoints: [{address: localhost, ports: {http: 8080}}, {address: 10.9.0.3}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: round-robin, namespace: default, annotations: {istio.io/connect-strategy: RACE_FIRST_TCP_CONNECT}}
spec: {hosts: [one.example.com], resolution: DNS_ROUND_ROBIN, ports: [{number: 8080, name: http, protocol: HTTP}], endpoints: [{address: localhost}]}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: none, namespace: default}
spec: {hosts: ["*.example.org"], resolution: NONE, ports: [{number: 443, name: tls, protocol: TLS, targetPort: 8443}]}
---
"""

POLICIES = """
{connectionPool: {
   tcp: {maxConnections: 7, connectTimeout: 250ms, idleTimeout: 9s, maxConnectionDuration: 1h, tcpKeepalive: {probes: 3, time: 60s, interval: 1500ms}},
   http: {http1MaxPendingRequests: 3, http2MaxRequests: 4, maxRequestsPerConnection: 5, maxRetries: 6, idleTimeout: 8s,
          h2UpgradePolicy: UPGRADE, maxConcurrentStreams: 11, http2KeepAlive: {interval: 30s, timeout: 5s}}}}
---
{connectionPool: {http: {useClientProtocol: true}, tcp: {tcpKeepalive: {}}}}
---
{outlierDetection: {consecutive5xxErrors: 0, consecutiveGatewayErrors: 3, splitExternalLocalOriginErrors: true, interval: 1s,
   consecutiveLocalOriginFailures: 2, baseEjectionTime: 3s, maxEjectionPercent: 100, minHealthPercent: 40, outlierDetectionHttpErrorCodes: [500, 503]}}
---
{outlierDetection: {outlierDetectionHttpErrorCodes: [429]}}
---
{loadBalancer: {simple: ROUND_ROBIN, warmup: {duration: 30s, minimumPercent: 0, aggression: 1.5}}}
---
{loadBalancer: {simple: LEAST_REQUEST, warmupDurationSecs: 10s}}
---
{loadBalancer: {simple: RANDOM}}
---
{loadBalancer: {simple: PASSTHROUGH}}
---
{loadBalancer: {consistentHash: {httpHeaderName: x-user}}}
---
{loadBalancer: {consistentHash: {useSourceIp: true, ringHash: {minimumRingSize: 2048}}}}
---
{loadBalancer: {consistentHash: {httpQueryParameterName: q, maglev: {tableSize: 65537}}}}
---
{tls: {mode: SIMPLE, sni: a.example.com, subjectAltNames: [a.example.com, "spiffe://cluster.local/ns/a/sa/b", 10.0.0.1]}}
---
{tls: {mode: SIMPLE}, connectionPool: {http: {h2UpgradePolicy: UPGRADE}}}
---
{tls: {mode: SIMPLE, insecureSkipVerify: true}}
---
{tls: {mode: SIMPLE, caCertificates: AUTHORITIES}}
---
{loadBalancer: {consistentHash: {minimumRingSize: 99999999}}, outlierDetection: {maxEjectionPercent: 150, minHealthPercent: 400, interval: 0s},
 connectionPool: {tcp: {connectTimeout: 0s, maxConnectionDuration: 0s}}}
---
{loadBalancer: {consistentHash: {maglev: {tableSize: 10}}}, outlierDetection: {outlierDetectionHttpErrorCodes: [999], baseEjectionTime: 0s}}
---
{loadBalancer: {warmup: {duration: 0s, minimumPercent: 300, aggression: 0.0}}}
"""

NODE_ID = "sidecar~127.0.0.1~test.default~default.svc.cluster.local"
HOSTS = ("every", "headless", "static.example.com", "localhost.example.com", "one.example.com", "*.example.org")


def rules(policies: str) -> Iterable[str]:
    """Return DestinationRules that give every host a subset for each policy."""
    each = policies.split("---\n")
    for index, host in enumerate(HOSTS):
        subsets = "".join(f"\n  - name: p{number}\n    trafficPolicy: {' '.join(policy.split())}" for number, policy in enumerate(each))
        yield f'---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {{name: rule-{index}, namespace: default}}\nspec:\n  host: "{host}"\n  subsets:{subsets}\n'


def planned_clusters(mesh: TextMesh, outbound: OutboundView, inbound: Iterable[InboundView]) -> dict[str, ClusterInput]:
    """Return the clusters of the views by name."""
    plans = list(mesh.evaluate(plan_outbound_clusters, outbound).value)
    for view in inbound:
        plans += mesh.evaluate(plan_inbound_clusters, view).value
    return {plan.input.name: plan.input for plan in plans}


def served(mesh: TextMesh, outbound: OutboundView, plans: Mapping[str, ClusterInput]) -> Iterator[XdsResource]:
    """Yield the clusters and the endpoints that they ask for."""
    for name, plan in plans.items():
        yield make_resource(TypeUrl.CLUSTER, name, emit_cluster(plan).SerializeToString(deterministic=True))
        if plan.eds_name:
            endpoints = emit_endpoints(mesh.evaluate(endpoints_of_cluster, outbound, HERE, plan.eds_name).input)
            yield make_resource(TypeUrl.ENDPOINT, name, endpoints.SerializeToString(deterministic=True))


@pytest.mark.parametrize("version", sorted(BINARIES))
@pytest.mark.parametrize(
    ("outbound", "inbound"),
    [
        pytest.param(SIDECAR, (WORKLOAD,), id="sidecar"),
        pytest.param(GATEWAY, (), id="gateway"),
        pytest.param(
            OutboundView(ProxyRole.SIDECAR, "default", "default.svc.cluster.local", interception=InterceptionMode.NONE, local=True),
            (InboundView("default", "every", (("app", "every"),), ("127.0.1.2",), interception=InterceptionMode.NONE, local=LOCAL),),
            id="local-mesh",
        ),
    ],
)
async def test_envoy_takes_every_cluster(version: str, outbound: OutboundView, inbound: tuple[InboundView, ...], tmp_path: Path) -> None:
    """Nothing is refused, every cluster leaves warming, and Envoy holds what was served."""
    mesh = TextMesh(SERVICES + "".join(rules(POLICIES.replace("AUTHORITIES", SYSTEM_AUTHORITIES))))
    plans = planned_clusters(mesh, outbound, inbound)
    discovery = MemoryDiscovery(*served(mesh, outbound, plans))
    server = AdsServer(discovery)
    address = await server.start("127.0.0.1:0")
    try:
        async with EnvoyProcess(ads_bootstrap(address, NODE_ID, ["cds"]), tmp_path, binary=BINARIES[version]()) as envoy:
            dump = await envoy.config_dump("resource=dynamic_active_clusters")
    finally:
        await server.stop(0.5)
    held = {entry["cluster"]["name"]: entry["cluster"] for entry in dump["configs"]}
    assert discovery.nacks == []
    assert sorted(held) == sorted(plans)
    for name, plan in plans.items():
        shown = {key: value for key, value in held[name].items() if key != "@type"}
        assert ParseDict(shown, cluster_pb2.Cluster()) == emit_cluster(plan)
