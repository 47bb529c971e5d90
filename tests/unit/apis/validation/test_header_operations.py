"""Rules of header operations."""

from __future__ import annotations

import pytest

from meshctl_operator.apis.validation.header_operations import value_problem
from tests.support.documents import errors_of


def operating(headers: str) -> str:
    """Return the spec of a VirtualService with these header operations."""
    return f"{{hosts: [a], http: [{{headers: {headers}, route: [{{destination: {{host: a}}}}]}}]}}"


ACCEPTED = {
    "all operations": "{request: {set: {a: b}, add: {c: d}, remove: [e]}, response: {set: {a: b}, remove: [server]}}",
    "host": "{request: {set: {Host: a.com}}}",
    "authority": "{request: {add: {':authority': a.com}}}",
    "operator": "{request: {set: {x-id: '%REQ(x-request-id)%'}}}",
}
REJECTED = {
    "host in a response": ("{response: {set: {host: a}}}", ".response.set.host"),
    "host removed": ("{request: {remove: [Host]}}", ".request.remove[0]"),
    "pseudo header": ("{request: {set: {':path': /}}}", '.request.set[":path"]'),
    "pseudo header removed": ("{response: {remove: [':status']}}", ".response.remove[0]"),
    "empty name": ("{request: {remove: ['']}}", ".request.remove[0]"),
    "bad name": ("{request: {add: {'a b': c}}}", '.request.add["a b"]'),
    "percent sign": ("{request: {add: {a: 50%}}}", ".request.add.a"),
    "unknown operator": ("{response: {add: {a: '%FOO%'}}}", ".response.add.a"),
    "authority twice": ("{request: {set: {host: a}, add: {':authority': b}}}", None),
}

GOOD_VALUES = (
    "",
    "plain",
    "tab\there",
    "100%%",
    "%%REQ",
    "%PROTOCOL%",
    "%REQ(X?Y)%",
    "%REQ(:path)%",
    "%REQ(x):10%",
    "%START_TIME%",
    "%START_TIME(%s.%3f)%",
    '%DYNAMIC_METADATA(["a", "b"])%',
    "%UPSTREAM_METADATA(a:b)%",
    "a %DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% b %RESPONSE_CODE%",
)
BAD_VALUES = (
    "100%",
    "%",
    "%req(x)%",
    "%REQ(x%",
    "%FOO%",
    "%REQ%",
    "%REQ()%",
    "%REQ(a b)%",
    "%REQ(x):ab%",
    "%PROTOCOL(x)%",
    "%PROTOCOL:3%",
    "line\nbreak",
    "nul\x00",
)


@pytest.mark.parametrize("headers", ACCEPTED.values(), ids=ACCEPTED)
def test_accepted(headers: str) -> None:
    """What Istio's admission accepts, we accept."""
    assert errors_of("VirtualService", operating(headers)) == []


@pytest.mark.parametrize(("headers", "path"), REJECTED.values(), ids=REJECTED)
def test_rejected(headers: str, path: str | None) -> None:
    """Each mistake gives one error, at the entry that is wrong, or at the rule when two entries contradict each other."""
    assert errors_of("VirtualService", operating(headers)) == [("MC1208", f"spec.http[0].headers{path}" if path else "spec.http[0]")]


@pytest.mark.parametrize("value", GOOD_VALUES)
def test_values_that_envoy_takes(value: str) -> None:
    """Values that a real Envoy 1.40 accepted pass."""
    assert value_problem(value) is None


@pytest.mark.parametrize("value", BAD_VALUES)
def test_values_that_envoy_refuses(value: str) -> None:
    """Values for which a real Envoy 1.40 refused the whole route configuration are refused one by one."""
    assert value_problem(value) is not None


def test_misspelt_operator_gets_a_hint() -> None:
    """An operator that is nearly right is corrected."""
    problem = value_problem("%PROTOCL%")
    assert problem is not None
    assert problem[1] == 'did you mean "PROTOCOL"?'


def test_destination_headers_are_checked() -> None:
    """Operations of one destination follow the same rules."""
    spec = "{hosts: [a], http: [{route: [{destination: {host: a}, headers: {response: {set: {host: b}}}}]}]}"
    assert errors_of("VirtualService", spec) == [("MC1208", "spec.http[0].route[0].headers.response.set.host")]
