"""A translation as a table."""

from __future__ import annotations

from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.base.shards import ShardedMap
from meshctl_operator.bootstrap.static import JsonObject, ServedConfig
from meshctl_operator.compiler.emit.resources import CLUSTER_TYPE, LISTENER_TYPE, ROUTE_TYPE
from meshctl_operator.compiler.resources import CompiledProxy, compiled_resource
from meshctl_operator.controlplane.summaries import summary
from meshctl_operator.controlplane.translation import Translation
from meshctl_operator.model.proxies import Proxy, ProxyRole

SERVICE = ObjectKey("Service", "default", "reviews")
RULE = ObjectKey("DestinationRule", "default", "reviews")
METADATA: JsonObject = {"filter_metadata": {"istio": {"config": "/apis/networking.istio.io/v1/namespaces/default/virtual-service/reviews"}}}


def table(served: ServedConfig) -> list[list[str]]:
    """Return the cells of the table's lines."""
    compiled = CompiledProxy(
        {
            kind: ShardedMap.of({name: compiled_resource(kind, name, b"", ((SERVICE, RULE),))})
            for kind, name in ((LISTENER_TYPE, "l"), (ROUTE_TYPE, "9080"), (CLUSTER_TYPE, "c"))
        },
        (),
    )
    proxy = Proxy(ProxyRole.SIDECAR, "reviews-v1", "default", ("10.1.0.7",), (("app", "reviews"),))
    text = summary(Translation(proxy, {}, compiled, served, (), rejected=False))
    return [[cell.strip() for cell in line.strip().split("  ") if cell] for line in text.splitlines() if line.strip()]


def test_head_and_foot() -> None:
    """The proxy comes first, the number of findings last; empty sections are left out."""
    assert table(ServedConfig()) == [["sidecar reviews-v1.default", "10.1.0.7", "app=reviews"], ["0 findings"]]


def test_listeners() -> None:
    """Each chain says what it matches and where it leads; the default chain comes last."""
    hcm: JsonObject = {"filters": [{"typed_config": {"rds": {"route_config_name": "9080"}}}]}
    inline: JsonObject = {"name": "in", "filters": [{"typed_config": {"route_config": {"name": "inbound|9080||"}}}]}
    tcp: JsonObject = {"name": "tcp", "filters": [{"typed_config": {"cluster": "Passthrough"}}]}
    weighted: JsonObject = {"filters": [{"typed_config": {"weighted_clusters": {"clusters": [{"name": "a", "weight": 1}]}}}]}
    listener: JsonObject = {
        "name": "l",
        "address": {"socket_address": {"address": "0.0.0.0", "port_value": 9080}},
        "filter_chains": [
            {**hcm, "filter_chain_match": {"application_protocols": ["http/1.1", "h2c"]}},
            inline,
            weighted,
            {"name": "empty"},
        ],
        "default_filter_chain": tcp,
    }
    assert table(ServedConfig(listeners=[listener]))[1:-1] == [
        ["LISTENERS"],
        ["l", "0.0.0.0:9080", "DestinationRule/default/reviews, Service/default/reviews"],
        ["filter chain", "application_protocols=http/1.1,h2c -> routes 9080"],
        ["in", "routes inbound|9080||"],
        ["filter chain", "clusters name=a weight=1"],
        ["empty"],
        ["tcp", "cluster Passthrough"],
    ]


def test_routes() -> None:
    """Each route says its match, its action and the object that it names in its metadata."""
    routes: list[JsonObject] = [
        {"name": "r", "match": {"prefix": "/", "case_sensitive": True}, "route": {"cluster": "c"}, "metadata": METADATA},
        {"match": {"path": "/x"}, "route": {"weighted_clusters": {"clusters": [{"name": "a", "weight": 90}, {"name": "b", "weight": 10}]}}},
        {"match": {"path": "/y"}, "redirect": {"host_redirect": "z"}},
        {"match": {"path": "/z"}, "direct_response": {"status": 404}},
        {"name": "odd"},
    ]
    host: JsonObject = {"name": "reviews:9080", "domains": ["reviews", "reviews.default"], "routes": list(routes)}
    assert table(ServedConfig(routes=[{"name": "9080", "virtual_hosts": [host]}]))[1:-1] == [
        ["ROUTES"],
        ["9080", "DestinationRule/default/reviews, Service/default/reviews"],
        ["reviews:9080", "reviews,reviews.default"],
        ["r", "prefix=/ -> c", "VirtualService/default/reviews"],
        ["route", "path=/x -> a 90, b 10"],
        ["route", "path=/y -> redirect host_redirect=z"],
        ["route", "path=/z -> direct_response status=404"],
        ["odd", "->"],
    ]


def test_clusters_with_their_endpoints() -> None:
    """EDS clusters count what EDS would answer, others what they carry; secrets are listed by name."""
    clusters: list[JsonObject] = [
        {"name": "c", "type": "EDS", "eds_cluster_config": {"service_name": "svc"}},
        {"name": "d", "load_assignment": {"endpoints": [{"lb_endpoints": [{}, {}]}]}},
        {"name": "e", "type": "ORIGINAL_DST", "sds": {"tls_certificate_sds_secret_configs": [{"name": "kubernetes://cert"}]}},
    ]
    endpoints: list[JsonObject] = [{"cluster_name": "svc", "endpoints": [{"lb_endpoints": [{}]}]}]
    assert table(ServedConfig(clusters=clusters, endpoints=endpoints))[1:-1] == [
        ["CLUSTERS"],
        ["c", "EDS, 1 endpoint", "DestinationRule/default/reviews, Service/default/reviews"],
        ["d", "STATIC, 2 endpoints"],
        ["e", "ORIGINAL_DST"],
        ["SECRETS"],
        ["kubernetes://cert"],
    ]
