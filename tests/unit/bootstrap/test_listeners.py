"""What a proxy in a pod answers by itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from meshctl_operator.bootstrap.bootstrap import bootstrap, to_dict
from meshctl_operator.bootstrap.options import AppProbe, BootstrapOptions
from meshctl_operator.model.proxies import Proxy, ProxyRole

SIDECAR = BootstrapOptions(Proxy(ProxyRole.SIDECAR, "reviews-v1", "default", ("10.1.0.7",)), status_port=15021, prometheus_port=15090)
PROBE = AppProbe("/app-health/reviews/readyz", 9080, "/healthz?full=1", (("x-from", "50%"),), "reviews")


def resources(options: BootstrapOptions) -> Any:
    """Return the static resources as plain values."""
    return to_dict(bootstrap(options))["static_resources"]


def listeners(options: BootstrapOptions) -> dict[str, Any]:
    """Return the static listeners by name."""
    return {listener["name"]: listener for listener in resources(options).get("listeners", ())}


def routes(listener: Any) -> Any:
    """Return the routes of a listener."""
    (chain,) = listener["filter_chains"]
    (entry,) = chain["filters"]
    return entry["typed_config"]["route_config"]["virtual_hosts"][0]["routes"]


def clusters(options: BootstrapOptions) -> dict[str, Any]:
    """Return the static clusters by name, but for that of the control plane."""
    return {cluster["name"]: cluster for cluster in resources(options)["clusters"] if cluster["name"] != "xds-grpc"}


def where(cluster: Any) -> tuple[str, int]:
    """Return the address of a cluster with one endpoint."""
    socket = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"]["socket_address"]
    return socket["address"], socket["port_value"]


def test_many_proxies_on_one_machine_have_none() -> None:
    """Fixed ports are for those with a network of their own."""
    plain = BootstrapOptions(SIDECAR.proxy)
    assert listeners(plain) == {}
    assert clusters(plain) == {}


def test_readiness_is_what_envoy_says_of_itself() -> None:
    """The path that Istio's agent has leads to ``/ready`` of the admin interface, whatever the load."""
    listener = listeners(SIDECAR)["0.0.0.0_15021"]
    assert (listener["ignore_global_conn_limit"], listener["bypass_overload_manager"]) == (True, True)
    assert routes(listener) == [{"match": {"prefix": "/healthz/ready"}, "route": {"cluster": "agent", "prefix_rewrite": "/ready"}}]
    assert where(clusters(replace(SIDECAR, admin_port=15123))["agent"]) == ("127.0.0.1", 15123)


def test_metrics_and_nothing_else_of_the_admin_interface() -> None:
    """Prometheus gets them compressed if it likes."""
    listener = listeners(SIDECAR)["0.0.0.0_15090"]
    (route,) = routes(listener)
    assert route == {
        "match": {"prefix": "/stats/prometheus"},
        "route": {"cluster": "prometheus_stats", "prefix_rewrite": "/stats/prometheus"},
    }
    filters = listener["filter_chains"][0]["filters"][0]["typed_config"]["http_filters"]
    assert [each["name"].rpartition(".")[2] for each in filters] == ["gzip", "brotli", "zstd", "router"]
    uncompressed = listeners(replace(SIDECAR, compress_stats=False))["0.0.0.0_15090"]
    assert len(uncompressed["filter_chains"][0]["filters"][0]["typed_config"]["http_filters"]) == 1


def test_probes_reach_the_application_past_the_interception() -> None:
    """The path is rewritten, the query with it; headers are those of the probe; the source address is the one that is let through."""
    options = replace(SIDECAR, probes=(PROBE,))
    (route,) = routes(listeners(options)["0.0.0.0_15020"])
    assert route["match"] == {"path": "/app-health/reviews/readyz"}
    assert route["route"] == {
        "cluster": "probe|9080||",
        "prefix_rewrite": "/healthz?full=1",
        "timeout": "0s",
        "host_rewrite_literal": "reviews",
    }
    assert route["request_headers_to_add"][0]["header"] == {"key": "x-from", "value": "50%%"}
    cluster = clusters(options)["probe|9080||"]
    assert where(cluster) == ("10.1.0.7", 9080)
    assert cluster["upstream_bind_config"]["source_address"] == {"address": "127.0.0.6", "port_value": 0}
    assert "transport_socket" not in cluster


def test_probes_by_tls_trust_any_certificate() -> None:
    """As the kubelet does. Probes of one port share a cluster, but for TLS."""
    options = replace(SIDECAR, probes=(PROBE, replace(PROBE, path="/a"), replace(PROBE, path="/b", tls=True)))
    assert list(clusters(options))[2:] == ["probe|9080||", "probe|9080|tls|"]
    assert clusters(options)["probe|9080|tls|"]["transport_socket"]["name"] == "envoy.transport_sockets.tls"


def test_ipv6() -> None:
    """The family of the first address decides, unless it is stated because the address comes later."""
    six = replace(SIDECAR, proxy=replace(SIDECAR.proxy, ips=("fd00::7",)), probes=(PROBE,))
    assert list(listeners(six)) == ["::_15090", "::_15021", "::_15020"]
    assert clusters(six)["probe|9080||"]["upstream_bind_config"]["source_address"]["address"] == "::6"
    later = replace(SIDECAR, proxy=replace(SIDECAR.proxy, ips=("$(INSTANCE_IP)",)), ipv6=True)
    assert list(listeners(later)) == ["::_15090", "::_15021"]
