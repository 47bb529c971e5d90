"""Fault injection: ``envoy.filters.http.fault``. The chain carries an empty filter; routes say what goes wrong."""

from __future__ import annotations

from envoy.extensions.filters.http.fault.v3 import fault_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2 as hcm_pb2

from meshctl_operator.compiler.emit.values import emit_duration, emit_fraction
from meshctl_operator.compiler.inputs.routes import FaultInput
from meshctl_operator.compiler.ordering import HttpFilterName


def http_filter() -> hcm_pb2.HttpFilter:
    """Return the entry of the filter chain (``envoy.extensions.filters.http.fault.v3.HTTPFault``), without any fault."""
    entry = hcm_pb2.HttpFilter(name=HttpFilterName.FAULT.value)
    entry.typed_config.Pack(fault_pb2.HTTPFault(), deterministic=True)
    return entry


def per_route(fault: FaultInput) -> fault_pb2.HTTPFault:
    """Return the faults of one route. A part without percentage concerns no request, as on istiod."""
    message = fault_pb2.HTTPFault()
    if fault.delay is not None:
        message.delay.fixed_delay.CopyFrom(emit_duration(fault.delay.duration))
        if fault.delay.percentage is not None:
            message.delay.percentage.CopyFrom(emit_fraction(fault.delay.percentage))
    if fault.abort is not None:
        if fault.abort.http_status is not None:
            message.abort.http_status = fault.abort.http_status
        elif fault.abort.grpc_status is not None:
            message.abort.grpc_status = fault.abort.grpc_status
        if fault.abort.percentage is not None:
            message.abort.percentage.CopyFrom(emit_fraction(fault.abort.percentage))
    return message
