"""What a route does with a request that it takes: forward it, with what is rewritten on the way, send it elsewhere, or answer it."""

from __future__ import annotations

from typing import Final, TypeAlias

from envoy.config.route.v3 import route_components_pb2, route_pb2

from meshctl_operator.simulation.config import ProxyConfig
from meshctl_operator.simulation.connection_managers import split_port
from meshctl_operator.simulation.header_operations import request_change
from meshctl_operator.simulation.headers import AUTHORITY, FORWARDED_PROTO, PATH, SCHEME, Headers
from meshctl_operator.simulation.matches import matched_path
from meshctl_operator.simulation.texts import replace_all
from meshctl_operator.simulation.traces import (
    Answered,
    Answerer,
    Forwarded,
    Mirror,
    NotSimulated,
    Redirected,
    Retry,
    Share,
)
from meshctl_operator.simulation.values import read_duration, read_share

ORIGINAL_PATH: Final = "x-envoy-original-path"
ORIGINAL_HOST: Final = "x-envoy-original-host"
ATTEMPT_COUNT: Final = "x-envoy-attempt-count"

_Action: TypeAlias = route_components_pb2.RouteAction
_Cluster: TypeAlias = route_components_pb2.WeightedCluster.ClusterWeight
_STATUS: Final = {
    route_components_pb2.RedirectAction.MOVED_PERMANENTLY: 301,
    route_components_pb2.RedirectAction.FOUND: 302,
    route_components_pb2.RedirectAction.SEE_OTHER: 303,
    route_components_pb2.RedirectAction.TEMPORARY_REDIRECT: 307,
    route_components_pb2.RedirectAction.PERMANENT_REDIRECT: 308,
}
_ALWAYS: Final = Share(100, 100)


def forward(
    config: ProxyConfig,
    levels: tuple[route_pb2.RouteConfiguration, route_components_pb2.VirtualHost, route_components_pb2.Route],
    headers: Headers,
    draw: int,
) -> tuple[Forwarded | NotSimulated, _Cluster | None]:
    """Return the request as it is sent upstream, and the entry of weighted clusters that was drawn.

    ``levels`` are the route configuration, virtual host and route. Operations of the weighted cluster come first, then those of the route,
    the virtual host and the route configuration; host and path are rewritten after all of them.
    """
    configuration, host, route = levels
    action = route.route
    drawn: _Cluster | None = None
    match action.WhichOneof("cluster_specifier"):
        case "cluster":
            cluster = action.cluster
        case "weighted_clusters":
            drawn = draw_cluster(action, draw)
            cluster = drawn.name
        case "cluster_header":
            cluster = headers.text(action.cluster_header)
        case other:
            return NotSimulated(str(other)), None
    if host.include_request_attempt_count:
        headers = headers.having(ATTEMPT_COUNT, "1")
    if drawn is not None:
        headers = request_change(drawn.request_headers_to_add, drawn.request_headers_to_remove, headers).applied(headers)
        if drawn.host_rewrite_literal:
            headers = headers.having(AUTHORITY, drawn.host_rewrite_literal)  # without a trace of the original host
    lists = [(level.request_headers_to_add, level.request_headers_to_remove) for level in (route, host, configuration)]
    for options, removed in reversed(lists) if configuration.most_specific_header_mutations_wins else lists:
        headers = request_change(options, removed, headers).applied(headers)
    unsimulated = next((name for name in ("path_rewrite_policy", "host_rewrite_path_regex") if action.HasField(name)), "")
    if unsimulated:
        return NotSimulated(unsimulated), drawn
    return Forwarded(cluster, _rewritten(action, route.match, headers), config.knows(cluster)), drawn


def draw_cluster(action: _Action, draw: int) -> _Cluster:
    """Return the weighted cluster in whose share a random number falls."""
    clusters = action.weighted_clusters.clusters
    left = draw % sum(cluster.weight.value for cluster in clusters)
    for cluster in clusters:
        if left < cluster.weight.value:
            return cluster
        left -= cluster.weight.value
    raise AssertionError("a number below the sum of the weights is in none of them")


def redirect(route: route_components_pb2.Route, headers: Headers) -> Redirected:
    """Return where a redirect sends the client (Envoy ``newUri``)."""
    action = route.redirect
    kind = action.WhichOneof("path_rewrite_specifier")
    if kind in {"prefix_rewrite", "regex_rewrite"}:
        headers = _path_rewritten(action, route.match, headers)
    scheme = action.scheme_redirect or ("https" if action.https_redirect else headers.text(SCHEME))
    port = f":{action.port_redirect}" if action.port_redirect else ""
    host = action.host_redirect or _own_host(headers, scheme, port)
    path = headers.text(PATH)
    if kind == "path_redirect" and action.path_redirect:
        _, mark, query = path.partition("?")
        path = action.path_redirect if "?" in action.path_redirect else action.path_redirect + mark + query
    if action.strip_query and not (kind == "path_redirect" and "?" in action.path_redirect):
        path = path.partition("?")[0]
    return Redirected(_STATUS[action.response_code], f"{scheme}://{host}{port}{path}")


def redirect_to_tls(headers: Headers) -> Redirected:
    """Return the redirect of a virtual host that wants TLS."""
    return Redirected(301, f"https://{headers.text(AUTHORITY)}{headers.text(PATH)}")


def answer(route: route_components_pb2.Route) -> Answered:
    """Return the direct response of a route."""
    body = route.direct_response.body
    kind = body.WhichOneof("specifier")
    content = body.inline_bytes if kind == "inline_bytes" else body.inline_string.encode() if kind == "inline_string" else b""
    return Answered(route.direct_response.status, Answerer.DIRECT_RESPONSE, content)


def read_retry(action: _Action) -> Retry | None:
    """Return the retry policy of a route."""
    if not action.HasField("retry_policy"):
        return None
    policy = action.retry_policy
    return Retry(
        attempts=policy.num_retries.value if policy.HasField("num_retries") else 1,
        on=policy.retry_on,
        status_codes=tuple(policy.retriable_status_codes),
        per_try_timeout=read_duration(policy.per_try_timeout) if policy.HasField("per_try_timeout") else None,
        back_off=read_duration(policy.retry_back_off.base_interval) if policy.HasField("retry_back_off") else None,
    )


def read_mirrors(config: ProxyConfig, action: _Action) -> tuple[Mirror, ...]:
    """Return where copies of the request go."""
    return tuple(
        Mirror(
            policy.cluster,
            read_share(policy.runtime_fraction.default_value) if policy.HasField("runtime_fraction") else _ALWAYS,
            config.knows(policy.cluster),
        )
        for policy in action.request_mirror_policies
    )


def _rewritten(action: _Action, match: route_components_pb2.RouteMatch, headers: Headers) -> Headers:
    host = action.host_rewrite_literal
    if action.WhichOneof("host_rewrite_specifier") == "host_rewrite_header":
        host = headers.text(action.host_rewrite_header)
    if host:
        if action.append_x_forwarded_host and headers.text(AUTHORITY):
            headers = headers.adding("x-forwarded-host", headers.text(AUTHORITY))
        headers = _host_rewritten(headers, host)
    return _path_rewritten(action, match, headers)


def _host_rewritten(headers: Headers, host: str) -> Headers:
    """Return the headers with another host, and the original one kept in a header of its own."""
    return headers.having(ORIGINAL_HOST, headers.text(AUTHORITY)).having(AUTHORITY, host)


def _path_rewritten(
    action: _Action | route_components_pb2.RedirectAction, match: route_components_pb2.RouteMatch, headers: Headers
) -> Headers:
    """Return the headers with the path rewritten, and the original one kept in a header of its own."""
    path = headers.text(PATH)
    if action.prefix_rewrite:
        changed = action.prefix_rewrite + path[len(matched_path(match, headers)) :]
    elif action.HasField("regex_rewrite"):
        bare = headers.bare_path
        changed = replace_all(action.regex_rewrite.pattern.regex, action.regex_rewrite.substitution, bare) + path[len(bare) :]
    else:
        return headers
    return headers.having(ORIGINAL_PATH, path).having(PATH, changed)


def _own_host(headers: Headers, scheme: str, port: str) -> str:
    """Return the host of the request for a redirect; its port goes where another one comes, or where it was the default of the old scheme."""
    authority = headers.text(AUTHORITY)
    host, own_port = split_port(authority)
    said = headers.text(FORWARDED_PROTO)
    default = {"http": ":80", "https": ":443"}.get(said)
    return host if port or (scheme != said and own_port == default) else authority
