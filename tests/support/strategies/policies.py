"""DestinationRules and the traffic policies in them."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.support.strategies.alphabet import (
    JsonObject,
    JsonStrategy,
    app_labels,
    export_to,
    few,
    flags,
    known_hosts,
    ports,
    routing,
    short_durations,
    some,
)

_LOCALITIES: tuple[JsonObject, ...] = (
    {},
    {},
    {"localityLbSetting": {"failover": [{"from": "region1", "to": "region2"}]}},
    {"localityLbSetting": {"failoverPriority": ["version", "topology.kubernetes.io/zone"]}},
    {"localityLbSetting": {"distribute": [{"from": "region1/*", "to": {"region1/zone1/*": 70, "*": 30}}]}},
    {"localityLbSetting": {"enabled": False}},
    {"zoneAwareLbSetting": {"minClusterSize": 2}},
)
_counts = st.sampled_from((1, 100))


def _connection_pool() -> JsonStrategy:
    tcp = some(
        {
            "maxConnections": _counts,
            "connectTimeout": short_durations,
            "idleTimeout": short_durations,
            "maxConnectionDuration": short_durations,
            "tcpKeepalive": some({"probes": _counts, "time": st.just("5s"), "interval": st.just("2s")}),
        }
    )
    http = some(
        {
            "http1MaxPendingRequests": _counts,
            "http2MaxRequests": _counts,
            "maxRequestsPerConnection": _counts,
            "maxRetries": _counts,
            "idleTimeout": short_durations,
            "h2UpgradePolicy": st.sampled_from(("DEFAULT", "DO_NOT_UPGRADE", "UPGRADE")),
            "useClientProtocol": flags,
            "maxConcurrentStreams": _counts,
            "http2KeepAlive": st.just({"interval": "5s", "timeout": "1s"}),
        }
    )
    return some({"tcp": tcp, "http": http}, least=1)


def _load_balancer() -> JsonStrategy:
    cookie = st.sampled_from(
        ({"name": "user"}, {"name": "user", "ttl": "0s"}, {"name": "user", "path": "/a", "ttl": "1h", "attributes": [{"name": "Secure"}]})
    )
    keys = st.one_of(
        st.just({"httpHeaderName": "x-user"}),
        st.just({"useSourceIp": True}),
        st.just({"httpQueryParameterName": "user"}),
        cookie.map(lambda value: {"httpCookie": value}),
    )
    tables = st.sampled_from(({}, {"ringHash": {"minimumRingSize": 64}}, {"maglev": {"tableSize": 65537}}, {"minimumRingSize": 128}))
    consistent = st.builds(lambda key, table: {"consistentHash": key | table}, keys, tables)
    simple = st.sampled_from(("ROUND_ROBIN", "LEAST_REQUEST", "LEAST_CONN", "RANDOM", "PASSTHROUGH", "UNSPECIFIED"))
    warm = st.sampled_from(({}, {"warmup": {"duration": "30s", "minimumPercent": 10, "aggression": 1.5}}, {"warmupDurationSecs": "10s"}))
    kinds = st.one_of(simple.map(lambda name: {"simple": name}), consistent)
    return st.builds(lambda kind, warmup, places: kind | warmup | places, kinds, warm, st.sampled_from(_LOCALITIES))


def _outlier_detection() -> JsonStrategy:
    return some(
        {
            "consecutive5xxErrors": _counts,
            "consecutiveGatewayErrors": _counts,
            "splitExternalLocalOriginErrors": flags,
            "interval": short_durations,
            "baseEjectionTime": short_durations,
            "maxEjectionPercent": st.sampled_from((10, 100)),
            "minHealthPercent": st.sampled_from((0, 50)),
        }
    )


def _client_tls() -> JsonStrategy:
    modes = st.sampled_from(("DISABLE", "SIMPLE", "SIMPLE", "ISTIO_MUTUAL"))
    optional = some({"sni": st.just("api.example.com"), "subjectAltNames": st.just(["api.example.com"]), "insecureSkipVerify": flags})
    return st.builds(lambda mode, extra: {"mode": mode} | extra, modes, optional)


def _blocks() -> dict[str, JsonStrategy]:
    return {
        "loadBalancer": _load_balancer(),
        "connectionPool": _connection_pool(),
        "outlierDetection": _outlier_detection(),
        "tls": _client_tls(),
    }


def traffic_policies() -> JsonStrategy:
    """Draw a traffic policy."""
    by_port = st.builds(lambda number, rest: {"port": {"number": number}} | rest, ports, some(_blocks(), least=1, most=2))
    return some({**_blocks(), "portLevelSettings": few(by_port, least=1)}, least=1)


def destination_rules() -> JsonStrategy:
    """Draw a DestinationRule."""
    subset = st.builds(
        lambda name, labels, extra: {"name": name, "labels": labels} | extra,
        st.sampled_from(("v1", "v2")),
        app_labels,
        some({"trafficPolicy": traffic_policies()}),
    )
    optional = some(
        {
            "trafficPolicy": traffic_policies(),
            "subsets": st.lists(subset, min_size=1, max_size=2, unique_by=lambda value: str(value["name"])),
            "exportTo": export_to,
            "workloadSelector": st.just({"matchLabels": {"app": "cart"}}),
        }
    )
    hosts = st.one_of(known_hosts, known_hosts, st.sampled_from(("*.example.com", "*.local", "*.default.svc.cluster.local", "*")))
    spec = st.builds(lambda host, extra: {"host": host} | extra, hosts, optional)
    return routing("DestinationRule", st.sampled_from(("rule-1", "rule-2")), spec)
