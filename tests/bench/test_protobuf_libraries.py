"""What the choice of protobuf library costs: the figures of the first decision record."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable

import pytest
from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.core.v3 import address_pb2
from envoy.config.endpoint.v3 import endpoint_components_pb2, endpoint_pb2
from envoy_data_plane.envoy.config.cluster import v3 as edp_cluster
from envoy_data_plane.envoy.config.core import v3 as edp_core
from envoy_data_plane.envoy.config.endpoint import v3 as edp_endpoint

ROUNDS = 30
ENDPOINTS = 10

pytestmark = pytest.mark.bench


def upb_cluster() -> bytes:
    """Build and serialise one EDS cluster with the official classes."""
    cluster = cluster_pb2.Cluster(name="outbound|80||a.b.svc.cluster.local", type=cluster_pb2.Cluster.EDS)
    cluster.connect_timeout.seconds = 10
    cluster.eds_cluster_config.service_name = cluster.name
    cluster.eds_cluster_config.eds_config.ads.SetInParent()
    body: bytes = cluster.SerializeToString(deterministic=True)
    return body


def edp_cluster_bytes() -> bytes:
    """Build and serialise the same cluster with envoy-data-plane."""
    import datetime as dt

    name = "outbound|80||a.b.svc.cluster.local"
    return bytes(
        edp_cluster.Cluster(
            name=name,
            type=edp_cluster.ClusterDiscoveryType.EDS,
            connect_timeout=dt.timedelta(seconds=10),
            eds_cluster_config=edp_cluster.ClusterEdsClusterConfig(
                service_name=name, eds_config=edp_core.ConfigSource(ads=edp_core.AggregatedConfigSource())
            ),
        )
    )


def upb_endpoints() -> bytes:
    """Build and serialise a ClusterLoadAssignment of ten endpoints with the official classes."""
    assignment = endpoint_pb2.ClusterLoadAssignment(cluster_name="a")
    locality = assignment.endpoints.add()
    for i in range(ENDPOINTS):
        address = address_pb2.SocketAddress(address=f"10.0.0.{i}", port_value=80)
        host = endpoint_components_pb2.Endpoint(address=address_pb2.Address(socket_address=address))
        locality.lb_endpoints.add(endpoint=host)
    body: bytes = assignment.SerializeToString(deterministic=True)
    return body


def edp_endpoints() -> bytes:
    """Build and serialise the same ten endpoints with envoy-data-plane."""
    return bytes(
        edp_endpoint.ClusterLoadAssignment(
            cluster_name="a",
            endpoints=[
                edp_endpoint.LocalityLbEndpoints(
                    lb_endpoints=[
                        edp_endpoint.LbEndpoint(
                            endpoint=edp_endpoint.Endpoint(
                                address=edp_core.Address(socket_address=edp_core.SocketAddress(address=f"10.0.0.{i}", port_value=80))
                            )
                        )
                        for i in range(ENDPOINTS)
                    ]
                )
            ],
        )
    )


def _median_us(build: Callable[[], bytes]) -> float:
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        build()
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1e6


@pytest.mark.parametrize(("upb", "edp"), [(upb_cluster, edp_cluster_bytes), (upb_endpoints, edp_endpoints)], ids=["cluster", "endpoints"])
def test_build_and_serialise(upb: Callable[[], bytes], edp: Callable[[], bytes]) -> None:
    """The official classes are at least ten times faster, which is why the hot path uses them; both say the same."""
    message = cluster_pb2.Cluster if upb is upb_cluster else endpoint_pb2.ClusterLoadAssignment
    assert message.FromString(edp()) == message.FromString(upb())
    fast, slow = _median_us(upb), _median_us(edp)
    print(json.dumps({"benchmark": upb.__name__, "upb_us": round(fast, 1), "edp_us": round(slow, 1), "ratio": round(slow / fast)}))
    assert slow / fast > 10
