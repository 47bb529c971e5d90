"""The fault filter."""

from __future__ import annotations

from meshctl_operator.base.durations import Duration
from meshctl_operator.compiler.filters.fault import http_filter, per_route
from meshctl_operator.compiler.inputs.routes import FaultAbortInput, FaultDelayInput, FaultInput, FractionInput
from tests.support.mesh_text import as_json

TYPE = "type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault"


def test_entry_of_the_chain_is_empty() -> None:
    """The chain carries the filter without any fault."""
    assert as_json(http_filter()) == {"name": "envoy.filters.http.fault", "typed_config": {"@type": TYPE}}


def test_per_route() -> None:
    """Delay and abort with their shares; an abort is by HTTP or by gRPC status."""
    delay = FaultDelayInput(Duration.of(seconds=1), FractionInput(10))
    assert as_json(per_route(FaultInput(delay, FaultAbortInput(http_status=503)))) == {
        "delay": {"fixed_delay": "1s", "percentage": {"numerator": 10}},
        "abort": {"http_status": 503},
    }
    grpc = FaultAbortInput(grpc_status=0, percentage=FractionInput(100))
    assert as_json(per_route(FaultInput(abort=grpc))) == {"abort": {"grpc_status": 0, "percentage": {"numerator": 100}}}
