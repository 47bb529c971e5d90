"""Tests of ingress listeners."""

from __future__ import annotations

import pytest

from meshctl_operator.apis.kinds import Kind
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.model.ingress_listeners import Ingress, ingress_listeners
from meshctl_operator.model.protocols import Protocol
from meshctl_operator.model.proxies import InterceptionMode
from meshctl_operator.model.views import InboundView
from tests.support.mesh_text import TextMesh

KEY = ObjectKey(Kind.SIDECAR, "default", "sc")


def ingress(
    fields: str, ips: tuple[str, ...] = ("10.1.0.1",), interception: InterceptionMode = InterceptionMode.REDIRECT, rest: str = ""
) -> tuple[Ingress, ...]:
    """Return the ingress listeners of a Sidecar."""
    spec = f"{{ingress: [{{port: {{number: 9080, protocol: HTTP, name: a}}, {fields}}}]{rest}}}"
    text = f"apiVersion: networking.istio.io/v1\nkind: Sidecar\nmetadata: {{name: sc, namespace: default}}\nspec: {spec}\n"
    return TextMesh(text).evaluate(ingress_listeners, InboundView("default", "w", (), ips, KEY, interception))


def test_none_without_a_sidecar() -> None:
    """Without a Sidecar, or one that says nothing of it, services say what a workload is reached by."""
    assert TextMesh("").evaluate(ingress_listeners, InboundView("default", "w", (), ())) == ()
    assert TextMesh("").evaluate(ingress_listeners, InboundView("default", "w", (), (), KEY)) == ()


@pytest.mark.parametrize(
    ("endpoint", "ips", "expected"),
    [
        ("", ("10.1.0.1",), ("", 0)),
        ("127.0.0.1:8080", ("10.1.0.1",), ("127.0.0.1", 8080)),
        ("127.0.0.1:8080", ("2001::1",), ("::1", 8080)),
        ("[::1]:8080", ("10.1.0.1",), ("127.0.0.1", 8080)),
        (":8080", ("10.1.0.1",), ("127.0.0.1", 8080)),
        ("0.0.0.0:8080", ("2001::1", "10.1.0.1"), ("10.1.0.1", 8080)),
        ("0.0.0.0:8080", ("2001::1",), ("::1", 8080)),
        ("[::]:8080", ("10.1.0.1", "2001::1"), ("2001::1", 8080)),
        ("unix:///run/x", ("10.1.0.1",), ("unix:///run/x", 0)),
        ("nonsense", ("10.1.0.1",), ("", 0)),
    ],
)
def test_default_endpoint(endpoint: str, ips: tuple[str, ...], expected: tuple[str, int]) -> None:
    """An endpoint is on the proxy's machine, of a family that the proxy has; none is the original destination."""
    (found,) = ingress(f'defaultEndpoint: "{endpoint}"', ips)
    assert (found.endpoint, found.endpoint_port) == expected


def test_which_are_bound() -> None:
    """What is not captured is bound."""
    assert [found.bound for found in ingress("bind: 10.0.0.9")] == [False]
    assert [(found.bound, found.address) for found in ingress("bind: 10.0.0.9, captureMode: NONE")] == [(True, "10.0.0.9")]
    assert [found.bound for found in ingress("bind: 10.0.0.9", interception=InterceptionMode.NONE)] == [True]


def test_the_pool_of_the_listener_comes_before_that_of_the_sidecar() -> None:
    """One pool holds as a whole."""
    rest = ", inboundConnectionPool: {tcp: {maxConnections: 2}}"
    (own,) = ingress("connectionPool: {http: {maxRetries: 1}}", rest=rest)
    (shared,) = ingress("bind: ''", rest=rest)
    assert own.pool is not None
    assert own.pool.tcp is None
    assert shared.pool is not None
    assert shared.pool.tcp is not None
    assert (own.protocol, own.sidecar) == (Protocol.HTTP, KEY)
