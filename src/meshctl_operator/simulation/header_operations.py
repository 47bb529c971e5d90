"""Header operations of routes, weighted clusters, virtual hosts and route configurations (Envoy ``HeaderParser``)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias

from envoy.config.core.v3 import base_pb2

from meshctl_operator.simulation.headers import Headers
from meshctl_operator.simulation.traces import HeaderChange

_Options: TypeAlias = Iterable[base_pb2.HeaderValueOption]
_OPERATOR: Final = re.compile(r"%%|%([A-Z_0-9]+)(?:\((.*?)\))?(?::(\d+))?%")


def request_change(options: _Options, removed: Sequence[str], headers: Headers) -> HeaderChange:
    """Return what one level does to the headers of a request; values see the headers as they are before."""
    return _change(options, removed, headers, headers.without(*removed))


def response_change(options: _Options, removed: Sequence[str], request: Headers) -> HeaderChange:
    """Return what one level does to the headers of a response, as far as that can be told without it."""
    return _change(options, removed, request, Headers())


def joined(changes: Iterable[HeaderChange]) -> HeaderChange:
    """Return one change for several that follow each other and do not undo one another."""
    listed = tuple(changes)
    return HeaderChange(
        tuple(name for change in listed for name in change.removed),
        tuple(pair for change in listed for pair in change.overwritten),
        tuple(pair for change in listed for pair in change.added),
    )


def _change(options: _Options, removed: Sequence[str], context: Headers, there: Headers) -> HeaderChange:
    overwritten: list[tuple[str, str]] = []
    added: list[tuple[str, str]] = []
    for option in options:
        name, value = option.header.key.lower(), _formatted(option.header.value, context)
        if not value and not option.keep_empty_value:
            continue
        appends = option.append.value if option.HasField("append") else option.append_action == option.APPEND_IF_EXISTS_OR_ADD
        if appends:
            added.append((name, value))
        elif option.append_action == option.ADD_IF_ABSENT:
            if there.get(name) is None:
                added.append((name, value))
        elif option.append_action != option.OVERWRITE_IF_EXISTS or there.get(name) is not None:
            overwritten.append((name, value))
    return HeaderChange(tuple(name.lower() for name in removed), tuple(overwritten), tuple(added))


def _formatted(text: str, headers: Headers) -> str:
    """Return a value with its ``%REQ(...)%`` filled in; operators that depend on more than the request stay as they are written."""

    def filled(found: re.Match[str]) -> str:
        if found[0] == "%%":
            return "%"
        if found[1] not in {"REQ", "REQUEST_HEADER"} or found[2] is None:
            return found[0]
        names = found[2].split("?")
        value = next((value for name in names if (value := headers.get(name)) is not None), "")
        return value[: int(found[3])] if found[3] else value

    return _OPERATOR.sub(filled, text)
