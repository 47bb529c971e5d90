"""A translation as a table for people: each line a listener, filter chain, virtual host, route or cluster, with the objects that it comes from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

from meshctl_operator.base.shards import EMPTY_MAP
from meshctl_operator.bootstrap.nodes import JsonValue
from meshctl_operator.bootstrap.static import JsonObject
from meshctl_operator.xds.resources import TypeUrl

if TYPE_CHECKING:
    from meshctl_operator.controlplane.translation import Translation

_ISTIO_METADATA: Final = "istio"
_INDENT: Final = "  "
_WIDEST: Final = 72


class Line(NamedTuple):
    """One line: how deep it stands, what it is, what it matches or where it leads, and the objects that it comes from."""

    depth: int
    what: str
    detail: str
    origin: str


def summary(translation: Translation) -> str:
    """Return the table: a section each for listeners, routes, clusters and secrets, then how many findings there are."""
    from meshctl_operator.compiler.emit.resources import CLUSTER_TYPE, LISTENER_TYPE, ROUTE_TYPE

    def origins(type_url: TypeUrl) -> dict[str, str]:
        resources = translation.compiled.resources.get(type_url, EMPTY_MAP)
        return {name: ", ".join(map(str, resource.provenance)) for name, resource in resources.items()}

    served = translation.served
    endpoints = {str(message.get("cluster_name")): _count_endpoints(message) for message in served.endpoints}
    sections = {
        "LISTENERS": list(_listeners(served.listeners, origins(LISTENER_TYPE))),
        "ROUTES": list(_routes(served.routes, origins(ROUTE_TYPE))),
        "CLUSTERS": list(_clusters(served.clusters, origins(CLUSTER_TYPE), endpoints)),
        "SECRETS": [Line(0, name, "", "") for name in translation.secrets],
    }
    proxy = translation.proxy
    text = [
        f"{proxy.role.value} {proxy.id}  {', '.join(proxy.ips)}  {', '.join(f'{key}={value}' for key, value in proxy.labels)}".rstrip(),
        "",
    ]
    for title, lines in sections.items():
        if lines:
            text += [title, *_aligned(lines), ""]
    text.append(f"{len(translation.diagnostics)} findings")
    return "\n".join(text) + "\n"


def _aligned(lines: list[Line]) -> Iterator[str]:
    """Yield the lines with their columns under each other; a cell that is much too wide moves only its own line."""
    cells = [(f"{_INDENT * (line.depth + 1)}{line.what}", line.detail, line.origin) for line in lines]
    first = max((len(cell[0]) for cell in cells if len(cell[0]) <= _WIDEST), default=0)
    second = max((len(cell[1]) for cell in cells if len(cell[1]) <= _WIDEST), default=0)
    for what, detail, origin in cells:
        yield f"{what:{first}}  {detail:{second}}  {origin}".rstrip()


def _listeners(listeners: Iterable[JsonObject], origins: dict[str, str]) -> Iterator[Line]:
    for listener in listeners:
        name = str(listener.get("name"))
        address = _at(listener, "address", "socket_address")
        where = f"{address.get('address')}:{address.get('port_value')}" if isinstance(address, dict) else ""
        yield Line(0, name, where, origins.get(name, ""))
        chains = [*_list(listener, "filter_chains"), *([chain] if isinstance(chain := listener.get("default_filter_chain"), dict) else [])]
        for chain in chains:
            yield Line(
                1, str(chain.get("name") or "filter chain"), " -> ".join(filter(None, (_chain_match(chain), _chain_target(chain)))), ""
            )


def _chain_match(chain: JsonObject) -> str:
    match = chain.get("filter_chain_match")
    if not isinstance(match, dict):
        return ""
    return ", ".join(f"{key}={_short(value)}" for key, value in match.items())


def _chain_target(chain: JsonObject) -> str:
    """Return where the last network filter leads: routes by name, inline routes, or a cluster."""
    filters = _list(chain, "filters")
    config = filters[-1].get("typed_config") if filters else None
    if not isinstance(config, dict):
        return ""
    routes = _at(config, "rds", "route_config_name") or _at(config, "route_config", "name")
    if routes:
        return f"routes {routes}"
    if weighted := _at(config, "weighted_clusters", "clusters"):
        return f"clusters {_short(weighted)}"
    return f"cluster {config['cluster']}" if "cluster" in config else ""


def _routes(configurations: Iterable[JsonObject], origins: dict[str, str]) -> Iterator[Line]:
    for configuration in configurations:
        name = str(configuration.get("name"))
        yield Line(0, name, "", origins.get(name, ""))
        for host in _list(configuration, "virtual_hosts"):
            yield Line(1, str(host.get("name")), _short(host.get("domains")), "")
            for route in _list(host, "routes"):
                yield Line(2, str(route.get("name") or "route"), f"{_route_match(route)} -> {_route_action(route)}", _route_origin(route))


def _route_match(route: JsonObject) -> str:
    match = route.get("match")
    if not isinstance(match, dict):
        return ""
    return ", ".join(f"{key}={_short(value)}" for key, value in match.items() if key != "case_sensitive")


def _route_action(route: JsonObject) -> str:
    action = route.get("route")
    if isinstance(action, dict):
        weighted = _at(action, "weighted_clusters", "clusters")
        if isinstance(weighted, list):
            return ", ".join(f"{each.get('name')} {each.get('weight', 0)}" for each in weighted if isinstance(each, dict))
        return str(action.get("cluster") or _short(action))
    for kind in ("redirect", "direct_response"):
        if kind in route:
            return f"{kind} {_short(route[kind])}"
    return ""


def _route_origin(route: JsonObject) -> str:
    """Return the object that the route says it comes from: ``.../namespaces/default/virtual-service/reviews`` (Istio's route metadata)."""
    config = _at(route, "metadata", "filter_metadata", _ISTIO_METADATA, "config")
    if not isinstance(config, str) or "/namespaces/" not in config:
        return ""
    namespace, _, rest = config.partition("/namespaces/")[2].partition("/")
    kind, _, name = rest.partition("/")
    return f"{''.join(part.capitalize() for part in kind.split('-'))}/{namespace}/{name}"


def _clusters(clusters: Iterable[JsonObject], origins: dict[str, str], endpoints: dict[str, int]) -> Iterator[Line]:
    for cluster in clusters:
        name = str(cluster.get("name"))
        kind = str(cluster.get("type", "STATIC"))
        eds = str(_at(cluster, "eds_cluster_config", "service_name") or name)
        inline = cluster.get("load_assignment")
        count = endpoints.get(eds) if kind == "EDS" else _count_endpoints(inline) if isinstance(inline, dict) else None
        yield Line(0, name, kind if count is None else f"{kind}, {count} endpoint{'' if count == 1 else 's'}", origins.get(name, ""))


def _count_endpoints(assignment: JsonObject) -> int:
    return sum(len(_list(locality, "lb_endpoints")) for locality in _list(assignment, "endpoints"))


def _at(value: JsonValue, *path: str) -> JsonValue:
    """Return what stands at the path, or None."""
    for name in path:
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def _list(value: JsonObject, name: str) -> list[JsonObject]:
    items = value.get(name)
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def _short(value: JsonValue) -> str:
    """Return a value in a few words."""
    match value:
        case dict():
            return " ".join(f"{key}={_short(item)}" for key, item in value.items())
        case list():
            return ",".join(map(_short, value))
        case _:
            return str(value)
