"""The table of kinds: what we read, under which group and versions, and what we know of but do not enforce."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

NETWORKING_GROUP: Final = "networking.istio.io"
NETWORKING_VERSIONS: Final = ("v1", "v1beta1", "v1alpha3")
SECURITY_GROUP: Final = "security.istio.io"
SECURITY_VERSIONS: Final = ("v1", "v1beta1")


class Kind(StrEnum):
    """Every kind of config object that the control plane reads."""

    GATEWAY = "Gateway"
    VIRTUAL_SERVICE = "VirtualService"
    DESTINATION_RULE = "DestinationRule"
    SERVICE_ENTRY = "ServiceEntry"
    WORKLOAD_ENTRY = "WorkloadEntry"
    WORKLOAD_GROUP = "WorkloadGroup"
    SIDECAR = "Sidecar"
    SERVICE = "Service"
    ENDPOINT_SLICE = "EndpointSlice"
    ENDPOINTS = "Endpoints"
    POD = "Pod"
    NODE = "Node"
    NAMESPACE = "Namespace"
    SECRET = "Secret"  # noqa: S105  (the name of a kind)
    CONFIG_MAP = "ConfigMap"
    DEPLOYMENT = "Deployment"
    AUTHORIZATION_POLICY = "AuthorizationPolicy"
    PEER_AUTHENTICATION = "PeerAuthentication"
    REQUEST_AUTHENTICATION = "RequestAuthentication"
    MESH_CONFIG = "MeshConfig"
    """Not a Kubernetes kind: the mesh-wide settings, held as one object named ``mesh``."""


@dataclass(frozen=True, slots=True)
class KindInfo:
    """How a kind appears in an API server: group (empty for core), served versions (newest first), plural, scope."""

    kind: Kind
    group: str
    versions: tuple[str, ...]
    plural: str
    namespaced: bool = True
    short_names: tuple[str, ...] = ()

    @property
    def is_routing(self) -> bool:
        """Whether this is one of Istio's routing kinds, whose structure we check strictly."""
        return self.group == NETWORKING_GROUP


def _routing(kind: Kind, plural: str, *short_names: str) -> KindInfo:
    return KindInfo(kind, NETWORKING_GROUP, NETWORKING_VERSIONS, plural, short_names=short_names)


KINDS: Final[dict[Kind, KindInfo]] = {
    info.kind: info
    for info in (
        _routing(Kind.GATEWAY, "gateways", "gw"),
        _routing(Kind.VIRTUAL_SERVICE, "virtualservices", "vs"),
        _routing(Kind.DESTINATION_RULE, "destinationrules", "dr"),
        _routing(Kind.SERVICE_ENTRY, "serviceentries", "se"),
        _routing(Kind.WORKLOAD_ENTRY, "workloadentries", "we"),
        _routing(Kind.WORKLOAD_GROUP, "workloadgroups", "wg"),
        _routing(Kind.SIDECAR, "sidecars"),
        KindInfo(Kind.SERVICE, "", ("v1",), "services"),
        KindInfo(Kind.ENDPOINT_SLICE, "discovery.k8s.io", ("v1",), "endpointslices"),
        KindInfo(Kind.ENDPOINTS, "", ("v1",), "endpoints"),
        KindInfo(Kind.POD, "", ("v1",), "pods"),
        KindInfo(Kind.NODE, "", ("v1",), "nodes", namespaced=False),
        KindInfo(Kind.NAMESPACE, "", ("v1",), "namespaces", namespaced=False),
        KindInfo(Kind.SECRET, "", ("v1",), "secrets"),
        KindInfo(Kind.CONFIG_MAP, "", ("v1",), "configmaps"),
        KindInfo(Kind.DEPLOYMENT, "apps", ("v1",), "deployments"),
        KindInfo(Kind.AUTHORIZATION_POLICY, SECURITY_GROUP, SECURITY_VERSIONS, "authorizationpolicies", short_names=("ap",)),
        KindInfo(Kind.PEER_AUTHENTICATION, SECURITY_GROUP, SECURITY_VERSIONS, "peerauthentications", short_names=("pa",)),
        KindInfo(Kind.REQUEST_AUTHENTICATION, SECURITY_GROUP, SECURITY_VERSIONS, "requestauthentications", short_names=("ra",)),
    )
}

NOT_ENFORCED: Final[dict[str, frozenset[str]]] = {
    "telemetry.istio.io": frozenset({"Telemetry"}),
    "extensions.istio.io": frozenset({"WasmPlugin", "TrafficExtension"}),
    "gateway.networking.k8s.io": frozenset(
        {"Gateway", "GatewayClass", "HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute", "UDPRoute", "ListenerSet", "BackendTLSPolicy"}
    ),
    "networking.k8s.io": frozenset({"Ingress"}),
}
"""Kinds that change traffic on istiod and that we do not act on: they are reported, never ignored in silence."""


REFUSED: Final[dict[str, frozenset[str]]] = {NETWORKING_GROUP: frozenset({"EnvoyFilter", "ProxyConfig"})}
"""Kinds that rewrite what others say, or that matter when a proxy is started. We stay away from them for good, and refuse them."""


def is_refused(api_version: str, kind: str) -> bool:
    """Tell whether the kind is one that is refused."""
    return kind in REFUSED.get(api_version.rpartition("/")[0], frozenset())


def find(api_version: str, kind: str) -> KindInfo | None:
    """Return the entry for an object's ``apiVersion`` and ``kind``, or None when it is not one that we read."""
    group, _, version = api_version.rpartition("/")
    if kind not in Kind._value2member_map_:
        return None
    info = KINDS.get(Kind(kind))
    return info if info is not None and info.group == group and version in info.versions else None


def is_not_enforced(api_version: str, kind: str) -> bool:
    """Tell whether the kind is one that istiod acts on and we do not."""
    return kind in NOT_ENFORCED.get(api_version.rpartition("/")[0], frozenset())
