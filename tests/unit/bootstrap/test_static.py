"""The bootstrap that stands alone."""

from __future__ import annotations

from typing import Any

from meshctl_operator.bootstrap.static import JsonObject, KeyPair, ServedConfig, secret_names, static_bootstrap
from meshctl_operator.model.proxies import Locality, Proxy, ProxyRole

PROXY = Proxy(ProxyRole.ROUTER, "gw", "edge", locality=Locality("eu"))
SDS: JsonObject = {"name": "kubernetes://cert", "sds_config": {"ads": {}}}
CA: JsonObject = {"name": "kubernetes://cert-cacert", "sds_config": {"ads": {}}}


def key_pair(name: str) -> KeyPair:
    """Return a key pair whose texts tell for which secret it stands."""
    return KeyPair(f"certificate of {name}", f"key of {name}")


def stand_alone(served: ServedConfig) -> Any:
    """Return the static resources of the bootstrap."""
    return static_bootstrap(PROXY, served, key_pair)["static_resources"]


def listener(context: JsonObject) -> JsonObject:
    """Return a listener whose only filter chain terminates TLS in the given context."""
    socket: JsonObject = {"name": "tls", "typed_config": {"common_tls_context": context}}
    return {"name": "l", "filter_chains": [{"transport_socket": socket}]}


def tls_context(result: Any) -> Any:
    """Return the TLS context of the only filter chain."""
    return result["listeners"][0]["filter_chains"][0]["transport_socket"]["typed_config"]["common_tls_context"]


def test_endpoints_move_into_their_cluster() -> None:
    """An EDS cluster becomes a STATIC one with its endpoints, found by service name or by its own name."""
    named: JsonObject = {"name": "a", "type": "EDS", "eds_cluster_config": {"service_name": "svc", "eds_config": {"ads": {}}}}
    plain: JsonObject = {"name": "b", "type": "EDS", "eds_cluster_config": {"eds_config": {"ads": {}}}}
    assignments: list[JsonObject] = [{"cluster_name": "svc", "endpoints": [1]}, {"cluster_name": "b", "endpoints": [2]}]
    first, second = stand_alone(ServedConfig(clusters=[named, plain], endpoints=assignments))["clusters"]
    assert first == {"name": "a", "type": "STATIC", "load_assignment": {"cluster_name": "svc", "endpoints": [1]}}
    assert second == {"name": "b", "type": "STATIC", "load_assignment": {"cluster_name": "b", "endpoints": [2]}}


def test_cluster_without_an_assignment_is_empty() -> None:
    """Envoy without an answer has no endpoints; the file says the same."""
    (cluster,) = stand_alone(ServedConfig(clusters=[{"name": "a", "type": "EDS"}]))["clusters"]
    assert cluster == {"name": "a", "type": "STATIC", "load_assignment": {"cluster_name": "a"}}


def test_other_clusters_stay() -> None:
    """Only EDS is rewritten."""
    cluster: JsonObject = {"name": "PassthroughCluster", "type": "ORIGINAL_DST"}
    assert stand_alone(ServedConfig(clusters=[cluster]))["clusters"] == [cluster]


def test_routes_move_into_their_connection_manager() -> None:
    """A connection manager that asks for routes by name has them inline, and unknown clusters do not make Envoy refuse them."""
    manager: JsonObject = {"stat_prefix": "x", "rds": {"route_config_name": "http.80", "config_source": {"ads": {}}}}
    message: JsonObject = {"name": "l", "filter_chains": [{"filters": [{"typed_config": manager}]}]}
    routes: list[JsonObject] = [{"name": "http.80", "virtual_hosts": []}]
    (result,) = stand_alone(ServedConfig(listeners=[message], routes=routes))["listeners"]
    inline = result["filter_chains"][0]["filters"][0]["typed_config"]
    assert inline == {"stat_prefix": "x", "route_config": {"name": "http.80", "virtual_hosts": [], "validate_clusters": False}}


def test_missing_routes_are_empty() -> None:
    """A route configuration that nobody served is an empty one."""
    (result,) = stand_alone(ServedConfig(listeners=[{"name": "l", "hcm": {"rds": {"route_config_name": "x"}}}]))["listeners"]
    assert result["hcm"] == {"route_config": {"name": "x", "validate_clusters": False}}


def test_key_pairs_stand_in_for_certificates() -> None:
    """What would be fetched by SDS is written inline."""
    context = tls_context(stand_alone(ServedConfig(listeners=[listener({"tls_certificate_sds_secret_configs": [SDS]})])))
    assert context == {
        "tls_certificates": [
            {
                "certificate_chain": {"inline_string": "certificate of kubernetes://cert"},
                "private_key": {"inline_string": "key of kubernetes://cert"},
            }
        ]
    }


def test_certificate_stands_in_for_a_ca() -> None:
    """A validation context that would be fetched trusts the stand-in."""
    context = tls_context(stand_alone(ServedConfig(listeners=[listener({"validation_context_sds_secret_config": CA})])))
    assert context == {"validation_context": {"trusted_ca": {"inline_string": "certificate of kubernetes://cert-cacert"}}}


def test_combined_context_keeps_its_own_checks() -> None:
    """The default part of a combined context is kept beside the stand-in CA."""
    combined: JsonObject = {
        "default_validation_context": {"match_typed_subject_alt_names": ["x"]},
        "validation_context_sds_secret_config": CA,
    }
    context = tls_context(stand_alone(ServedConfig(listeners=[listener({"combined_validation_context": combined})])))
    assert context == {
        "validation_context": {
            "match_typed_subject_alt_names": ["x"],
            "trusted_ca": {"inline_string": "certificate of kubernetes://cert-cacert"},
        }
    }


def test_names_of_secrets() -> None:
    """Every name asked for by SDS is listed once, in order."""
    chain = listener(
        {"tls_certificate_sds_secret_configs": [SDS], "combined_validation_context": {"validation_context_sds_secret_config": CA}}
    )
    assert secret_names(ServedConfig(listeners=[chain, chain])) == ("kubernetes://cert", "kubernetes://cert-cacert")


def test_node_and_admin() -> None:
    """The proxy keeps its identity, with the admin interface where people expect it."""
    result: Any = static_bootstrap(PROXY, ServedConfig(), key_pair, metadata={"A": "b"})
    assert result["node"]["id"] == "router~127.0.0.1~gw.edge~edge.svc.cluster.local"
    assert result["node"]["locality"] == {"region": "eu"}
    assert result["node"]["metadata"]["A"] == "b"
    assert result["admin"]["address"]["socket_address"] == {"address": "127.0.0.1", "port_value": 15000}


def test_key_is_not_shown() -> None:
    """The repr of a key pair has no key in it."""
    assert "secret" not in repr(KeyPair("certificate", "secret"))
