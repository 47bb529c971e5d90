"""Listeners as messages."""

from __future__ import annotations

from meshctl_operator.base.durations import Duration
from meshctl_operator.compiler.emit.listeners import emit_listener
from meshctl_operator.compiler.inputs.listeners import (
    AccessLogInput,
    ChainMatchInput,
    Direction,
    DownstreamTlsInput,
    FilterChainInput,
    HttpConnectionManagerInput,
    ListenerInput,
    TcpProxyInput,
)
from meshctl_operator.compiler.ordering import HttpFilterName
from tests.support.mesh_text import as_json

TCP = FilterChainInput(TcpProxyInput("c", (("c", 1),)))


def test_plain_listener() -> None:
    """A listener without options has address, direction and chains, and nothing that Envoy would do anyway."""
    assert as_json(emit_listener(ListenerInput("l", "1.2.3.4", 80, Direction.INBOUND, (TCP,)))) == {
        "name": "l",
        "address": {"socket_address": {"address": "1.2.3.4", "port_value": 80}},
        "traffic_direction": "INBOUND",
        "filter_chains": [
            {
                "transport_socket_connect_timeout": "15s",
                "filters": [
                    {
                        "name": "envoy.filters.network.tcp_proxy",
                        "typed_config": {
                            "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
                            "stat_prefix": "c",
                            "cluster": "c",
                        },
                    }
                ],
            }
        ],
    }


def test_options() -> None:
    """Each option of the input has its field; listener filters stand in the order in which a connection needs them."""
    shown = as_json(
        emit_listener(
            ListenerInput(
                "l",
                "::",
                80,
                Direction.OUTBOUND,
                (TCP,),
                default_chain=TCP,
                bind_to_port=False,
                reuse_port=False,
                use_original_dst=True,
                transparent=True,
                original_dst_filter=True,
                original_src_mark=1337,
                tls_inspector=True,
                http_inspector=True,
                uninspected_ports=(1, 2),
                detection_timeout=Duration.of(milliseconds=100),
                max_accepts_per_event=1,
                access_log=AccessLogInput("/x", "y"),
            )
        )
    )
    assert [entry["name"].rpartition(".")[2] for entry in shown["listener_filters"]] == [
        "original_dst",
        "original_src",
        "tls_inspector",
        "http_inspector",
    ]
    assert shown["listener_filters"][2]["typed_config"]["initial_read_buffer_size"] == 512
    rules = shown["listener_filters"][3]["filter_disabled"]["or_match"]["rules"]
    assert [rule["destination_port_range"] for rule in rules] == [{"start": 1, "end": 2}, {"start": 2, "end": 3}]
    assert {name: shown[name] for name in ("bind_to_port", "enable_reuse_port", "use_original_dst", "transparent")} == {
        "bind_to_port": False,
        "enable_reuse_port": False,
        "use_original_dst": True,
        "transparent": True,
    }
    assert (shown["listener_filters_timeout"], shown["continue_on_listener_filters_timeout"]) == ("0.100s", True)
    assert shown["max_connections_to_accept_per_socket_event"] == 1
    assert shown["default_filter_chain"]["filters"]
    assert shown["access_log"]


def test_chain() -> None:
    """A chain has its match, its TLS context, and the VirtualService that decided it in the metadata that Istio's tools read."""
    match = ChainMatchInput(8080, ("10.0.0.0/8", "fd00::/16"), ("a.com",), "tls", ("h2",))
    manager = HttpConnectionManagerInput("p", "80", (HttpFilterName.ROUTER,))
    chain = FilterChainInput(manager, match, "name", DownstreamTlsInput(("s",), ()), ("shop", "vs"))
    (shown,) = as_json(emit_listener(ListenerInput("l", "::", 80, Direction.OUTBOUND, (chain,))))["filter_chains"]
    assert shown["name"] == "name"
    assert shown["filter_chain_match"] == {
        "destination_port": 8080,
        "prefix_ranges": [{"address_prefix": "10.0.0.0", "prefix_len": 8}, {"address_prefix": "fd00::", "prefix_len": 16}],
        "server_names": ["a.com"],
        "transport_protocol": "tls",
        "application_protocols": ["h2"],
    }
    assert shown["transport_socket"]["name"] == "envoy.transport_sockets.tls"
    assert shown["metadata"]["filter_metadata"] == {
        "istio": {"config": "/apis/networking.istio.io/v1/namespaces/shop/virtual-service/vs"},
    }
