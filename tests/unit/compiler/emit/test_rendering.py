"""Served resources as protobuf JSON."""

from __future__ import annotations

from envoy.config.cluster.v3 import cluster_pb2
from envoy.extensions.upstreams.http.v3 import http_protocol_options_pb2

from meshctl_operator.compiler.emit.rendering import as_json
from meshctl_operator.compiler.emit.resources import CLUSTER_TYPE
from meshctl_operator.compiler.resources import compiled_resource


def test_original_names_and_nested_messages() -> None:
    """Field names are the original ones, messages inside Any are decoded, and the type of the resource itself is left out."""
    cluster = cluster_pb2.Cluster(name="a")
    cluster.connect_timeout.FromSeconds(10)
    options = http_protocol_options_pb2.HttpProtocolOptions()
    options.explicit_http_config.http2_protocol_options.SetInParent()
    cluster.typed_extension_protocol_options["o"].Pack(options)
    assert as_json(compiled_resource(CLUSTER_TYPE, "a", cluster.SerializeToString())) == {
        "name": "a",
        "connect_timeout": "10s",
        "typed_extension_protocol_options": {
            "o": {
                "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": {"http2_protocol_options": {}},
            }
        },
    }
