"""Tests of egress listeners."""

from __future__ import annotations

import pytest

from meshctl_operator.apis.kinds import Kind
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.model.egress_listeners import CATCH_ALL, EgressListener, egress_listeners
from meshctl_operator.model.protocols import Protocol
from meshctl_operator.model.proxies import InterceptionMode
from tests.support.mesh_text import TextMesh

KEY = ObjectKey(Kind.SIDECAR, "default", "sc")


def listeners(egress: str, interception: InterceptionMode = InterceptionMode.REDIRECT) -> tuple[EgressListener, ...]:
    """Return the egress listeners of a Sidecar."""
    text = f"apiVersion: networking.istio.io/v1\nkind: Sidecar\nmetadata: {{name: sc, namespace: default}}\nspec: {{egress: {egress}}}\n"
    return TextMesh(text).evaluate(egress_listeners, KEY, interception, "127.0.0.1")


def test_without_a_sidecar() -> None:
    """There is one listener for everything; without interception it is bound to the proxy's own machine."""
    assert TextMesh("").evaluate(egress_listeners, None, InterceptionMode.TPROXY, "::1") == (CATCH_ALL,)
    assert TextMesh("").evaluate(egress_listeners, KEY, InterceptionMode.NONE, "::1") == (EgressListener(address="::1", bound=True),)


@pytest.mark.parametrize(
    ("egress", "expected", "route", "all_ports"),
    [
        ("[{hosts: ['*/*']}]", CATCH_ALL, "", False),
        ("[{hosts: ['*/*'], bind: 10.0.0.1}]", EgressListener(address="10.0.0.1"), "", False),
        ("[{hosts: ['*/*'], port: {number: 80, protocol: HTTP, name: a}}]", EgressListener(80, Protocol.HTTP), "80", False),
        (
            "[{hosts: ['*/*'], captureMode: NONE, port: {number: 80, protocol: HTTP, name: a}}]",
            EgressListener(80, Protocol.HTTP, "127.0.0.1", bound=True),
            "80",
            False,
        ),
        (
            "[{hosts: ['*/*'], port: {number: 3128, protocol: HTTP_PROXY, name: a}, bind: 127.0.0.2}]",
            EgressListener(3128, Protocol.HTTP_PROXY, "127.0.0.2"),
            "3128",
            True,
        ),
        (
            "[{hosts: ['*/*'], port: {number: 0, protocol: HTTP, name: a}, bind: 'unix:///x'}]",
            EgressListener(0, Protocol.HTTP, "unix:///x", bound=True),
            "unix:///x",
            True,
        ),
    ],
)
def test_listeners(egress: str, expected: EgressListener, route: str, all_ports: bool) -> None:  # noqa: FBT001  (the expectation)
    """Port, protocol, address and capture mode are as declared; a listener that is not captured is bound."""
    (found,) = listeners(egress)
    assert found == expected
    assert (found.route, found.serves_all_ports) == (route, all_ports)


def test_without_interception_all_are_bound() -> None:
    """Where nothing is captured, the capture mode of a listener does not matter."""
    assert all(found.bound and found.address == "127.0.0.1" for found in listeners("[{hosts: ['*/*']}]", InterceptionMode.NONE))
