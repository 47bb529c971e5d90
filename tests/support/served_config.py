"""What an Envoy says that it runs, compared with what it was served."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.listener.v3 import listener_pb2
from envoy.config.route.v3 import route_pb2
from google.protobuf import json_format

from meshctl_operator.compiler.emit import resources as _resources  # noqa: F401  (registers the messages that are packed inside others)
from meshctl_operator.xds.resources import TypeUrl
from meshctl_operator.xds.virtual_hosts import route_of

Held = dict[str, tuple[str, Any]]


def held_by_envoy(dump: Mapping[str, Any], *, versions: bool = True) -> dict[TypeUrl, Held]:
    """Return name -> (version, message) of every active dynamic resource in a config dump; asserts that nothing warms or was refused.

    The message is None for secrets, and a mapping in Envoy's own words for endpoints, which come without a version and for all clusters.
    Without ``versions`` (SotW, where Envoy shows the version of the whole response) all versions are empty.
    Envoy shows a split route configuration as one, with the version of the last response with virtual hosts. Here it is taken apart into
    the two resources types as which it was served, and both are without versions.
    """
    held: dict[TypeUrl, Held] = {type_url: {} for type_url in TypeUrl}
    for type_url, entry, message in _entries(dump):
        assert "error_state" not in entry, entry
        name = entry["name"] if type_url is TypeUrl.SECRET else _name(message)
        split = type_url is TypeUrl.ROUTE and message.HasField("vhds")
        held[type_url][name] = (entry.get("version_info", "") if versions and not split else "", message)
        if split:
            held[TypeUrl.VIRTUAL_HOST].update({host.name: ("", host) for host in message.virtual_hosts})
            message.ClearField("virtual_hosts")
    return held


def whole_route(held: Mapping[TypeUrl, Held], name: str) -> Any:
    """Return the route configuration that a split one stands for: virtual hosts under their own names, in the order of these."""
    whole = route_pb2.RouteConfiguration()
    whole.CopyFrom(held[TypeUrl.ROUTE][name][1])
    whole.ClearField("vhds")
    hosts = {
        unquote(full.removeprefix(f"{name}/")): host for full, (_, host) in held[TypeUrl.VIRTUAL_HOST].items() if route_of(full) == name
    }
    for own, host in sorted(hosts.items()):
        whole.virtual_hosts.add().CopyFrom(host)
        whole.virtual_hosts[-1].name = own
    return whole


def is_split(held: Mapping[TypeUrl, Held], name: str) -> bool:
    """Tell whether Envoy has a route configuration whose virtual hosts are resources of their own."""
    return bool(held[TypeUrl.ROUTE][name][1].HasField("vhds"))


def sorted_hosts(route: Mapping[str, Any]) -> dict[str, Any]:
    """Return a route configuration in protobuf JSON with its virtual hosts in the order of their names."""
    return {**route, "virtual_hosts": sorted(route.get("virtual_hosts", ()), key=lambda host: str(host["name"]))}


def _name(message: Any) -> str:
    return str(message["cluster_name"] if isinstance(message, dict) else message.name)


def _entries(dump: Mapping[str, Any]) -> Iterator[tuple[TypeUrl, Mapping[str, Any], Any]]:
    """Yield (type, entry with version_info, message)."""
    for section in dump["configs"]:
        assert not section.get("dynamic_warming_clusters"), "clusters are still warming"
        assert not section.get("dynamic_warming_secrets"), "secrets are still warming"
        for entry in section.get("dynamic_active_clusters", ()):
            yield TypeUrl.CLUSTER, entry, _parse(entry["cluster"], cluster_pb2.Cluster())
        for listener in section.get("dynamic_listeners", ()):
            assert "error_state" not in listener, listener["error_state"]
            assert "warming_state" not in listener, f"{listener['name']} is still warming"
            if "active_state" in listener:
                entry = listener["active_state"]
                yield TypeUrl.LISTENER, entry, _parse(entry["listener"], listener_pb2.Listener())
        for entry in section.get("dynamic_route_configs", ()):
            yield TypeUrl.ROUTE, entry, _parse(entry["route_config"], route_pb2.RouteConfiguration())
        for entry in section.get("dynamic_endpoint_configs", ()):
            yield TypeUrl.ENDPOINT, entry, entry["endpoint_config"]
        for entry in section.get("dynamic_active_secrets", ()):
            yield TypeUrl.SECRET, entry, None


def _parse(value: Mapping[str, Any], message: Any) -> Any:
    return json_format.ParseDict({key: item for key, item in value.items() if key != "@type"}, message)


def endpoint_addresses(assignment: Mapping[str, Any]) -> dict[str, tuple[int, str, int]]:
    """Return ``address:port`` -> (priority, health, weight) of a ClusterLoadAssignment in protobuf JSON, as served or as Envoy shows it."""
    found = {}  # Envoy shows a host of unknown health as healthy, which is how it treats it
    for locality in assignment.get("endpoints", ()):
        for endpoint in locality.get("lb_endpoints", ()):
            socket = endpoint["endpoint"]["address"]["socket_address"]
            facts = (locality.get("priority", 0), endpoint.get("health_status", "HEALTHY"), endpoint.get("load_balancing_weight", 1))
            found[f"{socket['address']}:{socket['port_value']}"] = facts
    return found


def differences(served: Mapping[TypeUrl, Mapping[str, tuple[str, Mapping[str, Any]]]], held: Mapping[TypeUrl, Held]) -> list[str]:
    """Return what an Envoy does not hold as it was served, and what clusters and listeners it has beside.

    Args:
        served: name -> (version, protobuf JSON) of whole resources, for the types that are to be compared.
        held: of ``held_by_envoy``. A split route configuration is compared by content, everything else by version.
    """
    found = []
    for type_url, resources in served.items():
        for name in sorted({*resources, *(held[type_url] if type_url.full_state else ())}):
            wanted, shown = resources.get(name), held[type_url].get(name)
            if wanted is None or shown is None:
                alike = False
            elif type_url is TypeUrl.ROUTE and is_split(held, name):
                alike = same(whole_route(held, name), sorted_hosts(wanted[1]))
            else:
                alike = wanted[0] == shown[0]
            if not alike:
                found.append(f"{type_url.short} {name}: served {wanted and wanted[0]}, held {shown and shown[0]}")
    return found


def same(message: Any, body: Mapping[str, Any]) -> bool:
    """Tell whether Envoy's message says what the protobuf JSON of the served one says, whatever the order inside maps."""
    shown: Mapping[str, Any] = json_format.MessageToDict(message, preserving_proto_field_name=True)
    return shown == body
