"""Gateways between networks: chains and clusters for the services of the mesh."""

from __future__ import annotations

from meshctl_operator.base.labels import freeze
from meshctl_operator.compiler.inputs.clusters import Discovery
from meshctl_operator.compiler.inputs.listeners import TcpProxyInput
from meshctl_operator.compiler.plan.gateway_listeners import plan_gateway_listeners
from meshctl_operator.compiler.plan.sni_clusters import MESH_PROTOCOLS, plan_sni_clusters
from meshctl_operator.model.proxies import ProxyRole
from meshctl_operator.model.views import GatewayView, OutboundView
from tests.support.mesh_text import TextMesh

GATEWAY = GatewayView("istio-system", freeze({"istio": "eastwestgateway"}))
OUTBOUND = OutboundView(ProxyRole.ROUTER, "istio-system", "istio-system.svc.cluster.local")
TEXT = """
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: networks, namespace: istio-system}
spec: {servers: [{port: {number: 15443, name: tls, protocol: TLS}, hosts: ["*.local"], tls: {mode: AUTO_PASSTHROUGH}}]}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: default}
spec: {clusterIP: 10.96.0.1, ports: [{name: http, port: 80}, {name: udp, port: 53, protocol: UDP}]}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: web, namespace: default}
spec:
  host: web
  trafficPolicy: {connectionPool: {tcp: {idleTimeout: 30s}, http: {maxRequestsPerConnection: 1}}}
  subsets: [{name: v1, labels: {version: v1}}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: more, namespace: default}
spec: {hosts: [%s], location: %s, resolution: STATIC, ports: [{number: 80, name: http, protocol: HTTP}], endpoints: [{address: 10.0.0.1}]}
"""
NAMES = ["outbound_.80_._.web.default.svc.cluster.local", "outbound_.80_.v1_.web.default.svc.cluster.local"]


def mesh(host: str = "outside.com", location: str = "MESH_INTERNAL") -> TextMesh:
    """Return the mesh with one more service."""
    return TextMesh(TEXT % (host, location))


def test_one_host_declared_twice() -> None:
    """Of two services with one host the chains lead to the one whose clusters the gateway has, so that there are endpoints for them."""
    own = """
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: own, namespace: istio-system}
spec: {hosts: [a.local], location: MESH_INTERNAL, resolution: DNS, ports: [{number: 80, name: http, protocol: HTTP}]}
"""
    twice = TextMesh(TEXT % ("a.local", "MESH_INTERNAL") + own)
    found = {plan.input.name: plan.input for plan in twice.evaluate(plan_sni_clusters, OUTBOUND, GATEWAY)}
    assert found["outbound_.80_._.a.local"].discovery is Discovery.STRICT_DNS


def test_chains() -> None:
    """Each port and subset of a covered service is a chain of its own, for what sidecars offer; UDP is none."""
    (listener,) = mesh().evaluate(plan_gateway_listeners, GATEWAY).value
    assert listener.input.name == "0.0.0.0_15443"
    assert listener.input.tls_inspector
    chains = listener.input.filter_chains
    assert [chain.match.server_names for chain in chains] == [(name,) for name in NAMES]
    assert {chain.match.application_protocols for chain in chains} == {MESH_PROTOCOLS}
    assert all(chain.tls is None for chain in chains)
    proxies = [chain.network for chain in chains if isinstance(chain.network, TcpProxyInput)]
    assert [proxy.clusters for proxy in proxies] == [((name, 1),) for name in NAMES]
    assert [str(proxy.idle_timeout) for proxy in proxies] == ["30s", "30s"]


def test_clusters() -> None:
    """The clusters have the endpoints of the service and nothing of its TLS and HTTP."""
    clusters = [plan.input for plan in mesh().evaluate(plan_sni_clusters, OUTBOUND, GATEWAY)]
    assert [cluster.name for cluster in clusters] == NAMES
    assert [cluster.eds_name for cluster in clusters] == [
        "outbound|80||web.default.svc.cluster.local",
        "outbound|80|v1|web.default.svc.cluster.local",
    ]
    assert all(cluster.http is None and cluster.tls is None for cluster in clusters)


def test_what_is_not_covered() -> None:
    """Services of other hosts, outside of the mesh, and those for wildcards are not let through."""
    assert len(mesh("more.local").evaluate(plan_sni_clusters, OUTBOUND, GATEWAY)) == 3
    assert len(mesh("more.local", "MESH_EXTERNAL").evaluate(plan_sni_clusters, OUTBOUND, GATEWAY)) == 2
    assert len(mesh("'*.more.local'").evaluate(plan_sni_clusters, OUTBOUND, GATEWAY)) == 2


def test_other_modes() -> None:
    """Without such a server there are no such clusters."""
    plain = TextMesh((TEXT % ("outside.com", "MESH_INTERNAL")).replace("AUTO_PASSTHROUGH", "PASSTHROUGH"))
    assert plain.evaluate(plan_sni_clusters, OUTBOUND, GATEWAY) == ()
