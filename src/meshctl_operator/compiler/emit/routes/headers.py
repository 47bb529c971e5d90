"""Emit header operations: the same four fields stand in ``Route`` and in ``WeightedCluster.ClusterWeight``."""

from __future__ import annotations

from typing import TypeAlias

from envoy.config.core.v3 import base_pb2
from envoy.config.route.v3 import route_components_pb2

from meshctl_operator.compiler.inputs.routes import HeaderOperationsInput, HeaderValueInput

_Carrier: TypeAlias = route_components_pb2.Route | route_components_pb2.WeightedCluster.ClusterWeight


def add_header_operations(message: _Carrier, headers: HeaderOperationsInput) -> None:
    """Fill the four header lists of the message in the order of the Input."""
    message.request_headers_to_add.extend(_option(header) for header in headers.request_add)
    message.request_headers_to_remove.extend(headers.request_remove)
    message.response_headers_to_add.extend(_option(header) for header in headers.response_add)
    message.response_headers_to_remove.extend(headers.response_remove)


def _option(header: HeaderValueInput) -> base_pb2.HeaderValueOption:
    action = base_pb2.HeaderValueOption.APPEND_IF_EXISTS_OR_ADD if header.append else base_pb2.HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD
    return base_pb2.HeaderValueOption(header=base_pb2.HeaderValue(key=header.name, value=header.value), append_action=action)
