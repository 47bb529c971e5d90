"""What the connection manager does to a request."""

from __future__ import annotations

import pytest

from meshctl_operator.simulation.connection_managers import receive, split_port
from meshctl_operator.simulation.requests import Connection, HttpVersion, Request
from meshctl_operator.simulation.traces import Answered, Answerer, Redirected
from tests.support.simulations import manager

PLAIN, OVER_TLS = Connection("10.0.0.1", 80), Connection("10.0.0.1", 443, tls=True)
REFUSED = Answered(400, Answerer.CONNECTION_MANAGER)


def test_scheme_of_the_edge() -> None:
    """At the edge the connection decides about x-forwarded-proto and the scheme, whatever the client says."""
    request = Request("a", headers=(("X-Forwarded-Proto", "https"), ("x-envoy-decorator-operation", "x")))
    headers, _, _ = receive(manager(use_remote_address=True), PLAIN, request)
    assert (headers.get(":scheme"), headers.get("x-forwarded-proto")) == ("http", "http")
    assert headers.get("x-forwarded-for") == "127.0.0.1"
    assert headers.get("x-envoy-decorator-operation") is None


def test_scheme_inside() -> None:
    """Inside the mesh x-forwarded-proto is believed where it is one of the two; the connection decides otherwise."""
    for said, scheme in (("https", "https"), ("gopher", "http"), (None, "http")):
        request = Request("a", headers=() if said is None else (("x-forwarded-proto", said),))
        assert receive(manager(), PLAIN, request)[0].get(":scheme") == scheme
    assert receive(manager(), OVER_TLS, Request("a"))[0].get(":scheme") == "https"
    assert receive(manager(), PLAIN, Request("a", scheme="HTTPS"))[0].get(":scheme") == "https"


def test_internal_headers_are_dropped() -> None:
    """Headers by which Envoys talk to each other are not believed."""
    request = Request("a", headers=(("x-envoy-retry-on", "5xx"), ("x-request-id", "mine")))
    headers, _, _ = receive(manager(), PLAIN, request)
    assert headers.get("x-envoy-retry-on") is None
    assert headers.get("x-request-id") == "mine"
    assert receive(manager(use_remote_address=True), PLAIN, request)[0].get("x-request-id") != "mine"


@pytest.mark.parametrize(
    ("fields", "path", "result"),
    [
        ({"normalize_path": True}, "/a/../b?x", "/b?x"),
        ({}, "/a/../b", "/a/../b"),
        ({"merge_slashes": True}, "//a", "/a"),
        ({"path_with_escaped_slashes_action": "UNESCAPE_AND_FORWARD", "normalize_path": True}, "/a%2f..%2Fb", "/b"),
        ({"path_with_escaped_slashes_action": "KEEP_UNCHANGED"}, "/a%2fb", "/a%2fb"),
    ],
)
def test_paths(fields: dict[str, object], path: str, result: str) -> None:
    """Slashes are unescaped, then the path is normalised, then slashes are merged, as far as the listener says so."""
    headers, answer, _ = receive(manager(**fields), PLAIN, Request("a", path))
    assert answer is None
    assert headers.get(":path") == result


def test_refusals() -> None:
    """Without host, with an unknown method, a fragment or a path that cannot be normalised a request gets 400."""
    assert receive(manager(), PLAIN, Request("a", method="A"))[1] == REFUSED
    assert receive(manager(), PLAIN, Request("a", method="A", version=HttpVersion.HTTP2))[1] is None
    assert receive(manager(), PLAIN, Request(""))[1] == REFUSED
    assert receive(manager(), PLAIN, Request("a", "/#x"))[1] == REFUSED
    assert receive(manager(normalize_path=True), PLAIN, Request("a", "*"))[1] == REFUSED
    assert receive(manager(path_with_escaped_slashes_action="REJECT_REQUEST"), PLAIN, Request("a", "/%2f"))[1] == REFUSED
    sent = receive(manager(path_with_escaped_slashes_action="UNESCAPE_AND_REDIRECT"), PLAIN, Request("a", "/%2f"))[1]
    assert sent == Redirected(307, "//")


def test_hosts() -> None:
    """A port is what follows the last colon outside brackets; it and a last dot go where the listener says so."""
    assert split_port("a:80") == ("a", ":80")
    assert split_port("[::1]") == ("[::1]", "")
    assert split_port("[::1]:80") == ("[::1]", ":80")
    stripping = manager(strip_any_host_port=True, strip_trailing_host_dot=True)
    assert receive(stripping, PLAIN, Request("a.com.:80"))[0].get("host") == "a.com"
    assert receive(manager(), PLAIN, Request("a.com.:80"))[0].get("host") == "a.com.:80"
