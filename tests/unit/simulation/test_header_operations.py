"""Header operations."""

from __future__ import annotations

from typing import Any

from envoy.config.core.v3 import base_pb2
from google.protobuf import json_format

from meshctl_operator.simulation.header_operations import joined, request_change, response_change
from meshctl_operator.simulation.headers import Headers
from meshctl_operator.simulation.traces import HeaderChange

REQUEST = Headers.of(((":path", "/a"), ("x", "1"), ("y", "abc")))


def option(name: str, value: str, action: str = "OVERWRITE_IF_EXISTS_OR_ADD", **fields: Any) -> Any:
    """Return one operation."""
    return json_format.ParseDict({"header": {"key": name, "value": value}, "append_action": action, **fields}, base_pb2.HeaderValueOption())


def test_each_action() -> None:
    """Whether a header is added or overwritten may depend on whether it is there after removals."""
    operations = [
        option("x", "2", "APPEND_IF_EXISTS_OR_ADD"),
        option("X", "3", "ADD_IF_ABSENT"),
        option("y", "4", "ADD_IF_ABSENT"),
        option("y", "5", "OVERWRITE_IF_EXISTS"),
        option("x", "6", "OVERWRITE_IF_EXISTS"),
        option("z", "7"),
    ]
    change = request_change(operations, ["Y"], REQUEST)
    assert change == HeaderChange(("y",), (("x", "6"), ("z", "7")), (("x", "2"), ("y", "4")))
    assert change.applied(REQUEST).entries == ((":path", "/a"), ("x", "6"), ("z", "7"), ("x", "2"), ("y", "4"))


def test_values_are_filled_in() -> None:
    """Operators for headers of the request are filled in, with an alternative and a length; others stay as they are."""
    texts = {
        "%REQ(:path)%": "/a",
        "%REQ(n?x)%-%REQ(y):2%": "1-ab",
        "100%%": "100%",
        "%PROTOCOL%": "%PROTOCOL%",
        "a%REQ(n)%b": "ab",
    }
    change = request_change([option(f"h{number}", text) for number, text in enumerate(texts)], (), REQUEST)
    assert [value for _, value in change.overwritten] == list(texts.values())


def test_empty_values_are_left_out() -> None:
    """A header whose value comes out empty is not set, unless it is to be kept."""
    assert request_change([option("h", "%REQ(n)%")], (), REQUEST) == HeaderChange()
    assert request_change([option("h", "", keep_empty_value=True)], (), REQUEST).overwritten == (("h", ""),)


def test_responses() -> None:
    """Values in responses see the request."""
    first = response_change([option("h", "%REQ(x)%")], ["server"], REQUEST)
    assert joined([first, response_change([option("i", "2", "APPEND_IF_EXISTS_OR_ADD")], (), REQUEST)]) == HeaderChange(
        ("server",), (("h", "1"),), (("i", "2"),)
    )
