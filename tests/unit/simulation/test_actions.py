"""What routes do."""

from __future__ import annotations

from typing import Any

import pytest

from meshctl_operator.base.durations import Duration
from meshctl_operator.simulation.actions import answer, draw_cluster, forward, read_mirrors, read_retry, redirect, redirect_to_tls
from meshctl_operator.simulation.headers import Headers
from meshctl_operator.simulation.traces import Answered, Answerer, Forwarded, Mirror, NotSimulated, Redirected, Retry, Share
from tests.support.simulations import proxy_config, route, route_configuration


def asked(path: str = "/a/b?q", host: str = "a.com:8080", *more: tuple[str, str]) -> Headers:
    """Return the headers of a request as routes see it."""
    return Headers.of(((":path", path), (":authority", host), (":scheme", "http"), ("x-forwarded-proto", "http"), *more))


def sent(action: dict[str, Any], headers: Headers, match: dict[str, Any] | None = None, draw: int = 0, **fields: Any) -> Forwarded:
    """Return the request that a route forwards."""
    config = route_configuration("r", {"name": "h", "domains": ["*"], "include_request_attempt_count": True})
    one = route(match=match or {"prefix": "/a"}, route=action, **fields)
    outcome, _ = forward(proxy_config(clusters=("c", "d")), (config, config.virtual_hosts[0], one), headers, draw)
    assert isinstance(outcome, Forwarded)
    return outcome


@pytest.mark.parametrize(
    ("match", "action", "path"),
    [
        ({"prefix": "/a"}, {}, "/a/b?q"),
        ({"prefix": "/a"}, {"prefix_rewrite": "/new"}, "/new/b?q"),
        ({"prefix": "/A", "case_sensitive": False}, {"prefix_rewrite": "/new"}, "/new/b?q"),
        ({"path": "/a/b"}, {"prefix_rewrite": "/new"}, "/new?q"),
        ({"safe_regex": {"regex": ".*"}}, {"prefix_rewrite": "/new"}, "/new?q"),
        ({"prefix": "/"}, {"regex_rewrite": {"pattern": {"regex": "^/(.*)/b"}, "substitution": r"/x/\1"}}, "/x/a?q"),
    ],
)
def test_paths(match: dict[str, Any], action: dict[str, Any], path: str) -> None:
    """A prefix rewrite replaces what the match compared; a regex rewrite works on the path without the query, which is kept."""
    outcome = sent({"cluster": "c", **action}, asked(), match)
    assert outcome.path == path
    assert outcome.headers.get("x-envoy-original-path") == (None if path == "/a/b?q" else "/a/b?q")


def test_hosts() -> None:
    """The host is replaced by a text or by a header, and handed on where that is wanted."""
    rewritten = sent({"cluster": "c", "host_rewrite_literal": "b.com"}, asked())
    assert (rewritten.authority, rewritten.headers.get("x-envoy-original-host")) == ("b.com", "a.com:8080")
    assert sent({"cluster": "c", "host_rewrite_header": "x"}, asked("/", "a", ("x", "c.com"))).authority == "c.com"
    kept = sent({"cluster": "c", "host_rewrite_literal": "b.com", "append_x_forwarded_host": True}, asked())
    assert kept.headers.get("x-forwarded-host") == "a.com:8080"


def test_levels_of_header_operations() -> None:
    """Operations of the weighted cluster come before those of the route, and both see the path before it is rewritten."""
    weighted = {
        "clusters": [
            {"name": "c", "weight": 1},
            {"name": "d", "weight": 3, "host_rewrite_literal": "d.com", "request_headers_to_add": [_overwrite("x", "cluster")]},
        ]
    }
    headers = [_overwrite("x", "route"), _overwrite("y", "%REQ(:path)%")]
    outcome = sent({"weighted_clusters": weighted, "prefix_rewrite": "/"}, asked(), draw=5, request_headers_to_add=headers)
    assert (outcome.cluster, outcome.authority) == ("d", "d.com")
    assert (outcome.headers.get("x"), outcome.headers.get("y")) == ("route", "/a/b?q")
    assert outcome.headers.get("x-envoy-attempt-count") == "1"


def test_draws() -> None:
    """A draw is taken modulo the sum of the weights."""
    clusters = [{"name": "c", "weight": 1}, {"name": "d", "weight": 3}]
    action = route(match={"prefix": "/"}, route={"weighted_clusters": {"clusters": clusters}}).route
    assert [draw_cluster(action, draw).name for draw in range(6)] == ["c", "d", "d", "d", "c", "d"]


def test_unknown_clusters() -> None:
    """Whether a cluster is known is told."""
    assert sent({"cluster": "c"}, asked()).known
    assert not sent({"cluster_header": "x"}, asked("/", "a", ("x", "nope"))).known


def test_what_is_not_simulated_is_said() -> None:
    """A cluster that an extension chooses is not simulated."""
    config = route_configuration("r", {"name": "h", "domains": ["*"]})
    one = route(match={"prefix": "/"}, route={"cluster_specifier_plugin": "x"})
    outcome, _ = forward(proxy_config(), (config, config.virtual_hosts[0], one), asked(), 0)
    assert outcome == NotSimulated("cluster_specifier_plugin")


@pytest.mark.parametrize(
    ("action", "host", "status", "location"),
    [
        ({"path_redirect": "/x"}, "a.com", 301, "http://a.com/x?q"),
        ({"path_redirect": "/x?y"}, "a.com", 301, "http://a.com/x?y"),
        ({"path_redirect": "/x", "strip_query": True}, "a.com", 301, "http://a.com/x"),
        ({"path_redirect": "", "host_redirect": "b.com", "response_code": "FOUND"}, "a.com:8080", 302, "http://b.com/a/b?q"),
        ({"scheme_redirect": "https"}, "a.com:8080", 301, "https://a.com:8080/a/b?q"),
        ({"scheme_redirect": "https"}, "a.com:80", 301, "https://a.com/a/b?q"),
        ({"https_redirect": True}, "a.com", 301, "https://a.com/a/b?q"),
        ({"port_redirect": 81}, "a.com:8080", 301, "http://a.com:81/a/b?q"),
        ({"prefix_rewrite": "/x"}, "a.com", 301, "http://a.com/x/b?q"),
    ],
)
def test_redirects(action: dict[str, Any], host: str, status: int, location: str) -> None:
    """What a redirect does not name is taken from the request; default ports go with their scheme."""
    assert redirect(route(match={"prefix": "/a"}, redirect=action), asked(host=host)) == Redirected(status, location)


def test_tls_redirect() -> None:
    """A virtual host that wants TLS sends the client to the same place with https."""
    assert redirect_to_tls(asked()) == Redirected(301, "https://a.com:8080/a/b?q")


def test_direct_responses() -> None:
    """A direct response has a status and perhaps a body."""
    assert answer(route(direct_response={"status": 200, "body": {"inline_string": "é"}})) == Answered(
        200, Answerer.DIRECT_RESPONSE, "é".encode()
    )
    assert answer(route(direct_response={"status": 204})).body == b""


def test_facts() -> None:
    """Retries and mirrors are told as the route has them."""
    action = route(
        route={
            "retry_policy": {"retry_on": "5xx", "num_retries": 3, "per_try_timeout": "1s"},
            "request_mirror_policies": [{"cluster": "m", "runtime_fraction": {"default_value": {"numerator": 5}}}, {"cluster": "n"}],
        }
    ).route
    assert read_retry(action) == Retry(3, "5xx", per_try_timeout=Duration.of(seconds=1))
    assert read_mirrors(proxy_config(clusters=("m",)), action) == (Mirror("m", Share(5, 100)), Mirror("n", Share(100, 100), known=False))
    assert read_retry(route().route) is None


def _overwrite(name: str, value: str) -> dict[str, Any]:
    return {"header": {"key": name, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
