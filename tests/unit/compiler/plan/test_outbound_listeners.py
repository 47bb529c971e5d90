"""Outbound listeners of sidecars."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from meshctl_operator.apis.kinds import Kind
from meshctl_operator.base.diagnostics import Compiled
from meshctl_operator.compiler.emit.listeners import emit_listener
from meshctl_operator.compiler.inputs.listeners import HttpConnectionManagerInput, ListenerInput, TcpProxyInput
from meshctl_operator.compiler.inputs.planned import Planned
from meshctl_operator.compiler.plan.outbound_listeners import plan_outbound_listeners
from meshctl_operator.model.proxies import InterceptionMode, IpFamilies, ProxyRole
from meshctl_operator.model.views import OutboundView
from tests.support.mesh_text import TextMesh, as_json

VIEW = OutboundView(ProxyRole.SIDECAR, "default", "default.svc.cluster.local")
Listeners = Compiled[tuple[Planned[ListenerInput], ...]]


def service(name: str, ports: str, ip: str = "10.0.0.1", year: int = 2020) -> str:
    """Return a Service with ports in flow YAML."""
    return f"""
---
apiVersion: v1
kind: Service
metadata: {{name: {name}, namespace: default, creationTimestamp: "{year}-01-01T00:00:00Z"}}
spec: {{clusterIP: {ip}, selector: {{app: {name}}}, ports: [{ports}]}}
"""


def entry(name: str, ports: str, more: str = "resolution: NONE", year: int = 2020) -> str:
    """Return a ServiceEntry with ports in flow YAML."""
    return f"""
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: {name}, namespace: default, creationTimestamp: "{year}-01-01T00:00:00Z"}}
spec: {{hosts: [{name}.example.com], ports: [{ports}], {more}}}
"""


HTTP = "{name: http, port: 9080}"
TCP = "{name: tcp, port: 9080}"
AUTO = "{name: web, port: 9080}"


def plan(text: str, view: OutboundView = VIEW, **mesh: Any) -> Listeners:
    """Return the listeners with findings."""
    return TextMesh(text, **mesh).evaluate(plan_outbound_listeners, view)


def by_name(compiled: Listeners) -> dict[str, ListenerInput]:
    """Return the listeners by name."""
    return {listener.input.name: listener.input for listener in compiled.value}


def targets(listener: ListenerInput) -> list[str]:
    """Return the route name or cluster of each chain, the default chain last."""
    chains = [*listener.filter_chains, *([listener.default_chain] if listener.default_chain else [])]
    return [
        str(chain.network.route) if isinstance(chain.network, HttpConnectionManagerInput) else chain.network.clusters[0][0]
        for chain in chains
    ]


def test_http_services_share_a_listener() -> None:
    """All HTTP services of a port share one unbound listener; what is not HTTP passes as TCP."""
    compiled = plan(service("a", HTTP) + service("b", HTTP, "10.0.0.2"))
    listener = next(item for item in compiled.value if item.input.name == "0.0.0.0_9080")
    assert [str(key) for key in listener.provenance] == ["Service/default/a", "Service/default/b"]
    shown = as_json(emit_listener(listener.input))
    (chain,) = shown["filter_chains"]
    assert chain["filter_chain_match"] == {"transport_protocol": "raw_buffer", "application_protocols": ["http/1.1", "h2c"]}
    manager = chain["filters"][0]["typed_config"]
    assert manager["stat_prefix"] == "outbound_0.0.0.0_9080;"
    assert manager["rds"]["route_config_name"] == "9080"
    assert {"use_remote_address", "server_name", "forward_client_cert_details"}.isdisjoint(manager)
    default = shown["default_filter_chain"]
    assert (default["name"], default["filters"][0]["typed_config"]["cluster"]) == ("PassthroughFilterChain", "PassthroughCluster")
    assert shown["bind_to_port"] is False
    assert (shown["listener_filters_timeout"], shown["continue_on_listener_filters_timeout"]) == ("0s", True)
    assert [item["name"] for item in shown["listener_filters"]] == ["envoy.filters.listener.http_inspector"]
    assert shown["traffic_direction"] == "OUTBOUND"


def test_tcp_service_listens_on_its_vip() -> None:
    """A TCP service has a listener on its VIP with one chain that takes everything."""
    listener = by_name(plan(service("a", TCP)))["10.0.0.1_9080"]
    assert targets(listener) == ["outbound|9080||a.default.svc.cluster.local"]
    assert (listener.default_chain, listener.http_inspector, listener.tls_inspector) == (None, False, False)


def test_sniffed_service() -> None:
    """A service of unknown protocol has an HTTP chain with routes of its own, and a default chain for anything else."""
    listener = by_name(plan(service("a", AUTO)))["10.0.0.1_9080"]
    assert targets(listener) == ["a.default.svc.cluster.local:9080", "outbound|9080||a.default.svc.cluster.local"]
    assert listener.http_inspector


def test_detection_timeout_of_the_mesh() -> None:
    """Sniffing ends after the time that the mesh allows; a listener without sniffing never waits."""
    listeners = by_name(plan(service("a", AUTO) + service("b", TCP, "10.0.0.2"), protocolDetectionTimeout="100ms"))
    assert str(listeners["10.0.0.1_9080"].detection_timeout) == "100ms"
    assert str(listeners["10.0.0.2_9080"].detection_timeout) == "0s"


def test_udp_and_reserved_ports() -> None:
    """UDP has no listener; a port that sidecars use themselves is skipped with a warning."""
    compiled = plan(service("a", "{name: dns, port: 53, protocol: UDP}, {name: http, port: 15090}"))
    assert list(by_name(compiled)) == ["virtualOutbound"]
    assert [finding.code for finding in compiled.diagnostics] == ["MC2281"]


def test_virtual_outbound() -> None:
    """The capture listener hands on by original destination, guards against loops, and passes unknown traffic."""
    (listener,) = plan("").value
    shown = as_json(emit_listener(listener.input))
    assert shown["address"]["socket_address"] == {"address": "0.0.0.0", "port_value": 15001}
    assert shown["use_original_dst"] is True
    assert "bind_to_port" not in shown
    guard, catch_all = shown["filter_chains"]
    assert guard["filter_chain_match"] == {"destination_port": 15001}
    assert (guard["name"], catch_all["name"]) == ("virtualOutbound-blackhole", "virtualOutbound-catchall-tcp")
    assert [chain["filters"][0]["typed_config"]["cluster"] for chain in (guard, catch_all)] == ["BlackHoleCluster", "PassthroughCluster"]
    assert "filter_chain_match" not in catch_all


def test_registry_only() -> None:
    """With REGISTRY_ONLY unknown traffic ends in the black hole."""
    listeners = by_name(plan(service("a", HTTP), outboundTrafficPolicy={"mode": "REGISTRY_ONLY"}))
    assert targets(listeners["virtualOutbound"]) == ["BlackHoleCluster", "BlackHoleCluster"]
    assert targets(listeners["0.0.0.0_9080"]) == ["9080", "BlackHoleCluster"]


def test_tproxy() -> None:
    """With TPROXY the capture listener is transparent."""
    view = OutboundView(ProxyRole.SIDECAR, "default", "default.svc.cluster.local", interception=InterceptionMode.TPROXY)
    assert by_name(plan("", view))["virtualOutbound"].transparent


def test_without_interception() -> None:
    """Without interception listeners are bound to the proxy's own machine, and there is no capture."""
    view = OutboundView(ProxyRole.SIDECAR, "default", "default.svc.cluster.local", interception=InterceptionMode.NONE)
    compiled = plan(service("a", HTTP) + service("b", "{name: tcp, port: 5432}"), view)
    assert list(by_name(compiled)) == ["127.0.0.1_5432", "127.0.0.1_9080"]
    assert by_name(compiled)["127.0.0.1_9080"].bind_to_port is True
    assert compiled.diagnostics == ()


def test_http_proxy_port() -> None:
    """The HTTP proxy port is bound on loopback and takes absolute URLs."""
    view = OutboundView(ProxyRole.SIDECAR, "default", "default.svc.cluster.local", http_proxy_port=15080)
    shown = as_json(emit_listener(by_name(plan("", view))["127.0.0.1_15080"]))
    manager = shown["filter_chains"][0]["filters"][0]["typed_config"]
    assert manager["http_protocol_options"] == {"allow_absolute_url": True}
    assert manager["rds"]["route_config_name"] == "http_proxy"
    assert "enable_reuse_port" not in shown


def test_local_mesh_has_the_http_proxy_port_alone() -> None:
    """A sidecar of the local mesh has one outbound listener, which shares its port with nobody."""
    view = OutboundView(ProxyRole.SIDECAR, "default", "default.svc.cluster.local", http_proxy_port=15080, local=True)
    listeners = by_name(plan(service("a", HTTP) + service("b", TCP), view))
    assert list(listeners) == ["127.0.0.1_15080"]
    assert listeners["127.0.0.1_15080"].reuse_port is False


def test_http10() -> None:
    """A proxy that speaks HTTP/1.0 recognises it and accepts it."""
    view = OutboundView(ProxyRole.SIDECAR, "default", "default.svc.cluster.local", http10=True)
    (chain,) = by_name(plan(service("a", HTTP), view))["0.0.0.0_9080"].filter_chains
    assert chain.match.application_protocols == ("http/1.0", "http/1.1", "h2c")
    assert isinstance(chain.network, HttpConnectionManagerInput)
    assert chain.network.accept_http10


def test_http_and_tcp_on_one_port() -> None:
    """An HTTP service and a TCP service without address share the listener: HTTP by sniffing, the rest to the TCP service."""
    compiled = plan(service("a", HTTP) + entry("ext", "{number: 9080, name: tcp, protocol: TCP}"))
    assert targets(by_name(compiled)["0.0.0.0_9080"]) == ["9080", "outbound|9080||ext.example.com"]
    assert compiled.diagnostics == ()


def test_two_tcp_services_on_one_port() -> None:
    """Of two TCP services that nothing tells apart the oldest gets the connections; the other is named with the winner."""
    port = "{number: 5432, name: tcp, protocol: TCP}"
    compiled = plan(entry("young", port, year=2021) + entry("old", port))
    assert targets(by_name(compiled)["0.0.0.0_5432"]) == ["outbound|5432||old.example.com"]
    (finding,) = compiled.diagnostics
    assert (finding.code, finding.subject.name, finding.path) == ("MC2280", "young", "spec.ports[0]")
    assert "old.example.com" in finding.message


def test_server_first_protocols_share_nothing() -> None:
    """MySQL never shares a port with another protocol, whichever is older."""
    compiled = plan(
        entry("old", "{number: 3306, name: m, protocol: MySQL}") + entry("young", "{number: 3306, name: h, protocol: HTTP}", year=2021)
    )
    assert targets(by_name(compiled)["0.0.0.0_3306"]) == ["outbound|3306||old.example.com"]
    assert [finding.code for finding in compiled.diagnostics] == ["MC2280"]


def test_mongo() -> None:
    """A Mongo port has Envoy's sniffer before the TCP proxy."""
    listener = by_name(plan(service("a", "{name: mongo, port: 27017}")))["10.0.0.1_27017"]
    filters = as_json(emit_listener(listener))["filter_chains"][0]["filters"]
    assert [item["name"].rpartition(".")[2] for item in filters] == ["mongo_proxy", "tcp_proxy"]


def test_address_ranges() -> None:
    """A service with address ranges is matched by them on the shared listener."""
    listener = by_name(plan(entry("cidr", "{number: 5432, name: tcp, protocol: TCP}", "addresses: [172.16.0.0/16], resolution: NONE")))[
        "0.0.0.0_5432"
    ]
    assert targets(listener) == ["outbound|5432||cidr.example.com", "PassthroughCluster"]
    shown = as_json(emit_listener(listener))
    assert shown["filter_chains"][0]["filter_chain_match"] == {"prefix_ranges": [{"address_prefix": "172.16.0.0", "prefix_len": 16}]}


SLICE = """
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: a-1, namespace: default, labels: {kubernetes.io/service-name: a}}
addressType: IPv4
ports: [{name: tcp, port: 6000}]
endpoints: [{addresses: [10.1.0.5]}, {addresses: [10.1.0.4]}]
"""


def test_headless_service() -> None:
    """A headless TCP service has a listener per endpoint, and none without endpoints."""
    headless = service("a", "{name: tcp, port: 6000}", "None")
    assert list(by_name(plan(headless + SLICE))) == ["10.1.0.4_6000", "10.1.0.5_6000", "virtualOutbound"]
    assert list(by_name(plan(headless))) == ["virtualOutbound"]


def test_endpoints_of_other_services_do_not_matter() -> None:
    """An endpoint change of a service with a VIP recomputes no listener."""
    mesh = TextMesh(service("a", TCP))
    mesh.evaluate(plan_outbound_listeners, VIEW)
    mesh.take_statistics()
    mesh.add(SLICE)
    mesh.evaluate(plan_outbound_listeners, VIEW)
    assert mesh.take_statistics().recomputed == {}


def vs(rules: str, host: str = "a") -> str:
    """Return a VirtualService of the mesh."""
    return f"""
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: vs, namespace: default}}
spec:
  hosts: [{host}]
  {rules}
"""


def test_tcp_route() -> None:
    """A tcp rule without subnets replaces the way to the service; later rules have no say."""
    compiled = plan(service("a", TCP) + vs("tcp: [{route: [{destination: {host: b}}]}, {route: [{destination: {host: c}}]}]"))
    listener = next(item for item in compiled.value if item.input.name == "10.0.0.1_9080")
    assert targets(listener.input) == ["outbound|9080||b.default.svc.cluster.local"]
    assert listener.input.filter_chains[0].virtual_service == ("default", "vs")
    assert [str(key) for key in listener.provenance] == ["Service/default/a", "VirtualService/default/vs"]
    assert [finding.code for finding in compiled.diagnostics] == ["MC2201"]


def test_tcp_route_with_subnets() -> None:
    """A rule for destination subnets stands beside the default; what is no subnet is reported at its place."""
    rules = "tcp: [{match: [{destinationSubnets: [10.2.0.0/16, nonsense]}], route: [{destination: {host: a}}]}]"
    compiled = plan(service("a", TCP) + vs(rules))
    listener = by_name(compiled)["10.0.0.1_9080"]
    assert [chain.match.prefix_ranges for chain in listener.filter_chains] == [("10.2.0.0/16",)]
    assert listener.default_chain is not None
    assert listener.default_chain.virtual_service is None
    (finding,) = compiled.diagnostics
    assert (finding.code, finding.path) == ("MC2284", "spec.tcp[0].match[0].destinationSubnets[1]")


def test_tcp_route_of_another_port_or_client() -> None:
    """A rule whose port, labels, namespace or gateway do not fit leaves the way to the service as it is."""
    for match in ("{port: 1}", "{sourceLabels: {app: other}}", "{sourceNamespace: other}", "{gateways: [gw]}"):
        compiled = plan(service("a", TCP) + vs(f"tcp: [{{match: [{match}], route: [{{destination: {{host: b}}}}]}}]"))
        assert targets(by_name(compiled)["10.0.0.1_9080"]) == ["outbound|9080||a.default.svc.cluster.local"], match


TLS_PORT = "{number: 443, name: tls, protocol: TLS}"


def test_tls_without_route() -> None:
    """On the shared listener a TLS service is told apart by its name; on a VIP nothing needs telling apart."""
    listeners = by_name(plan(entry("a", TLS_PORT) + entry("b", TLS_PORT) + service("c", "{name: https, port: 443}")))
    assert [chain.match.server_names for chain in listeners["0.0.0.0_443"].filter_chains] == [("a.example.com",), ("b.example.com",)]
    assert listeners["0.0.0.0_443"].tls_inspector
    assert listeners["10.0.0.1_443"].filter_chains[0].match.server_names == ()


def test_tls_service_without_a_name_that_can_be_matched() -> None:
    """A service whose host is a partial wildcard gets no chain on the shared listener, rather than everybody's connections."""
    compiled = plan(entry("a", TLS_PORT) + entry("b", TLS_PORT).replace("b.example.com", '"*-b.example.com"'))
    assert [chain.match.server_names for chain in by_name(compiled)["0.0.0.0_443"].filter_chains] == [("a.example.com",)]
    assert [finding.code for finding in compiled.diagnostics] == ["MC2110"]


def test_tls_route() -> None:
    """Each tls match is a chain by server name; there is no way to the service without a match, and equal matches count once."""
    rules = (
        "tls: [{match: [{sniHosts: [a.example.com]}, {sniHosts: [a.example.com]}], route: [{destination: {host: b.example.com}}]},"
        " {match: [{sniHosts: ['*-x.com'], port: 443}], route: [{destination: {host: b.example.com}}]}]"
    )
    compiled = plan(entry("a", TLS_PORT, "addresses: [1.2.3.4], resolution: NONE") + vs(rules, "a.example.com"))
    listener = by_name(compiled)["1.2.3.4_443"]
    assert [chain.match.server_names for chain in listener.filter_chains] == [("a.example.com",)]
    assert targets(listener)[-1] == "PassthroughCluster"
    assert sorted(finding.code for finding in compiled.diagnostics) == ["MC2110", "MC2201"]


def test_rule_without_weight() -> None:
    """A rule whose destinations all have weight 0 is left out with an error, and the service is reached directly."""
    rules = "tcp: [{route: [{destination: {host: b}, weight: 0}, {destination: {host: c}, weight: 0}]}]"
    compiled = plan(service("a", TCP) + vs(rules))
    assert targets(by_name(compiled)["10.0.0.1_9080"]) == ["outbound|9080||a.default.svc.cluster.local"]
    assert [finding.code for finding in compiled.diagnostics] == ["MC2283"]


def test_destination_rule_shapes_the_proxy() -> None:
    """Idle time, longest connection and source hashing come from the DestinationRule, which stands in the provenance."""
    rule = """
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: a, namespace: default}
spec:
  host: a
  trafficPolicy:
    connectionPool: {tcp: {idleTimeout: 30s, maxConnectionDuration: 1h}}
    loadBalancer: {consistentHash: {useSourceIp: true}}
"""
    listener = next(item for item in plan(service("a", TCP) + rule).value if item.input.name == "10.0.0.1_9080")
    config = as_json(emit_listener(listener.input))["filter_chains"][0]["filters"][0]["typed_config"]
    assert (config["idle_timeout"], config["max_downstream_connection_duration"]) == ("30s", "3600s")
    assert config["hash_policy"] == [{"source_ip": {}}]
    assert "DestinationRule/default/a" in [str(key) for key in listener.provenance]


def test_order_of_objects_does_not_matter() -> None:
    """The same objects in another order give equal listeners."""
    parts = [service("a", HTTP), service("b", TCP, "10.0.0.2"), entry("c", TLS_PORT), entry("d", "{number: 9080, name: t, protocol: TCP}")]
    assert plan("".join(parts)) == plan("".join(reversed(parts)))


def test_a_service_that_goes_takes_its_listener() -> None:
    """Deleting the last service of a port deletes the listener."""
    mesh = TextMesh(service("a", HTTP))
    assert "0.0.0.0_9080" in by_name(mesh.evaluate(plan_outbound_listeners, VIEW))
    mesh.delete(Kind.SERVICE, "default", "a")
    assert list(by_name(mesh.evaluate(plan_outbound_listeners, VIEW))) == ["virtualOutbound"]


def test_dual_stack_service_uses_ipv4() -> None:
    """Of a dual-stack service the IPv4 address is listened on."""
    text = service("a", TCP).replace("clusterIP: 10.0.0.1", "clusterIP: 10.0.0.1, clusterIPs: [10.0.0.1, 'fd00::1']")
    assert list(by_name(plan(text))) == ["10.0.0.1_9080", "virtualOutbound"]


def test_both_families_are_listened_on_for_a_proxy_that_has_both() -> None:
    """Where the mesh is dual stack every address has its listener, and the wildcard one is for both families."""
    text = service("a", TCP).replace("clusterIP: 10.0.0.1", "clusterIP: 10.0.0.1, clusterIPs: [10.0.0.1, 'fd00::1']")
    listeners = by_name(plan(text + service("b", "{name: http, port: 80}", "10.0.0.2"), replace(VIEW, families=IpFamilies.DUAL)))
    assert {name: listener.extra_addresses for name, listener in listeners.items()} == {
        "10.0.0.1_9080": (),
        "fd00::1_9080": (),
        "0.0.0.0_80": ("::",),
        "virtualOutbound": ("::",),
    }


def test_automatic_addresses_are_for_proxies_that_answer_dns() -> None:
    """Such a sidecar tells two TCP services without addresses apart; others listen on the wildcard address."""
    text = entry("a", "{number: 5432, name: t, protocol: TCP}", "resolution: DNS")
    (name, _) = by_name(plan(text, replace(VIEW, dns_capture=True)))
    assert name.startswith("240.240.")
    assert list(by_name(plan(text))) == ["0.0.0.0_5432", "virtualOutbound"]


def test_tcp_proxy_input_is_shown_whole() -> None:
    """The chain of a plain TCP service carries the service's own cluster as statistics prefix."""
    listener = by_name(plan(service("a", TCP)))["10.0.0.1_9080"]
    name = "outbound|9080||a.default.svc.cluster.local"
    expected: Any = TcpProxyInput(name, ((name, 1),))
    assert listener.filter_chains[0].network == expected
