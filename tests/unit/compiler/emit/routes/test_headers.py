"""Emitting header operations."""

from __future__ import annotations

from envoy.config.route.v3 import route_components_pb2

from meshctl_operator.compiler.emit.routes.headers import add_header_operations
from meshctl_operator.compiler.inputs.routes import HeaderOperationsInput, HeaderValueInput
from tests.support.mesh_text import as_json


def test_four_lists() -> None:
    """Each list has its field; additions say whether they append."""
    message = route_components_pb2.WeightedCluster.ClusterWeight()
    operations = HeaderOperationsInput(
        (HeaderValueInput("a", "1", append=False),), ("b",), (HeaderValueInput("c", "2", append=True),), ("d",)
    )
    add_header_operations(message, operations)
    assert as_json(message) == {
        "request_headers_to_add": [{"header": {"key": "a", "value": "1"}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}],
        "request_headers_to_remove": ["b"],
        "response_headers_to_add": [{"header": {"key": "c", "value": "2"}}],
        "response_headers_to_remove": ["d"],
    }
