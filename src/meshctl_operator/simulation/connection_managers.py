"""What the HTTP connection manager does to a request before any route sees it (Envoy ``ConnectionManagerUtility``)."""

from __future__ import annotations

from typing import Final, TypeAlias

from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2 as hcm_pb2

from meshctl_operator.simulation import paths
from meshctl_operator.simulation.headers import AUTHORITY, FORWARDED_PROTO, METHOD, PATH, SCHEME, Headers
from meshctl_operator.simulation.requests import Connection, HttpVersion, Request
from meshctl_operator.simulation.traces import Answered, Answerer, Redirected, Stage, Trial

Manager: TypeAlias = hcm_pb2.HttpConnectionManager

REQUEST_ID: Final = "x-request-id"
SOME_REQUEST_ID: Final = "00000000-0000-4000-8000-000000000000"
"""Stands for the random number that the connection manager gives a request."""

_METHODS: Final = frozenset(
    [
        "ACL",
        "BIND",
        "CHECKOUT",
        "CONNECT",
        "COPY",
        "DELETE",
        "GET",
        "HEAD",
        "LINK",
        "LOCK",
        "M-SEARCH",
        "MERGE",
        "MKACTIVITY",
        "MKCALENDAR",
        "MKCOL",
        "MOVE",
        "NOTIFY",
        "OPTIONS",
        "PATCH",
        "POST",
        "PROPFIND",
        "PROPPATCH",
        "PURGE",
        "PUT",
        "REBIND",
        "REPORT",
        "SEARCH",
        "SOURCE",
        "SUBSCRIBE",
        "TRACE",
        "UNBIND",
        "UNLINK",
        "UNLOCK",
        "UNSUBSCRIBE",
    ]
)
"""The methods that Envoy's HTTP/1 codec knows; it refuses others."""

_BAD_REQUEST: Final = 400
_TEMPORARY_REDIRECT: Final = 307
_EDGE_ONLY: Final = ("x-envoy-decorator-operation", "x-envoy-downstream-service-cluster", "x-envoy-downstream-service-node")
_INTERNAL_ONLY: Final = (
    "x-envoy-retriable-status-codes",
    "x-envoy-retriable-header-names",
    "x-envoy-retry-on",
    "x-envoy-retry-grpc-on",
    "x-envoy-max-retries",
    "x-envoy-upstream-alt-stat-name",
    "x-envoy-upstream-rq-timeout-ms",
    "x-envoy-upstream-rq-per-try-timeout-ms",
    "x-envoy-upstream-rq-timeout-alt-response",
    "x-envoy-expected-rq-timeout-ms",
    "x-envoy-force-trace",
    "x-envoy-ip-tags",
    "x-envoy-original-url",
    "x-envoy-hedge-on-per-try-timeout",
)

Received: TypeAlias = tuple[Headers, Answered | Redirected | None, tuple[Trial, ...]]


def receive(manager: Manager, connection: Connection, request: Request) -> Received:
    """Return the headers that routes are matched with; the answer, where the request gets no further; and what was changed."""
    headers = Headers.of(
        (
            (METHOD, request.method),
            (AUTHORITY, _host(manager, request.authority)),
            (PATH, request.path),
            *(((SCHEME, request.scheme.lower()),) if request.scheme else ()),
            *request.headers,
        )
    )
    if not request.authority:
        return headers, Answered(_BAD_REQUEST, Answerer.CONNECTION_MANAGER), (Trial(Stage.REQUEST, request.path, "has no host"),)
    if request.version is not HttpVersion.HTTP2 and request.method not in _METHODS:
        reason = f"has the method {request.method}, which HTTP/1 does not know here"
        return headers, Answered(_BAD_REQUEST, Answerer.CONNECTION_MANAGER), (Trial(Stage.REQUEST, request.path, reason),)
    path, refusal = _path(manager, request.path)
    trials: tuple[Trial, ...] = ()
    if refusal is not None:
        return headers, refusal, (Trial(Stage.REQUEST, request.path, "has a path that the listener does not accept"),)
    if path != request.path:
        trials = (Trial(Stage.REQUEST, request.path, note=f"has its path normalised to {path}"),)
    return _marked(manager, connection, headers.having(PATH, path)), None, trials


def _host(manager: Manager, authority: str) -> str:
    host, port = split_port(authority)
    if manager.strip_trailing_host_dot and host.endswith("."):
        host = host[:-1]
    return host if manager.strip_any_host_port else host + port


def split_port(authority: str) -> tuple[str, str]:
    """Return host and ``:port`` (empty where there is none); an IPv6 address stands in brackets."""
    start = authority.rfind(":")
    if start < 0 or authority.rfind("]") > start:
        return authority, ""
    return authority[:start], authority[start:]


def _path(manager: Manager, path: str) -> tuple[str, Answered | Redirected | None]:
    refused = Answered(_BAD_REQUEST, Answerer.CONNECTION_MANAGER)
    if "#" in path:
        return path, refused
    action = manager.path_with_escaped_slashes_action
    unescaped = path
    if action not in {Manager.IMPLEMENTATION_SPECIFIC_DEFAULT, Manager.KEEP_UNCHANGED}:
        unescaped = paths.unescape_slashes(path)
    if unescaped != path and action == Manager.REJECT_REQUEST:
        return path, refused
    found: str | None = unescaped
    if manager.normalize_path.value:
        found = paths.normalize(unescaped)
    if found is None:
        return path, refused
    if manager.merge_slashes:
        found = paths.merge_slashes(found)
    if unescaped != path and action == Manager.UNESCAPE_AND_REDIRECT:
        return found, Redirected(_TEMPORARY_REDIRECT, found)
    return found, None


def _marked(manager: Manager, connection: Connection, headers: Headers) -> Headers:
    """Return the headers with those of the connection manager: where the request comes from, over what, and its number."""
    own_scheme = "https" if connection.tls else "http"
    edge = manager.use_remote_address.value
    if edge:
        headers = headers.without(*_EDGE_ONLY)
        if not manager.skip_xff_append:
            known = headers.get("x-forwarded-for")
            headers = headers.having("x-forwarded-for", f"{known},{connection.source_address}" if known else connection.source_address)
        if not manager.xff_num_trusted_hops:
            headers = headers.having(FORWARDED_PROTO, own_scheme)
            headers = headers.having("x-envoy-external-address", connection.source_address)
    headers = headers.without(*_INTERNAL_ONLY)
    if headers.get(FORWARDED_PROTO) is None:
        headers = headers.having(FORWARDED_PROTO, own_scheme)
    if not headers.get(SCHEME):
        said = headers.text(FORWARDED_PROTO).lower()
        headers = headers.having(SCHEME, said if said in {"http", "https"} else own_scheme)
    if headers.get(REQUEST_ID) is None or (edge and not manager.preserve_external_request_id):
        headers = headers.having(REQUEST_ID, SOME_REQUEST_ID)
    return headers
