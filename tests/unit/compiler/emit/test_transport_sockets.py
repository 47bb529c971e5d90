"""Tests of the transport sockets of clusters."""

from __future__ import annotations

from typing import Any

from meshctl_operator.base.durations import Duration
from meshctl_operator.compiler.emit.clusters import emit_cluster
from meshctl_operator.compiler.inputs.clusters import BalancingInput, ClusterInput, Discovery, LbPolicy, ProxyHeader, UpstreamTlsInput
from tests.support.mesh_text import as_json


def cluster(**fields: Any) -> dict[str, Any]:
    """Return a cluster as JSON."""
    given = ClusterInput("c", Discovery.EDS, BalancingInput(LbPolicy.LEAST_REQUEST), Duration.of(seconds=1), **fields)
    return as_json(emit_cluster(given))


def names(socket: dict[str, Any]) -> list[str]:
    """Return the names of a socket and of what it wraps."""
    inner = socket["typed_config"].get("transport_socket")
    return [socket["name"].rpartition(".")[2], *(names(inner) if inner else ())]


def test_one_socket_for_all() -> None:
    """TLS that is spoken to every endpoint needs no match; plain text needs nothing at all."""
    assert "transport_socket" not in cluster()
    assert names(cluster(tls=UpstreamTlsInput())["transport_socket"]) == ["tls"]
    assert names(cluster(proxy_header=ProxyHeader.V1)["transport_socket"]) == ["upstream_proxy_protocol", "raw_buffer"]


def test_mutual_tls_where_it_is_taken() -> None:
    """The endpoints that say so come first, since the match without conditions takes all that are left."""
    found = cluster(tls_where_taken=UpstreamTlsInput("s", certificate_secret="default"))
    assert "transport_socket" not in found
    assert [(each["name"], each["match"], names(each["transport_socket"])) for each in found["transport_socket_matches"]] == [
        ("tlsMode-istio", {"tlsMode": "istio"}, ["tls"]),
        ("tlsMode-disabled", {}, ["raw_buffer"]),
    ]


def test_a_proxy_header_goes_before_either() -> None:
    """Each match is wrapped."""
    found = cluster(tls_where_taken=UpstreamTlsInput("s"), proxy_header=ProxyHeader.V2)["transport_socket_matches"]
    assert [names(each["transport_socket"]) for each in found] == [
        ["upstream_proxy_protocol", "tls"],
        ["upstream_proxy_protocol", "raw_buffer"],
    ]
