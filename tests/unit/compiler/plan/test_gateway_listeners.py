"""Listeners of gateways."""

from __future__ import annotations

from typing import Any

from meshctl_operator.apis.kinds import Kind
from meshctl_operator.base.diagnostics import Compiled, Severity
from meshctl_operator.base.labels import freeze
from meshctl_operator.compiler.emit.listeners import emit_listener
from meshctl_operator.compiler.inputs.listeners import HttpConnectionManagerInput, ListenerInput, TcpProxyInput, key_pair_names, rds_names
from meshctl_operator.compiler.inputs.planned import Planned
from meshctl_operator.compiler.plan.gateway_listeners import plan_gateway_listeners
from meshctl_operator.model.proxies import LocalBinding
from meshctl_operator.model.views import GatewayView
from tests.support.key_pairs import secret_yaml
from tests.support.mesh_text import TextMesh, as_json

VIEW = GatewayView("istio-system", freeze({"istio": "ingressgateway"}))
INGRESS_SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: istio-ingressgateway, namespace: istio-system}
spec: {clusterIP: 10.96.0.9, selector: {istio: ingressgateway}, ports: [{name: http, port: 80, targetPort: 8080}]}
"""
BOOKINFO = """
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: bookinfo-gateway, namespace: default}
spec: {selector: {istio: ingressgateway}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}]}
"""
TLS_GATEWAY = """
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: gw, namespace: default}
spec:
  selector: {istio: ingressgateway}
  servers:
  - {port: {number: 443, name: https, protocol: HTTPS}, hosts: [%s], tls: {mode: SIMPLE, credentialName: bk}}
"""
L4_GATEWAY = """
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: gw, namespace: default}
spec:
  selector: {istio: ingressgateway}
  servers:
  - {port: {number: 9000, name: tcp, protocol: TCP}, hosts: ["*"]}
  - {port: {number: 443, name: pass, protocol: TLS}, hosts: ["*.example.com"], tls: {mode: PASSTHROUGH}}
---
apiVersion: v1
kind: Service
metadata: {name: db, namespace: default}
spec: {clusterIP: 10.96.0.12, ports: [{name: tcp, port: 5432}]}
"""
ROUTES = """
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: %s, namespace: default, creationTimestamp: "%d-01-01T00:00:00Z"}
spec:
  hosts: ["*.example.com"]
  gateways: [gw]
  %s
"""


def plan(text: str, view: GatewayView = VIEW, **mesh: Any) -> Compiled[tuple[Planned[ListenerInput], ...]]:
    """Return the listeners with findings."""
    return TextMesh(text, **mesh).evaluate(plan_gateway_listeners, view)


def codes(compiled: Compiled[tuple[Planned[ListenerInput], ...]]) -> list[str]:
    """Return the codes of the findings."""
    return [finding.code for finding in compiled.diagnostics]


def test_bookinfo() -> None:
    """The ingress gateway of bookinfo has one listener on the translated port, with routes by RDS and stock filters alone."""
    compiled = plan(INGRESS_SERVICE + BOOKINFO)
    (listener,) = compiled.value
    extensions = "type.googleapis.com/envoy.extensions.filters"
    assert compiled.diagnostics == ()
    assert as_json(emit_listener(listener.input)) == {
        "name": "0.0.0.0_8080",
        "traffic_direction": "OUTBOUND",
        "address": {"socket_address": {"address": "0.0.0.0", "port_value": 8080}},
        "filter_chains": [
            {
                "transport_socket_connect_timeout": "15s",
                "filters": [
                    {
                        "name": "envoy.filters.network.http_connection_manager",
                        "typed_config": {
                            "@type": f"{extensions}.network.http_connection_manager.v3.HttpConnectionManager",
                            "stat_prefix": "outbound_0.0.0.0_8080;",
                            "use_remote_address": True,
                            "normalize_path": True,
                            "stream_idle_timeout": "300s",
                            "request_timeout": "300s",
                            "request_headers_timeout": "60s",
                            "max_request_headers_kb": 60,
                            "common_http_protocol_options": {"idle_timeout": "3600s", "max_headers_count": 100},
                            "http2_protocol_options": {
                                "max_concurrent_streams": 100,
                                "initial_stream_window_size": 65536,
                                "initial_connection_window_size": 1048576,
                            },
                            "server_name": "istio-envoy",
                            "forward_client_cert_details": "SANITIZE_SET",
                            "set_current_client_cert_details": {"subject": True, "cert": True, "dns": True, "uri": True},
                            "proxy_100_continue": True,
                            "upgrade_configs": [{"upgrade_type": "websocket"}],
                            "rds": {
                                "route_config_name": "http.8080",
                                "config_source": {"ads": {}, "resource_api_version": "V3", "initial_fetch_timeout": "0s"},
                            },
                            "http_filters": [
                                {
                                    "name": "envoy.filters.http.grpc_stats",
                                    "typed_config": {
                                        "@type": f"{extensions}.http.grpc_stats.v3.FilterConfig",
                                        "emit_filter_state": True,
                                        "stats_for_all_methods": False,
                                    },
                                },
                                {
                                    "name": "envoy.filters.http.fault",
                                    "typed_config": {"@type": f"{extensions}.http.fault.v3.HTTPFault"},
                                },
                                {"name": "envoy.filters.http.cors", "typed_config": {"@type": f"{extensions}.http.cors.v3.Cors"}},
                                {"name": "envoy.filters.http.router", "typed_config": {"@type": f"{extensions}.http.router.v3.Router"}},
                            ],
                        },
                    }
                ],
            }
        ],
    }


def test_no_servers_no_listeners() -> None:
    """A gateway that no Gateway selects listens on nothing."""
    assert plan(INGRESS_SERVICE) == Compiled(())


def test_local_mesh() -> None:
    """In the local mesh a listener is bound to the workload's address and to the port that was free, and shares it with nobody."""
    view = GatewayView("istio-system", VIEW.labels, local=LocalBinding("127.0.0.1", ((80, 8081),)))
    (listener,) = plan(BOOKINFO, view).value
    assert (listener.input.name, listener.input.reuse_port) == ("127.0.0.1_8081", False)
    assert rds_names(listener.input) == ("http.80",)
    assert as_json(emit_listener(listener.input))["enable_reuse_port"] is False


def test_tls_termination() -> None:
    """A terminating server has a chain for its names, its own routes, and its certificate by SDS over ADS with no time-out of ours."""
    (listener,) = plan(TLS_GATEWAY % "b.example.com, a.example.com" + secret_yaml()).value
    shown = as_json(emit_listener(listener.input))
    (chain,) = shown["filter_chains"]
    assert shown["listener_filters"][0]["name"] == "envoy.filters.listener.tls_inspector"
    assert chain["filter_chain_match"] == {"server_names": ["a.example.com", "b.example.com"]}
    assert chain["transport_socket"]["typed_config"] == {
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
        "require_client_certificate": False,
        "common_tls_context": {
            "alpn_protocols": ["h2", "http/1.1"],
            "tls_certificate_sds_secret_configs": [
                {"name": "kubernetes://bk", "sds_config": {"ads": {}, "resource_api_version": "V3"}},
            ],
        },
    }
    assert rds_names(listener.input) == ("https.443.https.gw.default",)
    assert key_pair_names(listener.input) == ("kubernetes://bk",)
    assert [str(key) for key in listener.provenance] == ["Gateway/default/gw", "Secret/istio-system/bk"]


def test_tls_for_every_host() -> None:
    """A terminating server for ``*`` matches every connection: no server names, no inspector."""
    (listener,) = plan(TLS_GATEWAY % "'*', a.example.com" + secret_yaml()).value
    shown = as_json(emit_listener(listener.input))
    assert "filter_chain_match" not in shown["filter_chains"][0]
    assert "listener_filters" not in shown


def test_server_name_is_the_stat_prefix() -> None:
    """A terminating server with a name gives its statistics that name."""
    text = (TLS_GATEWAY % "a.example.com").replace("servers:\n  - {", "servers:\n  - {name: shop, ")
    (listener,) = plan(text + secret_yaml()).value
    manager = listener.input.filter_chains[0].network
    assert isinstance(manager, HttpConnectionManagerInput)
    assert manager.stat_prefix == "shop"


def test_missing_secret_heals() -> None:
    """A Secret that does not exist is never referenced; the server is served as soon as it is there, and not when it is elsewhere."""
    mesh = TextMesh(BOOKINFO + TLS_GATEWAY % "a.example.com")
    before = mesh.evaluate(plan_gateway_listeners, VIEW)
    assert [listener.input.name for listener in before.value] == ["0.0.0.0_80"]
    (finding,) = before.diagnostics
    assert (finding.code, finding.severity, finding.path) == ("MC2107", Severity.ERROR, "spec.servers[0].tls.credentialName")
    assert "istio-system/bk" in finding.message
    mesh.add(secret_yaml(namespace="default"))
    assert mesh.evaluate(plan_gateway_listeners, VIEW) == before
    mesh.add(secret_yaml())
    after = mesh.evaluate(plan_gateway_listeners, VIEW)
    assert after.diagnostics == ()
    assert [listener.input.name for listener in after.value] == ["0.0.0.0_443", "0.0.0.0_80"]
    mesh.delete(Kind.SECRET, "istio-system", "bk")
    assert mesh.evaluate(plan_gateway_listeners, VIEW) == before


def test_partial_wildcard_host() -> None:
    """A host that Envoy cannot match is left out with a warning, the others are served."""
    compiled = plan(TLS_GATEWAY % "'*-a.example.com', b.example.com" + secret_yaml())
    assert codes(compiled) == ["MC2110"]
    assert compiled.value[0].input.filter_chains[0].match.server_names == ("b.example.com",)


def test_tcp_without_route() -> None:
    """Servers of TCP and pass-through without a rule are not opened, and said to be closed."""
    compiled = plan(L4_GATEWAY)
    assert compiled.value == ()
    assert sorted(codes(compiled)) == ["MC2112", "MC2113"]


def test_tcp_server() -> None:
    """A TCP server takes the first passing rule of the first VirtualService, by declared port."""
    text = L4_GATEWAY + ROUTES % (
        "old",
        2020,
        "tcp: [{match: [{port: 1}], route: [{destination: {host: no}}]}, {match: [{port: 9000}], route: [{destination: {host: db}}]}]",
    )
    text += ROUTES % ("young", 2021, "tcp: [{route: [{destination: {host: other}}]}]")
    compiled = plan(text)
    (listener,) = compiled.value
    assert codes(compiled) == ["MC2113"]
    shown = as_json(emit_listener(listener.input))
    (chain,) = shown["filter_chains"]
    assert chain["metadata"]["filter_metadata"]["istio"]["config"] == "/apis/networking.istio.io/v1/namespaces/default/virtual-service/old"
    config = chain["filters"][0]["typed_config"]
    assert (config["cluster"], config["stat_prefix"]) == ("outbound|5432||db.default.svc.cluster.local",) * 2
    assert [str(key) for key in listener.provenance] == ["Gateway/default/gw", "VirtualService/default/old"]


def test_passthrough_chains() -> None:
    """Each tls match is a chain with its server names and no TLS context; a match with a name that is taken is left out as a whole."""
    text = L4_GATEWAY + ROUTES % (
        "old",
        2020,
        (
            "tls: [{match: [{sniHosts: [B.example.com, a.example.com]}, {sniHosts: [a.example.com, c.example.com]}],"
            " route: [{destination: {host: db}}]}]"
        ),
    )
    compiled = plan(text)
    (listener,) = compiled.value
    assert [chain.match.server_names for chain in listener.input.filter_chains] == [("a.example.com", "b.example.com")]
    assert all(chain.tls is None for chain in listener.input.filter_chains)
    assert sorted(codes(compiled)) == ["MC2111", "MC2112"]


def test_rule_for_another_gateway() -> None:
    """A match that names other gateways does not pass."""
    text = L4_GATEWAY + ROUTES % ("a", 2020, "tcp: [{match: [{gateways: [other]}], route: [{destination: {host: db}}]}]")
    assert plan(text).value == ()


def test_hosts_with_a_namespace() -> None:
    """A server host with a namespace admits VirtualServices of that namespace alone."""
    text = L4_GATEWAY.replace('"*"', '"prod/*"') + ROUTES % ("a", 2020, "tcp: [{route: [{destination: {host: db}}]}]")
    assert plan(text).value == ()


def test_weighted_destinations() -> None:
    """Several destinations are weighted clusters without those of weight 0, with statistics under the VirtualService's name."""
    routes = (
        "route: [{destination: {host: db}, weight: 80}, {destination: {host: zero}, weight: 0}, {destination: {host: two}, weight: 20}]"
    )
    (listener,) = plan(L4_GATEWAY + ROUTES % ("a", 2020, f"tcp: [{{{routes}}}]")).value
    proxy = listener.input.filter_chains[0].network
    assert proxy == TcpProxyInput(
        "a.default", (("outbound|5432||db.default.svc.cluster.local", 80), ("outbound|9000||two.default.svc.cluster.local", 20))
    )


def test_access_log() -> None:
    """With an access log file requests are logged by the manager, and connections that fit no chain by the listener."""
    (listener,) = plan(BOOKINFO, accessLogFile="/dev/stdout").value
    shown = as_json(emit_listener(listener.input))
    assert shown["access_log"][0]["filter"] == {"response_flag_filter": {"flags": ["NR"]}}
    assert "filter" not in shown["filter_chains"][0]["filters"][0]["typed_config"]["access_log"][0]


def test_grpc_web() -> None:
    """A port that is declared GRPC-WEB has the bridge before every other filter."""
    (listener,) = plan(BOOKINFO.replace("protocol: HTTP", "protocol: GRPC-WEB")).value
    filters = as_json(emit_listener(listener.input))["filter_chains"][0]["filters"][0]["typed_config"]["http_filters"]
    assert [entry["name"].rpartition(".")[2] for entry in filters] == ["grpc_web", "grpc_stats", "fault", "cors", "router"]


def test_unix_socket() -> None:
    """A server on a Unix socket has a listener of its own, named after it, and routes named after it."""
    text = """
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: gw, namespace: default}
spec: {servers: [{port: {number: 0, name: http, protocol: HTTP}, bind: "unix:///run/gw.sock", hosts: ["*"]}]}
"""
    (listener,) = plan(text).value
    assert (listener.input.name, rds_names(listener.input)) == ("unix:///run/gw.sock_0", ("http.0.unix:///run/gw.sock",))
    assert as_json(emit_listener(listener.input))["address"] == {"pipe": {"path": "/run/gw.sock"}}


def test_mesh_certificates() -> None:
    """A server with certificates of the mesh is left out where nobody issues any; the others are served."""
    text = (TLS_GATEWAY % "a.com").replace("SIMPLE, credentialName: bk", "ISTIO_MUTUAL") + BOOKINFO
    compiled = plan(text)
    assert [listener.input.port for listener in compiled.value] == [80]
    assert [(finding.code, finding.severity) for finding in compiled.diagnostics] == [("MC2105", Severity.ERROR)]
