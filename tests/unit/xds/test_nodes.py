"""Unit tests of the reading of the Node message."""

from __future__ import annotations

from envoy.config.core.v3 import base_pb2
from google.protobuf.json_format import ParseDict

from meshctl_operator.xds.nodes import Locality, NodeInfo, read_node


def test_node_is_read_as_plain_values() -> None:
    """Id, cluster, nested metadata, locality, version and the names of extensions become plain Python values."""
    node = read_node(
        ParseDict(
            {
                "id": "sidecar~10.0.0.1~web.shop~shop.svc.cluster.local",
                "cluster": "web.shop",
                "metadata": {"LABELS": {"app": "web"}, "PORTS": [1, "two", True, None], "EMPTY": {}},
                "locality": {"region": "r", "zone": "z", "sub_zone": "s"},
                "user_agent_name": "envoy",
                "user_agent_build_version": {"version": {"major_number": 1, "minor_number": 40, "patch": 2}},
                "extensions": [{"name": "envoy.filters.http.router", "category": "c"}, {"name": "envoy.filters.http.router"}],
            },
            base_pb2.Node(),
        )
    )
    assert node.id == "sidecar~10.0.0.1~web.shop~shop.svc.cluster.local"
    assert node.cluster == "web.shop"
    assert node.metadata == {"LABELS": {"app": "web"}, "PORTS": [1.0, "two", True, None], "EMPTY": {}}
    assert node.locality == Locality("r", "z", "s")
    assert (node.user_agent, node.version, node.version_text) == ("envoy", (1, 40, 2), "1.40.2")
    assert node.extensions == {"envoy.filters.http.router"}


def test_minimal_node() -> None:
    """A node with nothing but an id has empty values and no version."""
    node = read_node(base_pb2.Node(id="a"))
    assert node == NodeInfo("a")
    assert node.version_text == ""


def test_repr_has_no_metadata() -> None:
    """Metadata and extensions, some 60 KB, do not show in a repr."""
    assert "secret" not in repr(NodeInfo("a", metadata={"k": "secret"}))
