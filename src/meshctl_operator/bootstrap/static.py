"""A bootstrap that stands alone: what a control plane would serve, written into one file.

Works on protobuf JSON (original field names), since everything here is moving parts of messages to other places: endpoints into their
clusters, route configurations into their connection managers, key pairs to where a secret would be fetched.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from meshctl_operator.bootstrap.nodes import JsonValue, node_cluster, node_id, node_metadata
from meshctl_operator.bootstrap.options import DEFAULT_ADMIN_PORT
from meshctl_operator.model.proxies import Proxy

JsonObject = dict[str, JsonValue]

_CERTIFICATE_BY_SDS: Final = "tls_certificate_sds_secret_configs"
_CA_BY_SDS: Final = "validation_context_sds_secret_config"
_COMBINED: Final = "combined_validation_context"
_FETCHED: Final = frozenset({_CERTIFICATE_BY_SDS, _CA_BY_SDS, _COMBINED})


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A certificate with its key, both PEM. The key is left out of ``repr``."""

    certificate: str
    key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ServedConfig:
    """What a proxy would be served, each message as protobuf JSON."""

    clusters: Sequence[JsonObject] = ()
    endpoints: Sequence[JsonObject] = ()
    listeners: Sequence[JsonObject] = ()
    routes: Sequence[JsonObject] = ()


def secret_names(served: ServedConfig) -> tuple[str, ...]:
    """Return the names of the secrets that listeners and clusters ask for by SDS, sorted."""
    found: set[str] = set()

    def collect(value: JsonValue) -> None:
        match value:
            case dict():
                for config in _sds_configs(value):
                    found.add(str(config.get("name", "")))
                for item in value.values():
                    collect(item)
            case list():
                for item in value:
                    collect(item)
            case _:
                pass

    for message in (*served.listeners, *served.clusters):
        collect(message)
    return tuple(sorted(found))


def static_bootstrap(
    proxy: Proxy, served: ServedConfig, key_pair: Callable[[str], KeyPair], *, metadata: Mapping[str, JsonValue] | None = None
) -> JsonObject:
    """Return a bootstrap that Envoy runs as it is: nothing in it is fetched.

    ``key_pair`` gives the certificate that stands in for a secret, by its SDS name; its certificate also stands in for a CA. A route
    configuration or a load assignment that is missing is written as an empty one, which is what Envoy would have without an answer.
    """
    assignments = {str(message["cluster_name"]): message for message in served.endpoints}
    routes = {str(message["name"]): message for message in served.routes}
    listeners = [_with_secrets(_with_routes(listener, routes), key_pair) for listener in served.listeners]
    clusters = [_with_secrets(_with_endpoints(cluster, assignments), key_pair) for cluster in served.clusters]
    return {
        "node": {
            "id": node_id(proxy),
            "cluster": node_cluster(proxy),
            "metadata": node_metadata(proxy, metadata),
            **({"locality": _locality(proxy)} if str(proxy.locality) else {}),
        },
        "admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": DEFAULT_ADMIN_PORT}}},
        "static_resources": {"listeners": listeners, "clusters": clusters},
    }


def _locality(proxy: Proxy) -> JsonValue:
    where = proxy.locality
    parts = {"region": where.region, "zone": where.zone, "sub_zone": where.sub_zone}
    return {name: value for name, value in parts.items() if value}


def _with_endpoints(cluster: JsonObject, assignments: Mapping[str, JsonObject]) -> JsonObject:
    """Return an EDS cluster as a STATIC one with its endpoints; any other cluster as it is."""
    if cluster.get("type") != "EDS":
        return cluster
    source = cluster.get("eds_cluster_config")
    name = str(source.get("service_name") or cluster["name"]) if isinstance(source, dict) else str(cluster["name"])
    rest = {key: value for key, value in cluster.items() if key != "eds_cluster_config"}
    assignment = assignments.get(name, {"cluster_name": name})
    return {**rest, "type": "STATIC", "load_assignment": assignment}


def _with_routes(value: JsonValue, routes: Mapping[str, JsonObject]) -> JsonValue:
    """Return the message with every ``rds`` replaced by the route configuration of that name."""
    match value:
        case dict():
            copy = {key: _with_routes(item, routes) for key, item in value.items()}
            rds = copy.get("rds")
            if isinstance(rds, dict) and "route_config_name" in rds:
                del copy["rds"]
                name = str(rds["route_config_name"])
                # Unlike one that is fetched, an inline configuration is refused when it names a cluster that is not there.
                copy["route_config"] = {**routes.get(name, {"name": name}), "validate_clusters": False}
            return copy
        case list():
            return [_with_routes(item, routes) for item in value]
        case _:
            return value


def _with_secrets(value: JsonValue, key_pair: Callable[[str], KeyPair]) -> JsonValue:
    """Return the message with a key pair in the place of every secret that would be fetched."""
    match value:
        case dict():
            copy = {key: _with_secrets(item, key_pair) for key, item in value.items() if key not in _FETCHED}
            pairs = [key_pair(str(config.get("name", ""))) for config in _objects(value.get(_CERTIFICATE_BY_SDS))]
            if pairs:
                copy["tls_certificates"] = [_tls_certificate(pair) for pair in pairs]
            combined = value.get(_COMBINED)
            if isinstance(combined, dict):
                default = combined.get("default_validation_context")
                copy["validation_context"] = {**(default if isinstance(default, dict) else {}), **_trusted_ca(combined, key_pair)}
            elif _CA_BY_SDS in value:
                copy["validation_context"] = _trusted_ca(value, key_pair)
            return copy
        case list():
            return [_with_secrets(item, key_pair) for item in value]
        case _:
            return value


def _tls_certificate(pair: KeyPair) -> JsonValue:
    return {"certificate_chain": {"inline_string": pair.certificate}, "private_key": {"inline_string": pair.key}}


def _trusted_ca(context: JsonObject, key_pair: Callable[[str], KeyPair]) -> JsonObject:
    """Return the CA that a context would fetch by SDS; nothing if it fetches none."""
    config = context.get(_CA_BY_SDS)
    return {"trusted_ca": {"inline_string": key_pair(str(config.get("name", ""))).certificate}} if isinstance(config, dict) else {}


def _sds_configs(value: JsonObject) -> list[JsonObject]:
    authority = value.get(_CA_BY_SDS)
    return _objects(value.get(_CERTIFICATE_BY_SDS)) + ([authority] if isinstance(authority, dict) else [])


def _objects(value: JsonValue) -> list[JsonObject]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
