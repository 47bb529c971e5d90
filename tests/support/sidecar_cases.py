"""What each field of an HTTP rule does to a request through a sidecar: cases whose every field matters.

A case is the spec of a VirtualService, a few requests, and what is seen of the first of them. Destinations are ``FIRST`` and ``SECOND``,
servers that answer with what they were asked, and ``BOTH``, whose port 80 is the first and whose port 81 is the second.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

FIRST, SECOND, BOTH = "echo.example.com", "second.example.com", "both.example.com"
RuleList = list[dict[str, Any]]


@dataclass(frozen=True)
class Ask:
    """One request."""

    path: str = "/"
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Case:
    """A spec without ``hosts``, the requests, and a part of what is seen of the first."""

    spec: dict[str, Any]
    asks: tuple[Ask, ...]
    seen: Mapping[str, Any] = field(default_factory=dict)


def to(host: str, **more: Any) -> dict[str, Any]:
    """Return a rule that sends everything to a host."""
    return {"route": [{"destination": {"host": host}}], **more}


def said(text: str) -> dict[str, Any]:
    """Return a rule that answers by itself."""
    return {"directResponse": {"status": 200, "body": {"string": text}}}


def rules(*found: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return a spec of HTTP rules."""
    return {"http": list(found), **more}


def chosen(block: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return a spec that sends what a match block lets through to the second server, and all else to the first."""
    return rules({"match": [block], **to(SECOND)}, to(FIRST), **more)


TO_FIRST: Mapping[str, Any] = {"status": 200, "first": 1, "second": 0}
TO_SECOND: Mapping[str, Any] = {"status": 200, "first": 0, "second": 1}
KIND = (("x-kind", "a"),)
KINDS = ("exact", "prefix", "regex")
PREFLIGHT = (("access-control-request-method", "PUT"), ("origin", "https://b.com"))
ELSEWHERE = (("access-control-request-method", "PUT"), ("origin", "https://c.com"))


def _matches() -> Iterator[Case]:
    yield Case(chosen({"uri": {"exact": "/a"}}), (Ask("/a?q=1"), Ask("/ab")), TO_SECOND)
    yield Case(chosen({"uri": {"prefix": "/a"}}), (Ask("/ab"), Ask("/b")), TO_SECOND)
    yield Case(chosen({"uri": {"regex": "/a[0-9]"}}), (Ask("/a1"), Ask("/a")), TO_SECOND)
    yield Case(chosen({"uri": {"exact": "/A"}, "ignoreUriCase": True}), (Ask("/a"),), TO_SECOND)
    for kind in KINDS:
        for name in ("scheme", "method", "authority"):
            yield Case(chosen({name: {kind: "nobody"}}), (Ask(),), TO_FIRST)
        yield Case(chosen({"headers": {"x-kind": {kind: "nobody"}}}), (Ask(headers=KIND),), TO_FIRST)
        yield Case(chosen({"withoutHeaders": {"x-kind": {kind: "nobody"}}}), (Ask(headers=KIND),), TO_SECOND)
        yield Case(chosen({"queryParams": {"k": {kind: "nobody"}}}), (Ask("/?k=a"),), TO_FIRST)
    yield Case(chosen({"method": {"exact": "PUT"}}), (Ask(method="PUT"), Ask()), TO_SECOND)
    yield Case(chosen({"headers": {"X-Kind": {"regex": "a|b"}}}), (Ask(headers=KIND), Ask()), TO_SECOND)
    yield Case(chosen({"withoutHeaders": {"x-kind": {}}}), (Ask(headers=KIND),), TO_FIRST)
    yield Case(chosen({"queryParams": {"k": {"exact": "a"}}}), (Ask("/?k=a"), Ask()), TO_SECOND)
    yield Case(chosen({"port": 81}), (Ask(),), TO_FIRST)
    yield Case(chosen({"port": 80}), (Ask(),), TO_SECOND)
    yield Case(chosen({"sourceLabels": {"app": "nobody"}}), (Ask(),), TO_FIRST)
    yield Case(chosen({"sourceNamespace": "nowhere"}), (Ask(),), TO_FIRST)
    yield Case(chosen({"sourceNamespace": "default", "sourceLabels": {"app": "client"}}), (Ask(),), TO_SECOND)
    yield Case(chosen({"gateways": ["default/nobody"]}, gateways=["mesh", "default/nobody"]), (Ask(),), TO_FIRST)


def _destinations() -> Iterator[Case]:
    port = {"host": BOTH, "port": {"number": 81}}
    yield Case(rules(to(SECOND)), (Ask(),), TO_SECOND)
    yield Case(rules({"route": [{"destination": port}]}), (Ask(),), TO_SECOND)
    yield Case(rules({"route": [{"destination": {"host": SECOND, "subset": "v1"}}]}), (Ask(),), TO_SECOND)
    yield Case(rules({"route": [{"destination": {"host": SECOND, "subset": "none"}}]}), (Ask(),), {"status": 503})
    weights = [{"destination": {"host": FIRST}, "weight": 0}, {"destination": {"host": SECOND}, "weight": 1}]
    yield Case(rules({"route": weights}), (Ask(),), TO_SECOND)
    nearly_all = [{"destination": {"host": FIRST}, "weight": 1}, {"destination": {"host": SECOND}, "weight": 2**31 - 1}]
    yield Case(rules({"route": nearly_all}), (Ask(),), TO_SECOND)
    operations = {
        "request": {"set": {"x-set": "new", "host": "inside"}, "add": {"x-add": "%PROTOCOL%"}, "remove": ["x-gone"]},
        "response": {"set": {"x-back": "yes"}, "add": {"x-more": "1"}, "remove": ["x-backend"]},
    }
    ask = Ask(headers=(("x-set", "old"), ("x-gone", "here")))
    echoed = {"x-set": "new", "x-add": "HTTP/1.1", "host": "inside"}
    seen = {**TO_FIRST, "echo": {"method": "GET", "path": "/", "headers": echoed}, "headers": {"x-back": "yes", "x-more": "1"}}
    yield Case(rules({"route": [{"destination": {"host": FIRST}, "headers": operations}]}), (ask,), seen)
    yield Case(rules(to(FIRST, headers=operations)), (ask,), seen)
    back = {"x-back": "yes", "x-more": "1"}
    yield Case(rules({**said("here"), "headers": {"response": operations["response"]}}), (Ask(),), {"body": "here", "headers": back})


def _answers() -> Iterator[Case]:
    moved = {"uri": "/there", "authority": "b.com", "scheme": "https", "redirectCode": 308}
    yield Case(rules({"redirect": moved}), (Ask("/?q=1"),), {"status": 308, "headers": {"location": "https://b.com/there?q=1"}})
    from_to = {"match": [{"uri": {"prefix": "/from/"}}], "redirect": {"prefixRewrite": "/to/"}}
    yield Case(rules(from_to), (Ask("/from/x"),), {"status": 301, "headers": {"location": "http://HOST/to/x"}})
    yield Case(rules({"redirect": {"port": 8443}}), (Ask("/x"),), {"headers": {"location": "http://HOST:8443/x"}})
    derived = {"scheme": "https", "derivePort": "FROM_REQUEST_PORT"}
    yield Case(rules({"redirect": derived}), (Ask("/x"),), {"headers": {"location": "https://HOST:80/x"}})
    usual = {"scheme": "https", "derivePort": "FROM_PROTOCOL_DEFAULT"}
    yield Case(rules({"redirect": usual}), (Ask("/x"),), {"headers": {"location": "https://HOST/x"}})
    yield Case(rules({"directResponse": {"status": 418, "body": {"string": "tea"}}}), (Ask(),), {"status": 418, "body": "tea"})
    yield Case(rules({"directResponse": {"status": 418, "body": {"bytes": "dGVh"}}}), (Ask(),), {"status": 418, "body": "tea"})
    yield Case(rules({"delegate": {"name": "leaf"}}), (Ask(),), {"body": "leaf of default"})
    yield Case(rules({"delegate": {"name": "leaf", "namespace": "other"}}), (Ask(),), {"body": "leaf of other"})


def _policies() -> Iterator[Case]:
    rewritten = {"method": "GET", "path": "/new/x?q=1", "headers": {"host": "inside"}}
    rewrite = {"match": [{"uri": {"prefix": "/old/"}}], **to(FIRST, rewrite={"uri": "/new/", "authority": "inside"})}
    yield Case(rules(rewrite), (Ask("/old/x?q=1"),), {**TO_FIRST, "echo": rewritten})
    regex = {"uriRegexRewrite": {"match": "^/v([0-9]+)/(.*)$", "rewrite": "/\\2/\\1"}}
    turned = {"method": "GET", "path": "/x/2", "headers": {"host": "HOST"}}
    yield Case(rules(to(FIRST, rewrite=regex)), (Ask("/v2/x"),), {**TO_FIRST, "echo": turned})
    yield Case(rules(to(FIRST, timeout="100ms")), (Ask("/never"),), {"status": 504})
    yield Case(rules(to(FIRST, retries={"attempts": 2, "retryOn": "503"})), (Ask("/fail"),), {"status": 503, "first": 3})
    tried = {"attempts": 1, "retryOn": "gateway-error", "perTryTimeout": "50ms"}
    yield Case(rules(to(FIRST, retries=tried)), (Ask("/never"),), {"status": 504, "first": 2})
    yield Case(rules(to(FIRST, fault={"delay": {"fixedDelay": "300ms", "percentage": {"value": 100}}})), (Ask(),), {"slow": True})
    yield Case(rules(to(FIRST, fault={"delay": {"fixedDelay": "300ms", "percent": 100}})), (Ask(),), {"slow": True})
    whole = {"percentage": {"value": 100}}
    yield Case(rules(to(FIRST, fault={"abort": {"httpStatus": 501, **whole}})), (Ask(),), {"status": 501, "first": 0})
    grpc = Ask(headers=(("content-type", "application/grpc"),))
    aborted = {"status": 200, "first": 0, "headers": {"grpc-status": "14"}}
    yield Case(rules(to(FIRST, fault={"abort": {"grpcStatus": "UNAVAILABLE", **whole}})), (grpc,), aborted)
    yield from _copies()
    yield from _cors()


def _copies() -> Iterator[Case]:
    both = {"status": 200, "first": 1, "second": 1}
    port = {"host": BOTH, "port": {"number": 81}}
    none = {"host": SECOND, "subset": "none"}
    yield Case(rules(to(FIRST, mirror={"host": SECOND})), (Ask("/copy"),), both)
    yield Case(rules(to(FIRST, mirror=port)), (Ask("/copy"),), both)
    yield Case(rules(to(FIRST, mirror=none)), (Ask("/copy"),), TO_FIRST)
    yield Case(rules(to(FIRST, mirror={"host": SECOND}, mirrorPercentage={"value": 0.00005})), (Ask("/copy"),), TO_FIRST)
    yield Case(rules(to(FIRST, mirror={"host": SECOND}, mirrorPercent=0)), (Ask("/copy"),), TO_FIRST)
    yield Case(rules(to(FIRST, mirror={"host": SECOND}, mirrorPercentage={"value": 100}, mirrorPercent=0)), (Ask("/copy"),), both)
    yield Case(rules(to(FIRST, mirrors=[{"destination": {"host": SECOND}}])), (Ask("/copy"),), both)
    yield Case(rules(to(FIRST, mirrors=[{"destination": port}])), (Ask("/copy"),), both)
    yield Case(rules(to(FIRST, mirrors=[{"destination": none}])), (Ask("/copy"),), TO_FIRST)
    rare = {"destination": {"host": SECOND}, "percentage": {"value": 0.00005}}
    yield Case(rules(to(FIRST, mirrors=[rare])), (Ask("/copy"),), TO_FIRST)
    every = {"destination": {"host": SECOND}, "percentage": {"value": 100}}
    yield Case(rules(to(FIRST, mirrors=[every])), (Ask("/copy"),), both)


def _cors() -> Iterator[Case]:
    policy = {
        "allowOrigins": [{"exact": "https://b.com"}],
        "allowMethods": ["GET", "PUT"],
        "allowHeaders": ["x-kind"],
        "exposeHeaders": ["x-backend"],
        "maxAge": "60s",
        "allowCredentials": True,
    }
    names = ("allow-origin", "allow-methods", "allow-headers", "max-age", "allow-credentials")
    values = ("https://b.com", "GET,PUT", "x-kind", "60", "true")
    allowed = {f"access-control-{name}": value for name, value in zip(names, values, strict=True)}
    asks = (Ask(method="OPTIONS", headers=PREFLIGHT), Ask(headers=PREFLIGHT[1:]))
    yield Case(rules(to(FIRST, corsPolicy=policy)), asks, {"first": 0, "headers": allowed})
    for kind, text in (("prefix", "https://b"), ("regex", "https://[a-b]\\.com")):
        found = {"allowOrigins": [{kind: text}]}
        yield Case(rules(to(FIRST, corsPolicy=found)), asks, {"first": 0, "status": 200})
    yield Case(rules(to(FIRST, corsPolicy={"allowOrigin": ["https://b.com"]})), asks, {"first": 0, "status": 200})
    origins = {"allowOrigins": [{"exact": "https://b.com"}]}
    for unmatched, forwarded in (("IGNORE", 0), ("FORWARD", 1), ("UNSPECIFIED", 1)):
        ask = Ask(method="OPTIONS", headers=ELSEWHERE)
        yield Case(rules(to(FIRST, corsPolicy={**origins, "unmatchedPreflights": unmatched})), (ask,), {"first": forwarded})


def _scopes() -> Iterator[Case]:
    yield Case(rules(to(SECOND), gateways=["default/nobody"]), (Ask(),), TO_FIRST)
    yield Case(rules(to(SECOND), exportTo=["other"]), (Ask(),), TO_FIRST)


CASES: tuple[Case, ...] = (*_matches(), *_destinations(), *_answers(), *_policies(), *_scopes())
"""Every case."""

LEAVES = [
    {"metadata": {"name": "leaf", "namespace": namespace}, "spec": {"http": [said(f"leaf of {namespace}")]}}
    for namespace in ("default", "other")
]
"""VirtualServices to which cases delegate."""

NOT_SEEN: Mapping[str, str] = {
    "http[].name": "names are for people",
    "http[].match[].name": "names are for people",
    "http[].match[].statPrefix": "names of statistics",
    "http[].retries.backoff": "how long is waited is chance",
    "http[].retries.retryIgnorePreviousHosts": "which of several endpoints is tried again is chance",
    "http[].retries.retryRemoteLocalities": "which of several localities is tried again is chance",
    "http[].fault.delay.exponentialDelay": "refused",
    "http[].fault.abort.http2Error": "refused",
    "tcp[]": "captured connections alone have TCP rules",
    "tls[]": "captured connections alone have TLS rules",
}
"""Fields that no answer shows, with what is below them, and why."""
