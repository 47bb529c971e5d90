"""Format strings in header values (``%REQ(x-id)%``): one that a proxy does not know would cost its whole route configuration.

The table of operators is that of admission, which follows the newest Envoy. Here those are held back that the oldest supported one does
not know, and arguments are checked as far as Envoy checks them when it loads a route.
"""

from __future__ import annotations

import re
from typing import Final

from meshctl_operator.apis.validation.envoy_operators import (
    COMMAND_OPERATORS,
    LENGTH_OPERATORS,
    PLAIN_OPERATORS,
    REQUIRED_OPERATORS,
)
from meshctl_operator.compiler.plan.route_texts import plain_text_problem

NEWER_OPERATORS: Final = frozenset(
    {
        "DOWNSTREAM_DETECTED_CLOSE_TYPE",
        "DOWNSTREAM_LOCAL_CLOSE_REASON",
        "QUERY_PARAMS",
        "SPAN_ID",
        "UPSTREAM_CONNECTION_IDS_ATTEMPTED",
        "UPSTREAM_DETECTED_CLOSE_TYPE",
        "UPSTREAM_HOSTS_ATTEMPTED",
        "UPSTREAM_HOSTS_ATTEMPTED_WITHOUT_PORT",
        "UPSTREAM_HOST_NAMES_ATTEMPTED",
        "UPSTREAM_HOST_NAMES_ATTEMPTED_WITHOUT_PORT",
        "UPSTREAM_LOCAL_CLOSE_REASON",
        "UPSTREAM_SERVER_NAME",
    }
)
"""Operators that Envoy learned after the oldest supported version (1.37)."""

EXPRESSION_OPERATORS: Final = frozenset({"CEL", "COALESCE", "COMMON_DURATION", "TYPED_CEL"})
"""Operators with a language of their own in the argument, which only Envoy can judge."""

_OPERATOR: Final = re.compile(r"%([A-Z_0-9]+)(?:\((\[[^%]*?\]|[^)]*)\))?(?::(\d+))?%")
_HEADER: Final = r"(:?[A-Za-z0-9_.\-]+)?(\?:?[A-Za-z0-9_.\-]*)?"
_STATE: Final = r"[^:]+(:(PLAIN|TYPED|FIELD:[^:]+)?)?"
_ARGUMENTS: Final = {
    name: re.compile(form)
    for name, form in {
        "FILTER_STATE": _STATE,
        "METADATA": r"(DYNAMIC|CLUSTER|ROUTE|UPSTREAM_HOST|LISTENER|VIRTUAL_HOST)(:.*)?",
        "PATH": r"(WQ|NQ)(:(ORIG|PATH|ORIG_OR_PATH))?",
        "PER_REQUEST_STATE": r"[^:]+",
        "REQ": _HEADER,
        "RESP": _HEADER,
        "TRAILER": _HEADER,
        "UPSTREAM_FILTER_STATE": _STATE,
    }.items()
}
"""Operators whose argument must have a form."""


def format_problem(text: str) -> str | None:
    """Return why Envoy would refuse a header value with ``%OPERATOR%``s in it. ``%%`` stands for a percent sign."""
    if problem := plain_text_problem(text):
        return problem
    position = 0
    while (position := text.find("%", position)) >= 0:
        if text.startswith("%%", position):
            position += 2
            continue
        operator = _OPERATOR.match(text, position)
        if operator is None:
            return f"has a % that starts no operator at position {position} (write %% for a percent sign)"
        if problem := _operator_problem(operator[1], operator[2], operator[3]):
            return problem
        position = operator.end()
    return None


def _operator_problem(name: str, argument: str | None, length: str | None) -> str | None:
    if name not in COMMAND_OPERATORS or name in NEWER_OPERATORS | EXPRESSION_OPERATORS:
        return f"has %{name}%, which is no operator that every supported Envoy knows"
    if length is not None and name not in LENGTH_OPERATORS:
        return f"gives a length to %{name}%, which takes none"
    if not argument:
        return f"gives no argument to %{name}(...)%" if name in REQUIRED_OPERATORS else None
    if name in PLAIN_OPERATORS or name.endswith("_WITHOUT_PORT"):  # those without port take one only since Envoy 1.38
        return f"gives an argument to %{name}%, which takes none"
    form = _ARGUMENTS.get(name)
    return f"gives the unusable argument {argument!r} to %{name}(...)%" if form is not None and not form.fullmatch(argument) else None
