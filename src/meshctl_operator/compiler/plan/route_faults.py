"""Fault injection and the percentages that faults and mirrors share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from meshctl_operator.apis.networking.common import Percent
from meshctl_operator.apis.networking.virtual_service import FaultAbort, FaultDelay, HttpFaultInjection
from meshctl_operator.apis.validation.http_actions import GRPC_STATUS
from meshctl_operator.base.diagnostics import Diagnostic
from meshctl_operator.compiler import codes
from meshctl_operator.compiler.inputs.routes import Denominator, FaultAbortInput, FaultDelayInput, FaultInput, FractionInput
from meshctl_operator.model.virtual_services import Place

_PARTS_PER_PERCENT: Final = 10_000  # a millionth is the finest share that Envoy knows
_ALL: Final = 100
MIN_STATUS, MAX_STATUS = 200, 599  # what Envoy answers by itself: faults and direct responses


def plan_percentage(percentage: Percent) -> FractionInput:
    """Return the share in millionths, rounded down as istiod does, held between none and all."""
    return FractionInput(max(0, min(int(percentage.value * _PARTS_PER_PERCENT), _ALL * _PARTS_PER_PERCENT)), Denominator.MILLION)


def plan_fault(fault: HttpFaultInjection | None, place: Place, report: Callable[[Diagnostic], None]) -> FaultInput | None:
    """Return the faults of a rule, None where nothing usable is left. What Envoy would refuse is reported and left out."""
    if fault is None:
        return None
    delay = _delay(fault.delay, place.at(".delay"), report) if fault.delay is not None else None
    abort = _abort(fault.abort, place.at(".abort"), report) if fault.abort is not None else None
    return FaultInput(delay, abort) if delay or abort else None


def _delay(delay: FaultDelay, place: Place, report: Callable[[Diagnostic], None]) -> FaultDelayInput | None:
    if delay.exponential_delay is not None:
        message = f"exponential delay {delay.exponential_delay} is not supported; the delay is left out"
        report(codes.UNUSABLE_PART.error(place.subject, f"{place.path}.exponentialDelay", message, hint="use fixedDelay"))
        return None
    if delay.fixed_delay is None:
        return None  # admission has said so
    if delay.fixed_delay.nanos <= 0:
        message = f"{delay.fixed_delay} is no positive duration; the delay is left out"
        report(codes.UNUSABLE_PART.error(place.subject, f"{place.path}.fixedDelay", message))
        return None
    if delay.percentage is not None:
        return FaultDelayInput(delay.fixed_delay, plan_percentage(delay.percentage))
    return FaultDelayInput(delay.fixed_delay, FractionInput(max(0, min(delay.percent, _ALL))))


def _abort(abort: FaultAbort, place: Place, report: Callable[[Diagnostic], None]) -> FaultAbortInput | None:
    percentage = plan_percentage(abort.percentage) if abort.percentage is not None else None
    if abort.http_status is not None:
        if not MIN_STATUS <= abort.http_status <= MAX_STATUS:
            message = f"{abort.http_status} is no status from {MIN_STATUS} to {MAX_STATUS}; the abort is left out"
            report(codes.UNUSABLE_PART.error(place.subject, f"{place.path}.httpStatus", message))
            return None
        found = FaultAbortInput(http_status=abort.http_status, percentage=percentage)
    elif abort.grpc_status is not None:
        number = GRPC_STATUS.get(abort.grpc_status)
        if number is None:
            message = f"{abort.grpc_status!r} is no gRPC status; the abort is left out"
            report(codes.UNUSABLE_PART.error(place.subject, f"{place.path}.grpcStatus", message, hint='such as "UNAVAILABLE"'))
            return None
        found = FaultAbortInput(grpc_status=number, percentage=percentage)
    else:
        return None
    return found
