"""What a resource refers to."""

from __future__ import annotations

from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.listener.v3 import listener_pb2
from envoy.config.route.v3 import route_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2

from meshctl_operator.xds.references import references
from meshctl_operator.xds.resources import TypeUrl, make_resource
from meshctl_operator.xds.state import view_state


def test_everything_that_is_needed_is_found() -> None:
    """From a listener over its route configuration, packed in a filter, to clusters and their endpoints; nothing else."""
    manager = http_connection_manager_pb2.HttpConnectionManager(stat_prefix="x")
    manager.rds.route_config_name = "http.80"
    listener = listener_pb2.Listener(name="0.0.0.0_80")
    listener.filter_chains.add().filters.add(name="hcm").typed_config.Pack(manager)
    route = route_pb2.RouteConfiguration(name="http.80")
    host = route.virtual_hosts.add(name="a", domains=["*"])
    weighted = host.routes.add().route.weighted_clusters.clusters
    weighted.add(name="one")
    weighted.add(name="two")
    two = cluster_pb2.Cluster(name="two", eds_cluster_config={"service_name": "other"})
    held = [
        make_resource(TypeUrl.LISTENER, "0.0.0.0_80", listener.SerializeToString()),
        make_resource(TypeUrl.ROUTE, "http.80", route.SerializeToString()),
        make_resource(TypeUrl.ROUTE, "http.81", b""),
        make_resource(TypeUrl.VIRTUAL_HOST, "http.80/b", b""),
        make_resource(TypeUrl.VIRTUAL_HOST, "http.81/b", b""),
        make_resource(TypeUrl.CLUSTER, "one", cluster_pb2.Cluster(name="one").SerializeToString()),
        make_resource(TypeUrl.CLUSTER, "two", two.SerializeToString(), eds_name="other"),
        make_resource(TypeUrl.CLUSTER, "three", b""),
        make_resource(TypeUrl.ENDPOINT, "one", b""),
        make_resource(TypeUrl.ENDPOINT, "other", b""),
        make_resource(TypeUrl.ENDPOINT, "two", b""),
    ]
    found = {(resource.type_url.short, resource.name) for resource in references(held[0], view_state(1, held))}
    needed = {("RDS", "http.80"), ("VHDS", "http.80/b"), ("CDS", "one"), ("CDS", "two"), ("EDS", "one"), ("EDS", "other")}
    assert found - {("EDS", "two")} == needed


def test_what_cannot_be_read_refers_to_nothing() -> None:
    """A body that is no message of its type has no references, and raises nothing."""
    broken = make_resource(TypeUrl.LISTENER, "a", b"\xff\xff")
    assert references(broken, view_state(1, [broken])) == ()
