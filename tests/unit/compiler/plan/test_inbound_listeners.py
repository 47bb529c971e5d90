"""Inbound listeners of sidecars."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from meshctl_operator.apis.kinds import Kind
from meshctl_operator.base.diagnostics import Compiled
from meshctl_operator.base.labels import freeze
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.compiler.emit.listeners import emit_listener
from meshctl_operator.compiler.inputs.listeners import ListenerInput
from meshctl_operator.compiler.inputs.planned import Planned
from meshctl_operator.compiler.plan.inbound_listeners import plan_inbound_listeners
from meshctl_operator.model.proxies import InterceptionMode, LocalBinding
from meshctl_operator.model.views import InboundView
from tests.support.mesh_text import TextMesh, as_json

LABELS = freeze({"app": "web"})
SERVICES = """
apiVersion: v1
kind: Service
metadata: {name: web, namespace: default, creationTimestamp: "2020-01-01T00:00:00Z"}
spec: {clusterIP: 10.0.0.1, selector: {app: web}, ports: [%s]}
"""
OLDER_IS_HTTP = (
    SERVICES % "{name: http, port: 80, targetPort: 8080}"
    + "---"
    + (SERVICES % "{name: tcp, port: 90, targetPort: 8080}").replace("name: web", "name: young").replace("2020", "2021")
)


def view(interception: InterceptionMode = InterceptionMode.REDIRECT, local: LocalBinding | None = None) -> InboundView:
    """Return the view of a workload that is selected."""
    return InboundView("default", "web-v1", LABELS, ("10.1.0.1",), interception=interception, local=local)


def plan(ports: str, of: InboundView | None = None, **mesh: Any) -> Compiled[tuple[Planned[ListenerInput], ...]]:
    """Return the listeners of a workload whose Service has these ports."""
    return TextMesh(SERVICES % ports if ports else "", **mesh).evaluate(plan_inbound_listeners, of or view())


def shown(ports: str, of: InboundView | None = None, **mesh: Any) -> list[dict[str, Any]]:
    """Return the listeners as JSON."""
    return [as_json(emit_listener(listener.input)) for listener in plan(ports, of, **mesh).value]


HTTP = "{name: http, port: 80, targetPort: 9080}"


def test_capture_listener() -> None:
    """All inbound traffic arrives at 15006, with the original destination restored and HTTP sniffed where nothing is declared."""
    (listener,) = shown(HTTP)
    assert (listener["name"], listener["traffic_direction"]) == ("virtualInbound", "INBOUND")
    assert listener["address"]["socket_address"] == {"address": "0.0.0.0", "port_value": 15006}
    original_dst, http_inspector = listener["listener_filters"]
    assert original_dst["name"] == "envoy.filters.listener.original_dst"
    assert http_inspector["name"] == "envoy.filters.listener.http_inspector"
    assert http_inspector["filter_disabled"] == {"destination_port_range": {"start": 9080, "end": 9081}}
    assert (listener["continue_on_listener_filters_timeout"], listener["listener_filters_timeout"]) == (True, "0s")
    assert listener["max_connections_to_accept_per_socket_event"] == 1
    assert [chain["name"] for chain in listener["filter_chains"]] == [
        "virtualInbound-blackhole",
        "virtualInbound-catchall-http",
        "virtualInbound",
        "0.0.0.0_9080",
    ]


def test_passthrough_chains() -> None:
    """Ports of no service pass as HTTP where that is recognised, else as TCP; the listener's own port ends in the black hole."""
    (listener,) = shown("")
    guard, http, tcp = listener["filter_chains"]
    assert guard["filter_chain_match"] == {"destination_port": 15006}
    assert guard["filters"][0]["typed_config"]["cluster"] == "BlackHoleCluster"
    assert http["filter_chain_match"] == {"transport_protocol": "raw_buffer", "application_protocols": ["http/1.1", "h2c"]}
    assert http["filters"][0]["typed_config"]["stat_prefix"] == "InboundPassthroughCluster"
    assert tcp["filter_chain_match"] == {"transport_protocol": "raw_buffer"}
    assert tcp["filters"][0]["typed_config"]["cluster"] == "InboundPassthroughCluster"


def test_http_chain() -> None:
    """An HTTP port has one chain whose route to the application is inline, with the inbound retries and no timeout."""
    (listener,) = shown(HTTP)
    chain = listener["filter_chains"][-1]
    assert chain["filter_chain_match"] == {"destination_port": 9080, "transport_protocol": "raw_buffer"}
    manager = chain["filters"][0]["typed_config"]
    assert manager["stat_prefix"] == "inbound_0.0.0.0_9080;"
    assert manager["server_name"] == "istio-envoy"
    assert manager["forward_client_cert_details"] == "APPEND_FORWARD"
    assert manager["set_current_client_cert_details"] == {"subject": True, "dns": True, "uri": True}
    assert "rds" not in manager
    assert manager["route_config"] == {
        "name": "inbound|9080||",
        "validate_clusters": False,
        "virtual_hosts": [
            {
                "name": "inbound|http|80",
                "domains": ["*"],
                "routes": [
                    {
                        "name": "default",
                        "match": {"prefix": "/"},
                        "decorator": {"operation": "web.default.svc.cluster.local:80/*"},
                        "route": {
                            "cluster": "inbound|9080||",
                            "timeout": "0s",
                            "max_stream_duration": {"max_stream_duration": "0s", "grpc_timeout_header_max": "0s"},
                            "retry_policy": {
                                "retry_on": "reset-before-request",
                                "num_retries": 2,
                                "host_selection_retry_max_attempts": "5",
                            },
                        },
                    }
                ],
            }
        ],
    }


def test_grpc_chain() -> None:
    """A gRPC port speaks HTTP/2 and retries nothing."""
    (listener,) = shown("{name: grpc, port: 80}")
    manager = listener["filter_chains"][-1]["filters"][0]["typed_config"]
    assert manager["http2_protocol_options"] == {}
    assert "retry_policy" not in manager["route_config"]["virtual_hosts"][0]["routes"][0]["route"]


def test_retries_of_the_mesh() -> None:
    """The mesh's inbound retry policy replaces the built-in one; zero attempts turn it off."""
    (listener,) = shown(HTTP, defaultInboundHttpRetryPolicy={"attempts": 5, "retryOn": "5xx"})
    route = listener["filter_chains"][-1]["filters"][0]["typed_config"]["route_config"]["virtual_hosts"][0]["routes"][0]["route"]
    assert (route["retry_policy"]["num_retries"], route["retry_policy"]["retry_on"]) == (5, "5xx")
    assert "retry_host_predicate" not in route["retry_policy"]
    (listener,) = shown(HTTP, defaultInboundHttpRetryPolicy={"attempts": 0})
    route = listener["filter_chains"][-1]["filters"][0]["typed_config"]["route_config"]["virtual_hosts"][0]["routes"][0]["route"]
    assert "retry_policy" not in route


def test_tcp_and_sniffed_chains() -> None:
    """A TCP port has a TCP chain; a port of unknown protocol an HTTP chain by sniffing and a TCP chain, and is not left uninspected."""
    (listener,) = plan("{name: tcp, port: 5432}, {name: web, port: 7000}, {name: http, port: 80}").value
    chains = listener.input.filter_chains[3:]
    assert [chain.name for chain in chains] == ["0.0.0.0_80", "0.0.0.0_5432", "0.0.0.0_7000", "0.0.0.0_7000"]
    assert [chain.match.application_protocols for chain in chains] == [(), (), ("http/1.1", "h2c"), ()]
    assert listener.input.uninspected_ports == (80, 5432)
    predicate = as_json(emit_listener(listener.input))["listener_filters"][1]["filter_disabled"]
    assert [rule["destination_port_range"]["start"] for rule in predicate["or_match"]["rules"]] == [80, 5432]


def test_tproxy() -> None:
    """With TPROXY the listener is transparent and marks the connections that it opens for clients."""
    (listener,) = shown(HTTP, view(InterceptionMode.TPROXY))
    assert listener["transparent"] is True
    assert listener["listener_filters"][1]["typed_config"]["mark"] == 1337


def test_without_interception() -> None:
    """Without interception nothing is listened on for services."""
    assert plan(HTTP, view(InterceptionMode.NONE)).value == ()


LOCAL = LocalBinding("127.0.1.2", app_ports=((9080, 41000),))


@pytest.mark.parametrize("interception", list(InterceptionMode))
def test_local_mesh(interception: InterceptionMode) -> None:
    """In the local mesh each target port is a bound listener on the workload's address with a chain that takes everything."""
    (listener,) = shown(HTTP, view(interception, LOCAL))
    assert listener["name"] == "127.0.1.2_9080"
    assert listener["address"]["socket_address"] == {"address": "127.0.1.2", "port_value": 9080}
    assert listener["enable_reuse_port"] is False
    assert {"listener_filters", "bind_to_port"}.isdisjoint(listener)
    (chain,) = listener["filter_chains"]
    assert "filter_chain_match" not in chain
    manager = chain["filters"][0]["typed_config"]
    assert manager["stat_prefix"] == "inbound_127.0.1.2_9080;"
    assert manager["route_config"]["virtual_hosts"][0]["routes"][0]["route"]["cluster"] == "inbound|9080||"


def test_local_mesh_sniffs() -> None:
    """In the local mesh a port of unknown protocol is sniffed, and anything but HTTP is passed on as TCP."""
    (listener,) = plan("{name: web, port: 7000}", view(local=LOCAL)).value
    assert listener.input.http_inspector
    assert [chain.match.application_protocols for chain in listener.input.filter_chains] == [("http/1.1", "h2c"), ()]


def test_protocols_of_two_services() -> None:
    """Where two services declare different protocols for a target port the older decides and the younger is told so."""
    compiled = TextMesh(OLDER_IS_HTTP).evaluate(plan_inbound_listeners, view())
    (finding,) = compiled.diagnostics
    assert (finding.code, finding.subject.name, finding.path) == ("MC2285", "young", "spec.ports[0]")
    assert "web.default.svc.cluster.local" in finding.message


def test_provenance() -> None:
    """The services that are served stand in the provenance."""
    assert [str(key) for key in plan(HTTP).value[0].provenance] == ["Service/default/web"]


@pytest.mark.parametrize(
    ("ips", "bind", "address"),
    [
        (("10.1.0.1",), "", "10.1.0.1"),
        (("10.1.0.1",), "bind: 127.0.0.2,", "127.0.0.2"),
        (("127.0.0.1",), "", "0.0.0.0"),
        (("fe80::1", "fd00::1"), "", "fd00::1"),
    ],
)
def test_where_a_port_of_the_sidecar_is_bound(ips: tuple[str, ...], bind: str, address: str) -> None:
    """On the workload's own address: the loopback address is left to the application, which may listen on the same port."""
    text = f"""
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {{name: own, namespace: default}}
spec: {{ingress: [{{port: {{number: 9080, protocol: HTTP, name: http}}, {bind} defaultEndpoint: "127.0.0.1:9080"}}]}}
"""
    of = replace(view(InterceptionMode.NONE), ips=ips, sidecar=ObjectKey(Kind.SIDECAR, "default", "own"))
    (listener,) = TextMesh(text).evaluate(plan_inbound_listeners, of).value
    assert (listener.input.address, listener.input.name) == (address, f"{address}_9080")
