"""gRPC-Web: translates calls of browsers to gRPC, on ports that are declared GRPC-WEB."""

from __future__ import annotations

from envoy.extensions.filters.http.grpc_web.v3 import grpc_web_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2 as hcm_pb2

from meshctl_operator.compiler.ordering import HttpFilterName


def http_filter() -> hcm_pb2.HttpFilter:
    """Return the entry of the filter chain (``envoy.extensions.filters.http.grpc_web.v3.GrpcWeb``)."""
    entry = hcm_pb2.HttpFilter(name=HttpFilterName.GRPC_WEB.value)
    entry.typed_config.Pack(grpc_web_pb2.GrpcWeb(), deterministic=True)
    return entry
