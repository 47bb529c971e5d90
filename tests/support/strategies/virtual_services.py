"""VirtualServices: HTTP rules with all their parts, TLS and TCP rules, delegates."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from tests.support.strategies.alphabet import (
    EXTERNAL_HOSTS,
    PATHS,
    SERVICE_NAMES,
    SUBSETS,
    JsonObject,
    JsonStrategy,
    app_labels,
    export_to,
    few,
    flags,
    known_hosts,
    namespaces,
    percents,
    ports,
    routing,
    service_hosts,
    short_durations,
    some,
)

NAMES = ("route-1", "route-2")
DELEGATES = ("part-1",)
GATEWAYS = ("default/gw", "istio-system/gw", "gw")
_text = st.sampled_from(("a", "b", "chrome"))
_paths = st.sampled_from(PATHS)
_regexes = st.sampled_from((".*", "/a.*", "^[a-z]+$"))


def _string_match(values: SearchStrategy[str]) -> JsonStrategy:
    return st.one_of(
        values.map(lambda value: {"exact": value}),
        values.map(lambda value: {"prefix": value}),
        _regexes.map(lambda value: {"regex": value}),
    )


def _presence() -> JsonStrategy:
    return st.one_of(_string_match(_text), st.just({}))


def _match(gateways: SearchStrategy[list[str]]) -> JsonStrategy:
    headers = st.dictionaries(st.sampled_from(("end-user", "x-canary", ":method")), _presence(), min_size=1, max_size=2)
    return some(
        {
            "uri": _string_match(_paths),
            "scheme": _string_match(st.sampled_from(("http", "https"))),
            "method": _string_match(st.sampled_from(("GET", "POST"))),
            "authority": _string_match(st.sampled_from(("api.example.com", "cart"))),
            "headers": headers,
            "withoutHeaders": headers,
            "queryParams": st.dictionaries(st.sampled_from(("debug", "q")), _presence(), min_size=1, max_size=1),
            "port": ports,
            "sourceLabels": app_labels,
            "sourceNamespace": namespaces,
            "gateways": gateways,
            "ignoreUriCase": flags,
            "statPrefix": st.just("shop"),
            "name": st.just("block"),
        }
    )


def _destination() -> JsonStrategy:
    return st.builds(
        lambda host, extra: {"host": host} | extra,
        st.one_of(known_hosts, known_hosts, known_hosts, st.just("nowhere")),
        some({"subset": st.sampled_from(SUBSETS), "port": ports.map(lambda number: {"number": number})}, most=2),
    )


def _header_operations() -> JsonStrategy:
    texts = st.sampled_from(("1", "%REQ(x-other)%", "100%%"))

    def operations(*names: str) -> JsonStrategy:
        values = st.dictionaries(st.sampled_from(("x-set", "x-add")), texts, min_size=1, max_size=1)
        overwritten = st.dictionaries(st.sampled_from(("x-set", *names)), texts, min_size=1, max_size=1)
        return some({"set": overwritten, "add": values, "remove": st.just(["x-gone"])}, least=1)

    return some({"request": operations("host"), "response": operations()}, least=1, most=2)


def _weighted(*, headers: bool) -> SearchStrategy[list[JsonObject]]:
    extra = some({"headers": _header_operations()}, most=1) if headers else st.just({})
    one = st.builds(lambda destination, more: {"destination": destination} | more, _destination(), extra)
    weighted = st.builds(lambda entry, weight: entry | {"weight": weight}, one, st.sampled_from((0, 1, 30, 70)))
    return st.one_of(one.map(lambda entry: [entry]), st.lists(weighted, min_size=2, max_size=3))


def _fault() -> JsonStrategy:
    delay = st.builds(lambda period, share: {"fixedDelay": period, "percentage": {"value": share}}, short_durations, percents)
    abort = st.builds(
        lambda status, share: status | {"percentage": {"value": share}},
        st.sampled_from(({"httpStatus": 503}, {"httpStatus": 418}, {"grpcStatus": "UNAVAILABLE"})),
        percents,
    )
    return some({"delay": delay, "abort": abort}, least=1)


def _retries() -> JsonStrategy:
    some_retries = some(
        {
            "perTryTimeout": short_durations,
            "retryOn": st.sampled_from(("5xx", "connect-failure,503", "gateway-error, reset")),
            "retryRemoteLocalities": flags,
            "retryIgnorePreviousHosts": flags,
            "backoff": short_durations,
        }
    )
    return st.one_of(st.just({"attempts": 0}), some_retries.map(lambda rest: {"attempts": 3} | rest))


def _cors() -> JsonStrategy:
    origins = few(_string_match(st.sampled_from(("https://a.example.com", "*"))), least=1)
    return some(
        {
            "allowOrigins": origins,
            "allowMethods": st.just(["GET", "POST"]),
            "allowHeaders": st.just(["x-user"]),
            "exposeHeaders": st.just(["x-id"]),
            "maxAge": st.sampled_from(("1s", "24h")),
            "allowCredentials": flags,
            "unmatchedPreflights": st.sampled_from(("FORWARD", "IGNORE")),
        },
        least=1,
        most=4,
    )


def _rewrite() -> JsonStrategy:
    regex = {"match": "^/a/(.*)$", "rewrite": "/\\1"}
    path = st.one_of(_paths.map(lambda uri: {"uri": uri}), st.just({"uriRegexRewrite": regex}))
    authority = st.just({"authority": "www.example.com"})
    return st.one_of(path, authority, st.builds(lambda one, other: one | other, path, authority))


def _redirect() -> JsonStrategy:
    where = some(
        {
            "uri": _paths,
            "authority": st.just("www.example.com"),
            "scheme": st.just("https"),
            "redirectCode": st.sampled_from((301, 302, 308)),
        },
        least=1,
    )
    port = st.sampled_from(({}, {"port": 8443}, {"derivePort": "FROM_REQUEST_PORT"}, {"derivePort": "FROM_PROTOCOL_DEFAULT"}))
    return st.builds(lambda target, extra: target | extra, where, port)


def _direct_response() -> JsonStrategy:
    bodies = st.sampled_from(({}, {"body": {"string": "gone"}}, {"body": {"bytes": "Z29uZQ=="}}))
    return st.builds(lambda status, body: {"status": status} | body, st.sampled_from((200, 404, 503)), bodies)


def http_rules(gateways: SearchStrategy[list[str]], *, delegates: bool) -> JsonStrategy:
    """Draw an HTTP rule: something to do, with or without match blocks."""
    parts = some(
        {
            "rewrite": _rewrite(),
            "timeout": st.sampled_from(("1s", "0s", "250ms")),
            "retries": _retries(),
            "fault": _fault(),
            "mirror": _destination(),
            "mirrors": few(
                st.builds(lambda to, share: {"destination": to, "percentage": {"value": share}}, _destination(), percents), least=1
            ),
            "mirrorPercentage": percents.map(lambda value: {"value": value}),
            "corsPolicy": _cors(),
            "headers": _header_operations(),
        }
    )
    forward = st.builds(lambda to, rest: {"route": to} | rest, _weighted(headers=True), parts)
    answer = some({"headers": _header_operations(), "corsPolicy": _cors()}, most=1)
    redirect = st.builds(lambda to, rest: {"redirect": to} | rest, _redirect(), answer)
    direct = st.builds(lambda to, rest: {"directResponse": to} | rest, _direct_response(), answer)
    actions: list[JsonStrategy] = [forward, forward, forward, redirect, direct]
    if delegates:
        name = st.sampled_from((*DELEGATES, "missing"))
        actions.append(st.builds(lambda name, extra: {"delegate": {"name": name} | extra}, name, some({"namespace": namespaces}, most=1)))
    head = some({"match": few(_match(gateways), least=1), "name": st.sampled_from(("one", "two"))}, most=2)
    return st.builds(lambda action, start: start | action, st.one_of(actions), head)


def _tcp_rules(gateways: SearchStrategy[list[str]]) -> SearchStrategy[list[Any]]:
    match = some(
        {
            "port": ports,
            "destinationSubnets": st.just(["10.96.0.0/16"]),
            "sourceLabels": app_labels,
            "gateways": gateways,
            "sourceNamespace": namespaces,
        }
    )
    rule = st.builds(lambda head, to: head | {"route": to}, some({"match": few(match, least=1)}, most=1), _weighted(headers=False))
    return few(rule, least=1)


def _tls_rules(hosts: SearchStrategy[str], gateways: SearchStrategy[list[str]]) -> SearchStrategy[list[Any]]:
    match = st.builds(
        lambda names, rest: {"sniHosts": names} | rest,
        few(hosts, least=1, unique=True),
        some({"port": ports, "gateways": gateways, "sourceLabels": app_labels}, most=1),
    )
    return few(st.builds(lambda blocks, to: {"match": blocks, "route": to}, few(match, least=1), _weighted(headers=False)), least=1)


@st.composite
def _spec(draw: st.DrawFn) -> JsonObject:
    """Draw the spec of a VirtualService with hosts, bound to sidecars, gateways or both."""
    bound = draw(few(st.sampled_from(("mesh", *GATEWAYS)), most=2, unique=True))
    host = st.one_of(st.sampled_from(SERVICE_NAMES), service_hosts, st.sampled_from(EXTERNAL_HOSTS))
    if bound and "mesh" not in bound:
        host = st.one_of(host, st.just("*"))
    hosts = draw(few(host, least=1, unique=True))
    spec: JsonObject = {"hosts": hosts} | ({"gateways": bound} if bound else {})
    some_gateways = few(st.sampled_from(bound or ["mesh"]), least=1, unique=True)
    kinds = draw(st.sampled_from((("http",), ("http",), ("http",), ("tcp",), ("tls",), ("http", "tcp"), ("http", "tls", "tcp"))))
    if "http" in kinds:
        spec["http"] = draw(few(http_rules(some_gateways, delegates=True), least=1, most=3))
    if "tcp" in kinds:
        spec["tcp"] = draw(_tcp_rules(some_gateways))
    if "tls" in kinds:
        spec["tls"] = draw(_tls_rules(st.sampled_from(hosts), some_gateways))
    return spec | draw(some({"exportTo": export_to}, most=1))


def virtual_services() -> JsonStrategy:
    """Draw a VirtualService."""
    roots = routing("VirtualService", st.sampled_from(NAMES), _spec())
    rules = few(http_rules(st.just(["mesh"]), delegates=False), least=1)
    parts = routing("VirtualService", st.sampled_from(DELEGATES), st.fixed_dictionaries({"http": rules}))
    return st.one_of(roots, roots, roots, roots, parts)
