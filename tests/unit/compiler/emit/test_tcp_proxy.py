"""TCP proxies as messages."""

from __future__ import annotations

from meshctl_operator.base.durations import Duration
from meshctl_operator.compiler.emit.tcp_proxy import emit_tcp_filters
from meshctl_operator.compiler.inputs.listeners import AccessLogInput, TcpProxyInput
from tests.support.mesh_text import as_json


def test_one_cluster() -> None:
    """One cluster is named plainly; unset times are left out."""
    (entry,) = emit_tcp_filters(TcpProxyInput("p", (("c", 7),)))
    assert as_json(entry) == {
        "name": "envoy.filters.network.tcp_proxy",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
            "stat_prefix": "p",
            "cluster": "c",
        },
    }


def test_weighted_clusters_and_settings() -> None:
    """Several clusters carry weights; times, hashing and log are set where known."""
    proxy = TcpProxyInput(
        "p", (("a", 1), ("b", 2)), Duration.of(seconds=5), Duration.of(seconds=9), hash_source_ip=True, access_log=AccessLogInput("/x", "y")
    )
    (entry,) = emit_tcp_filters(proxy)
    config = as_json(entry)["typed_config"]
    assert config["weighted_clusters"] == {"clusters": [{"name": "a", "weight": 1}, {"name": "b", "weight": 2}]}
    assert (config["idle_timeout"], config["max_downstream_connection_duration"]) == ("5s", "9s")
    assert config["hash_policy"] == [{"source_ip": {}}]
    assert len(config["access_log"]) == 1


def test_denied() -> None:
    """A denied proxy has a filter before it that lets nobody pass."""
    guard, proxy = emit_tcp_filters(TcpProxyInput("p", (("c", 1),), denied=True))
    assert as_json(guard)["typed_config"]["rules"] == {}
    assert (guard.name, proxy.name) == ("envoy.filters.network.rbac", "envoy.filters.network.tcp_proxy")


def test_mongo() -> None:
    """The Mongo sniffer stands before the proxy."""
    sniffer, proxy = emit_tcp_filters(TcpProxyInput("p", (("c", 1),), mongo=True))
    assert (sniffer.name, proxy.name) == ("envoy.filters.network.mongo_proxy", "envoy.filters.network.tcp_proxy")
