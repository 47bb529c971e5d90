"""Who a proxy is: from the Node message of its first request, completed by what the registry knows of its workload."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from meshctl_operator.base.errors import ProtocolViolation
from meshctl_operator.base.hostname import is_ip
from meshctl_operator.base.labels import Labels, freeze
from meshctl_operator.bootstrap.nodes import LOCAL_KEY
from meshctl_operator.incremental.context import Context
from meshctl_operator.model.proxies import InterceptionMode, LocalBinding, Locality, Proxy, ProxyRole
from meshctl_operator.model.workloads import workload_named
from meshctl_operator.xds.nodes import JsonValue, NodeInfo

_PARTS: Final = 4
_MAX_PORT: Final = 65535
_NOWHERE: Final = Locality()
DISPENSABLE: Final = frozenset(
    {
        "envoy.filters.http.grpc_web",
        "envoy.filters.http.grpc_stats",
        "envoy.filters.http.fault",
        "envoy.filters.http.cors",
        "envoy.filters.network.mongo_proxy",
    }
)
"""Filters that a proxy may have been built without: they are left out for it rather than have it refuse its listeners."""
_REGION: Final = "topology.kubernetes.io/region"
_ZONE: Final = "topology.kubernetes.io/zone"
_SUB_ZONE: Final = "topology.istio.io/subzone"


@dataclass(frozen=True, slots=True)
class DeclaredProxy:
    """What a proxy says of itself. ``static_labels`` are those that its workload's own labels override."""

    proxy: Proxy
    static_labels: Labels = ()


def read_proxy(node: NodeInfo) -> DeclaredProxy:
    """Read node id ``<type>~<ip>~<name>.<namespace>~<dns domain>`` and metadata as istiod does. Raises ProtocolViolation if it cannot be served."""
    parts = node.id.split("~")
    if len(parts) != _PARTS:
        raise ProtocolViolation(f'node id "{node.id}" has {len(parts)} parts, not {_PARTS}', hint="it is type~ip~name.namespace~dns-domain")
    kind, ip, name, domain = parts
    if kind not in set(ProxyRole):
        raise ProtocolViolation(f'node type "{kind}" is not served', hint=f"it is one of {', '.join(ProxyRole)}")
    metadata = node.metadata
    given = [part.strip() for part in _text(metadata, "INSTANCE_IPS").split(",") if part.strip()]
    ips = tuple(given) if given and all(map(is_ip, given)) else (ip,)
    if not all(map(is_ip, ips)):
        raise ProtocolViolation(f'node id "{node.id}" has no valid IP address', hint="set it in the id or in metadata INSTANCE_IPS")
    namespace = _text(metadata, "NAMESPACE") or (domain.partition(".")[0] if "." in domain else "default")
    locality = node.locality
    proxy = Proxy(
        role=ProxyRole(kind),
        name=_text(metadata, "NAME") or name.removesuffix(f".{namespace}"),
        namespace=namespace,
        ips=ips,
        labels=freeze(_labels(metadata, "LABELS")),
        service_account=_text(metadata, "SERVICE_ACCOUNT"),
        dns_domain=domain,
        locality=Locality(locality.region, locality.zone, locality.sub_zone),
        node_name=_text(metadata, "NODE_NAME"),
        cluster_id=_text(metadata, "CLUSTER_ID") or "Kubernetes",
        network=_text(metadata, "NETWORK"),
        interception=_interception(_text(metadata, "INTERCEPTION_MODE")),
        http_proxy_port=_port(metadata.get("HTTP_PROXY_PORT"), "HTTP_PROXY_PORT"),
        unprivileged=_text(metadata, "UNPRIVILEGED_POD") == "true",
        http10=_text(metadata, "HTTP10") == "1",
        local=_local(metadata.get(LOCAL_KEY)),
        dns_capture=_text(metadata, "DNS_CAPTURE") == "true",
        network_view=tuple(sorted({part.strip() for part in _text(metadata, "REQUESTED_NETWORK_VIEW").split(",") if part.strip()})),
        lacking=tuple(sorted(DISPENSABLE - node.extensions)) if node.extensions else (),
    )
    return DeclaredProxy(proxy, freeze(_labels(metadata, "STATIC_LABELS")))


def resolve_proxy(ctx: Context, declared: DeclaredProxy) -> Proxy:
    """Complete a proxy from its Pod, WorkloadEntry or Deployment: labels, locality, service account, node.

    The labels of a known workload replace those that the proxy declares, since they may have changed after it started.
    """
    proxy = declared.proxy
    workload = ctx.derive(workload_named, proxy.namespace, proxy.name)
    labels = {**dict(declared.static_labels), **dict(proxy.labels if workload is None else workload.labels)}
    locality = _labelled_locality(labels)
    if workload is not None:
        proxy = replace(
            proxy,
            service_account=proxy.service_account or workload.service_account,
            locality=workload.locality if workload.locality != _NOWHERE else proxy.locality,
            node_name=proxy.node_name or workload.node_name,
            network=proxy.network or workload.network,
        )
    proxy = proxy if locality == _NOWHERE else replace(proxy, locality=locality)
    return replace(proxy, labels=_with_topology(labels, proxy))


def _labelled_locality(labels: Mapping[str, str]) -> Locality:
    """Return the locality that the labels of a workload state; they win over that of its node."""
    return Locality(labels.get(_REGION, ""), labels.get(_ZONE, ""), labels.get(_SUB_ZONE, ""))


def _with_topology(labels: dict[str, str], proxy: Proxy) -> Labels:
    """Add the topology labels that istiod adds, so that selectors may use them; labels given by hand stay."""
    topology = {
        _REGION: proxy.locality.region,
        _ZONE: proxy.locality.zone,
        _SUB_ZONE: proxy.locality.sub_zone,
        "topology.istio.io/network": proxy.network,
        "kubernetes.io/hostname": proxy.node_name,
    }
    return freeze({**{name: value for name, value in topology.items() if value}, **labels})


def _text(metadata: Mapping[str, JsonValue], key: str) -> str:
    """Return a metadata value as text: booleans and numbers are strings in Istio's metadata, but not in everybody's."""
    match metadata.get(key):
        case str(text):
            return text
        case bool(flag):
            return "true" if flag else "false"
        case float(number):
            return f"{number:g}"
        case list(items):
            return ",".join(item for item in items if isinstance(item, str))
        case _:
            return ""


def _labels(metadata: Mapping[str, JsonValue], key: str) -> dict[str, str]:
    value = metadata.get(key)
    return {name: text for name, text in value.items() if isinstance(text, str)} if isinstance(value, dict) else {}


def _interception(text: str) -> InterceptionMode:
    return InterceptionMode(text) if text in set(InterceptionMode) else InterceptionMode.REDIRECT


def _port(value: JsonValue, name: str) -> int:
    """Return a port from a number or its text; 0 where there is none."""
    if value is None or value == "":
        return 0
    try:
        port = int(value) if isinstance(value, (str, float)) else -1
    except (ValueError, OverflowError):
        port = -1
    if not 0 <= port <= _MAX_PORT:
        raise ProtocolViolation(f"node metadata {name} is {value!r}, which is not a port")
    return port


def _local(value: JsonValue) -> LocalBinding | None:
    """Return how a proxy of the local mesh is bound."""
    if value is None:
        return None
    address = value.get("address") if isinstance(value, dict) else None
    if not isinstance(value, dict) or not isinstance(address, str) or not is_ip(address):
        raise ProtocolViolation(f"node metadata {LOCAL_KEY} has no valid address")
    return LocalBinding(address, _ports(value.get("ports"), "ports"), _ports(value.get("app_ports"), "app_ports"))


def _ports(value: JsonValue, name: str) -> tuple[tuple[int, int], ...]:
    if not isinstance(value, dict):
        return ()
    return tuple(sorted((_port(port, f"{LOCAL_KEY}.{name}"), _port(bound, f"{LOCAL_KEY}.{name}.{port}")) for port, bound in value.items()))
