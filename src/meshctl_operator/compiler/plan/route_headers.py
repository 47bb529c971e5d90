"""Header operations of routes and destinations, and the authority that they may replace."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from meshctl_operator.apis.networking.virtual_service import HeaderOperations, Headers
from meshctl_operator.base.diagnostics import Diagnostic
from meshctl_operator.compiler import codes
from meshctl_operator.compiler.inputs.routes import NO_HEADER_OPERATIONS, HeaderOperationsInput, HeaderValueInput
from meshctl_operator.compiler.plan.route_formats import format_problem
from meshctl_operator.compiler.plan.route_texts import header_name_problem, plain_text_problem
from meshctl_operator.model.virtual_services import Place


@dataclass(frozen=True, slots=True)
class HeaderPlan:
    """Header operations, with the authority that a request gets (empty: it keeps its own)."""

    operations: HeaderOperationsInput = NO_HEADER_OPERATIONS
    authority: str = ""


def plan_headers(headers: Headers | None, place: Place, report: Callable[[Diagnostic], None]) -> HeaderPlan:
    """Return the operations: all ``set`` sorted by name, then all ``add`` sorted by name, then removals.

    ``Host`` and ``:authority`` in request operations become the authority. An operation that Envoy would refuse is reported and left out.
    """
    if headers is None:
        return HeaderPlan()
    request, response = headers.request or HeaderOperations(), headers.response or HeaderOperations()
    at_request, at_response = place.at(".request"), place.at(".response")
    return HeaderPlan(
        HeaderOperationsInput(
            request_add=_values(request.set, at_request.at(".set"), report, append=False, authority=True)
            + _values(request.add, at_request.at(".add"), report, append=True, authority=True),
            request_remove=_names(request.remove, at_request, report),
            response_add=_values(response.set, at_response.at(".set"), report, append=False, authority=False)
            + _values(response.add, at_response.at(".add"), report, append=True, authority=False),
            response_remove=_names(response.remove, at_response, report),
        ),
        _authority(request, at_request, report),
    )


def _is_authority(name: str) -> bool:
    return name.lower() in {"host", ":authority"}


def _authority(request: HeaderOperations, place: Place, report: Callable[[Diagnostic], None]) -> str:
    for values, shown in ((request.set, "set"), (request.add, "add")):
        for name, value in sorted(values.items()):
            if not _is_authority(name):
                continue
            if problem := plain_text_problem(value):
                report(_left_out(place.at(f".{shown}").key(name), f"{value[:80]!r} {problem}"))
            else:
                return value
    return ""


def _values(
    values: Mapping[str, str], place: Place, report: Callable[[Diagnostic], None], *, append: bool, authority: bool
) -> tuple[HeaderValueInput, ...]:
    found = []
    for name, value in sorted(values.items()):
        if _is_authority(name) and authority:
            continue
        at = place.key(name)
        if problem := _name_problem(name):
            report(_left_out(at, f"{name!r} {problem}"))
        elif problem := format_problem(value):
            report(_left_out(at, f"{value[:80]!r} {problem}"))
        else:
            found.append(HeaderValueInput(name, value, append))
    return tuple(found)


def _names(names: tuple[str, ...], place: Place, report: Callable[[Diagnostic], None]) -> tuple[str, ...]:
    found = []
    for index, name in enumerate(names):
        if problem := _name_problem(name):
            report(_left_out(place.at(f".remove[{index}]"), f"{name!r} {problem}"))
        else:
            found.append(name)
    return tuple(found)


def _name_problem(name: str) -> str | None:
    return "cannot be changed here" if name.lower() == "host" else header_name_problem(name, pseudo=False)


def _left_out(place: Place, message: str) -> Diagnostic:
    return codes.UNUSABLE_PART.error(place.subject, place.path, f"{message}; the operation is left out")
