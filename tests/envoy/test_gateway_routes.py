"""What the rules of a VirtualService do to requests, by real requests through a real gateway."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import pytest
import pytest_asyncio

from tests.support.envoy_versions import BINARIES
from tests.support.real_gateway import ECHO, Answer, RealGateway, free_ports, gateway_yaml, real_gateway, routes_yaml

pytestmark = [pytest.mark.envoy, pytest.mark.asyncio(loop_scope="module")]

TO = {"route": [{"destination": {"host": ECHO}}]}


def to(said: str) -> dict[str, Any]:
    """Return an answer of the gateway itself, which tells the rule that was chosen."""
    return {"directResponse": {"status": 200, "body": {"string": said}}}


def claim(said: str, **blocks: Any) -> dict[str, Any]:
    """Return a rule with one match block."""
    return {"name": said, "match": [blocks], **to(said)}


MATCHES = [
    claim("exact", uri={"exact": "/exact"}),
    claim("prefix", uri={"prefix": "/prefix"}),
    claim("regex", uri={"regex": "/r[0-9]+"}),
    claim("any case", uri={"exact": "/CASE"}, ignoreUriCase=True),
    claim("method", uri={"exact": "/m"}, method={"exact": "PUT"}),
    claim("authority", uri={"exact": "/a"}, authority={"prefix": "special."}),
    claim("scheme", uri={"exact": "/s"}, scheme={"exact": "https"}),
    claim("header", uri={"exact": "/h"}, headers={"X-Kind": {"regex": "a|b"}}),
    claim("header there", uri={"exact": "/h"}, headers={"x-there": {}}),
    claim("no header", uri={"exact": "/w"}, withoutHeaders={"x-kind": {"exact": "a"}}),
    claim("no header at all", uri={"exact": "/w2"}, withoutHeaders={"x-kind": {}}),
    claim("query", uri={"exact": "/q"}, queryParams={"k": {"prefix": "v"}}),
    claim("query there", uri={"exact": "/q"}, queryParams={"there": {}}),
    claim("claim", uri={"exact": "/c"}, headers={"@request.auth.claims.group": {"exact": "admin"}}),
    claim("no claim", uri={"exact": "/c"}, withoutHeaders={"@request.auth.claims.group": {"exact": "admin"}}),
    claim("other port", uri={"exact": "/port"}, port=1),
    {"name": "either", "match": [{"uri": {"exact": "/e1"}}, {"uri": {"exact": "/e2"}}], **to("either")},
]
ACTIONS = [
    {"match": [{"uri": {"prefix": "/rewrite/"}}], "rewrite": {"uri": "/new/", "authority": "inside"}, **TO},
    {
        "match": [{"uri": {"regex": "/v[0-9]+/.*"}}],
        "rewrite": {"uriRegexRewrite": {"match": "^/v([0-9]+)/(.*)$", "rewrite": "/\\2/\\1"}},
        **TO,
    },
    {
        "match": [{"uri": {"prefix": "/headers"}}],
        "headers": {
            "request": {"set": {"x-set": "new", "host": "host.internal"}, "add": {"x-add": "%PROTOCOL%"}, "remove": ["x-gone"]},
            "response": {"set": {"x-back": "yes"}, "remove": ["x-backend"]},
        },
        **TO,
    },
    {"match": [{"uri": {"prefix": "/moved"}}], "redirect": {"uri": "/there", "authority": "b.com", "scheme": "https", "redirectCode": 308}},
    {"match": [{"uri": {"prefix": "/from/"}}], "redirect": {"prefixRewrite": "/to/", "redirectCode": 302}},
    {"match": [{"uri": {"prefix": "/port"}}], "redirect": {"port": 8443}},
    {"match": [{"uri": {"prefix": "/bytes"}}], "directResponse": {"status": 418, "body": {"bytes": "AAEC"}}},
    {"match": [{"uri": {"prefix": "/fail"}}], "retries": {"attempts": 3, "retryOn": "503", "backoff": "1ms"}, **TO},
    {"match": [{"uri": {"prefix": "/never"}}], "timeout": "100ms", **TO},
    {"match": [{"uri": {"prefix": "/abort"}}], "fault": {"abort": {"httpStatus": 501, "percentage": {"value": 100}}}, **TO},
    {"match": [{"uri": {"prefix": "/grpc"}}], "fault": {"abort": {"grpcStatus": "UNAVAILABLE", "percentage": {"value": 100}}}, **TO},
    {"match": [{"uri": {"prefix": "/sound"}}], "fault": {"abort": {"httpStatus": 501, "percentage": {"value": 0}}}, **TO},
    {"match": [{"uri": {"prefix": "/copy"}}], "mirrors": [{"destination": {"host": ECHO}}], **TO},
    {
        "match": [{"uri": {"prefix": "/cors"}}],
        "corsPolicy": {"allowOrigins": [{"exact": "https://b.com"}], "allowMethods": ["GET", "PUT"], "maxAge": "60s"},
        **TO,
    },
    {
        "match": [{"uri": {"prefix": "/weights"}}],
        "route": [{"destination": {"host": ECHO}, "weight": 1}, {"destination": {"host": "nowhere.example.com"}, "weight": 0}],
    },
    {"match": [{"uri": {"prefix": "/nowhere"}}], "route": [{"destination": {"host": "nowhere.example.com", "port": {"number": 80}}}]},
    {"match": [{"uri": {"prefix": "/delegated"}}], "delegate": {"name": "leaf"}},
]
LEAF = [{"match": [{"uri": {"exact": "/delegated/here"}}], **to("leaf")}]


class Served(NamedTuple):
    """A running gateway, its port, and the one that redirects to https."""

    gateway: RealGateway
    port: int
    redirecting: int


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=sorted(BINARIES))
async def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    """A gateway of each end of the supported versions with all the rules."""
    plain, redirected = free_ports(2)
    servers = [
        f"port: {{number: {plain}, name: http, protocol: HTTP}}, hosts: ['*']",
        f"port: {{number: {redirected}, name: redirected, protocol: HTTP}}, hosts: ['*'], tls: {{httpsRedirect: true}}",
    ]
    rules = [*MATCHES, *ACTIONS]
    leaf = {"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": {"name": "leaf"}, "spec": {"http": LEAF}}
    text = gateway_yaml(*servers) + routes_yaml(json.dumps(rules), hosts="[a.example.com, special.example.com]")
    async with real_gateway(
        tmp_path_factory.mktemp(request.param), BINARIES[request.param](), f"{text}\n---\n{json.dumps(leaf)}"
    ) as running:
        await running.listening(plain)
        await running.listening(redirected)
        yield Served(running, plain, redirected)


async def ask(served: Served, path: str, **more: Any) -> Answer:
    """Return the answer to a request."""
    return await served.gateway.get(served.port, path, **more)


CHOSEN: dict[str, tuple[str, dict[str, Any], str | None]] = {
    "exact": ("/exact", {}, "exact"),
    "exact is the whole path": ("/exact/", {}, None),
    "exact without the query": ("/exact?a=b", {}, "exact"),
    "prefix is a prefix of the text": ("/prefixed", {}, "prefix"),
    "regex": ("/r42", {}, "regex"),
    "regex is the whole path": ("/r42/", {}, None),
    "case counts": ("/EXACT", {}, None),
    "case does not count": ("/case", {}, "any case"),
    "method": ("/m", {"method": "PUT"}, "method"),
    "other method": ("/m", {}, None),
    "authority": ("/a", {"host": "special.example.com"}, "authority"),
    "other authority": ("/a", {}, None),
    "scheme": ("/s", {}, None),
    "header in any case": ("/h", {"headers": [("x-kind", "b")]}, "header"),
    "header is the whole value": ("/h", {"headers": [("x-kind", "bb")]}, None),
    "header that is there": ("/h", {"headers": [("x-there", "")]}, "header there"),
    "missing header": ("/w", {}, "no header"),
    "another value": ("/w", {"headers": [("x-kind", "b")]}, "no header"),
    "that value": ("/w", {"headers": [("x-kind", "a")]}, None),
    "no such header": ("/w2", {}, "no header at all"),
    "such a header": ("/w2", {"headers": [("x-kind", "b")]}, None),
    "query": ("/q?k=value", {}, "query"),
    "query that is there": ("/q?k=x&there", {}, "query there"),
    "no query": ("/q", {}, None),
    "nobody has claims": ("/c", {"headers": [("authorization", "Bearer x")]}, "no claim"),
    "first block": ("/e1", {}, "either"),
    "second block": ("/e2", {}, "either"),
    "delegated": ("/delegated/here", {}, "leaf"),
    "not delegated": ("/delegated/there", {}, None),
    "unknown host": ("/exact", {"host": "c.example.com"}, None),
    "host with a port": ("/exact", {"host": "A.example.com:8080"}, "exact"),
}


@pytest.mark.parametrize(("path", "more", "said"), CHOSEN.values(), ids=CHOSEN)
async def test_choice(served: Served, path: str, more: dict[str, Any], said: str | None) -> None:
    """The rule that answers is the first one that matches; where none does the answer is 404."""
    answer = await ask(served, path, **more)
    assert (answer.status, answer.body.decode()) == ((200, said) if said is not None else (404, ""))


async def test_rewrites(served: Served) -> None:
    """A prefix or what a regular expression finds is replaced, the query stays; the authority may change as well."""
    echo = (await ask(served, "/rewrite/x?q=1")).echo
    assert (echo["path"], echo["headers"]["host"]) == ("/new/x?q=1", "inside")
    assert (await ask(served, "/v2/x")).echo["path"] == "/x/2"


async def test_header_operations(served: Served) -> None:
    """Headers are set, added with operators filled in, and removed, both ways."""
    answer = await ask(served, "/headers", headers=[("x-set", "old"), ("x-gone", "here")])
    seen = answer.echo["headers"]
    assert (seen["x-set"], seen["x-add"], seen["host"], "x-gone" in seen) == ("new", "HTTP/1.1", "host.internal", False)
    assert (answer.headers["x-back"], "x-backend" in answer.headers) == ("yes", False)


async def test_redirects(served: Served) -> None:
    """Redirects change what they name and nothing else."""
    for path, status, location in (
        ("/moved?q=1", 308, "https://b.com/there?q=1"),
        ("/from/x", 302, "http://a.example.com/to/x"),
        ("/port/x", 301, "http://a.example.com:8443/port/x"),
    ):
        answer = await ask(served, path)
        assert (answer.status, answer.headers["location"]) == (status, location)


async def test_redirect_to_https(served: Served) -> None:
    """A server that redirects does so for every path of its hosts."""
    answer = await served.gateway.get(served.redirecting, "/exact?q=1")
    assert (answer.status, answer.headers["location"]) == (301, "https://a.example.com/exact?q=1")


async def test_direct_response(served: Served) -> None:
    """Bytes of a direct response come as they are."""
    answer = await ask(served, "/bytes")
    assert (answer.status, answer.body) == (418, b"\x00\x01\x02")


async def test_retries(served: Served) -> None:
    """A failing request is tried as often as asked for, and each attempt is numbered."""
    gateway = served.gateway
    gateway.echo.requests.clear()
    assert (await ask(served, "/fail")).status == 503
    assert [seen["headers"]["x-envoy-attempt-count"] for seen in gateway.echo.requests] == ["1", "2", "3", "4"]


async def test_timeout(served: Served) -> None:
    """A request that takes too long ends in 504."""
    assert (await ask(served, "/never")).status == 504


async def test_faults(served: Served) -> None:
    """All requests of a rule fail, or none, as its share says."""
    grpc = await ask(served, "/grpc", headers=[("content-type", "application/grpc")])
    assert ((await ask(served, "/abort")).status, (await ask(served, "/sound")).status) == (501, 200)
    assert (grpc.status, grpc.headers["grpc-status"]) == (200, "14")


async def test_mirror(served: Served) -> None:
    """A copy of each request goes to the mirror, to the host that the client asked for."""
    gateway = served.gateway
    gateway.echo.requests.clear()
    assert (await ask(served, "/copy")).status == 200

    async def twice() -> bool:
        return len(gateway.echo.requests) == 2

    await gateway.envoy.wait_until(twice, "both requests arrived")
    assert [seen["headers"]["host"] for seen in gateway.echo.requests] == ["a.example.com", "a.example.com"]


async def test_cors(served: Served) -> None:
    """A preflight of an allowed origin is answered; one of another goes to the service, as does the request itself."""
    preflight = [("access-control-request-method", "PUT")]
    answer = await ask(served, "/cors", method="OPTIONS", headers=[("origin", "https://b.com"), *preflight])
    names = ("access-control-allow-origin", "access-control-allow-methods", "access-control-max-age")
    assert [answer.headers[name] for name in names] == ["https://b.com", "GET,PUT", "60"]
    assert answer.body == b""
    other = await ask(served, "/cors", method="OPTIONS", headers=[("origin", "https://c.com"), *preflight])
    assert (other.echo["method"], names[0] in other.headers) == ("OPTIONS", False)


async def test_destinations(served: Served) -> None:
    """A destination without weight gets nothing; one that nobody knows is answered 503 at once."""
    assert {(await ask(served, "/weights")).status for _ in range(20)} == {200}
    assert (await ask(served, "/nowhere")).status == 503
