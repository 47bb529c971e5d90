"""The mesh-wide settings: Istio's ``MeshConfig``, the fields that change what we serve."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final

from pydantic import Field

from meshctl_operator.apis.connection_settings import ConnectionSettings
from meshctl_operator.apis.kinds import Kind
from meshctl_operator.apis.mesh_networks import MeshNetworks
from meshctl_operator.apis.meta import LenientModel
from meshctl_operator.apis.networking.common import Flag, FrozenMap, GoDuration, TlsProtocol, UInt32
from meshctl_operator.apis.networking.destination_rule import H2UpgradePolicy, LocalityLb, TcpKeepalive, TrafficPolicy, ZoneAwareLb
from meshctl_operator.apis.networking.sidecar import OutboundMode
from meshctl_operator.apis.networking.virtual_service import HttpRetry
from meshctl_operator.apis.proxy_headers import ForwardClientCertDetails, ProxyHeaders
from meshctl_operator.apis.support import validated_only
from meshctl_operator.base.durations import Duration
from meshctl_operator.base.objects import ObjectKey

MESH_KEY: Final = ObjectKey(Kind.MESH_CONFIG, "", "mesh")
"""The key of the one object that holds the mesh-wide settings."""


class InboundMode(StrEnum):
    """What happens to inbound traffic for ports that no service has (Istio ``MeshConfig.InboundTrafficPolicy.Mode``)."""

    PASSTHROUGH = "PASSTHROUGH"
    LOCALHOST = "LOCALHOST"


class InboundTrafficPolicy(LenientModel):
    """Inbound counterpart of the outbound policy."""

    mode: InboundMode = InboundMode.PASSTHROUGH


class UnsupportedPolicies(StrEnum):
    """What becomes of workloads that a policy selects which is not enforced (a setting of ours, not of Istio's)."""

    DENY = "deny"
    IGNORE = "ignore"


class MeshOutboundTrafficPolicy(LenientModel):
    """What happens to traffic for unknown hosts. A block without mode means REGISTRY_ONLY, as in protobuf."""

    mode: OutboundMode = OutboundMode.REGISTRY_ONLY


class AccessLogEncoding(StrEnum):
    """Format of the access log."""

    TEXT = "TEXT"
    JSON = "JSON"


class PathNormalizationType(StrEnum):
    """How request paths are normalised before routing (Istio ``ProxyPathNormalization.NormalizationType``)."""

    DEFAULT = "DEFAULT"
    NONE = "NONE"
    BASE = "BASE"
    MERGE_SLASHES = "MERGE_SLASHES"
    DECODE_AND_MERGE_SLASHES = "DECODE_AND_MERGE_SLASHES"


class PathNormalization(LenientModel):
    """How request paths are normalised before routing."""

    normalization: PathNormalizationType = PathNormalizationType.DEFAULT


class TlsDefaults(LenientModel):
    """TLS parameters of gateways, before those of a server."""

    min_protocol_version: TlsProtocol = TlsProtocol.TLS_AUTO
    ecdh_curves: tuple[str, ...] = ()
    cipher_suites: tuple[str, ...] = ()


class GatewayTopology(LenientModel):
    """What stands in front of the gateways."""

    num_trusted_proxies: UInt32 = 0
    forward_client_cert_details: ForwardClientCertDetails = ForwardClientCertDetails.UNDEFINED
    proxy_protocol: FrozenMap[str, object] | None = None


class ProxyConfig(LenientModel):
    """Defaults of every proxy (Istio ``ProxyConfig``), as far as xDS depends on them."""

    gateway_topology: GatewayTopology = Field(default_factory=GatewayTopology)
    connection_settings: ConnectionSettings | None = None
    proxy_headers: ProxyHeaders | None = None
    proxy_metadata: Annotated[FrozenMap[str, str], validated_only("it matters when a proxy is started, which is not done from here")] = (
        Field(default_factory=dict)
    )
    discovery_address: Annotated[str, validated_only("it matters when a proxy is started, which is not done from here")] = ""
    concurrency: Annotated[UInt32 | None, validated_only("it matters when a proxy is started, which is not done from here")] = None
    status_port: Annotated[UInt32, validated_only("it matters when a proxy is started, which is not done from here")] = 15020
    proxy_admin_port: Annotated[UInt32, validated_only("it matters when a proxy is started, which is not done from here")] = 15000
    drain_duration: Annotated[GoDuration | None, validated_only("it matters when a proxy is started, which is not done from here")] = None
    termination_drain_duration: Annotated[
        GoDuration | None, validated_only("it matters when a proxy is started, which is not done from here")
    ] = None


class MeshConfig(LenientModel):
    """The mesh-wide settings with Istio's defaults. ``enable_auto_mtls`` None means unset, which we read as false.

    ``mesh_networks`` is no field of Istio's MeshConfig but its neighbour in the ConfigMap ``istio``.
    """

    proxy_listen_port: UInt32 = 15001
    proxy_inbound_listen_port: UInt32 = 15006
    proxy_http_port: UInt32 = 0
    connect_timeout: GoDuration = Duration.of(seconds=10)
    protocol_detection_timeout: GoDuration = Duration(0)
    tcp_keepalive: TcpKeepalive | None = None
    dns_refresh_rate: GoDuration = Duration.of(seconds=60)
    h2_upgrade_policy: H2UpgradePolicy = H2UpgradePolicy.DO_NOT_UPGRADE
    outbound_traffic_policy: MeshOutboundTrafficPolicy = MeshOutboundTrafficPolicy(mode=OutboundMode.ALLOW_ANY)
    inbound_traffic_policy: InboundTrafficPolicy = InboundTrafficPolicy()
    locality_lb_setting: LocalityLb | None = None
    zone_aware_lb_setting: ZoneAwareLb | None = None
    default_traffic_policy: TrafficPolicy | None = None
    default_http_retry_policy: HttpRetry | None = None
    default_inbound_http_retry_policy: HttpRetry | None = None
    default_service_export_to: tuple[str, ...] = ("*",)
    default_virtual_service_export_to: tuple[str, ...] = ("*",)
    default_destination_rule_export_to: tuple[str, ...] = ("*",)
    root_namespace: str = "istio-system"
    trust_domain: Annotated[str, validated_only("the mesh has no mutual TLS")] = "cluster.local"
    trust_domain_aliases: Annotated[tuple[str, ...], validated_only("the mesh has no mutual TLS")] = ()
    enable_auto_mtls: Annotated[Flag | None, validated_only("the mesh has no mutual TLS", "true")] = None
    access_log_file: str = ""
    access_log_format: str = ""
    access_log_encoding: AccessLogEncoding = AccessLogEncoding.TEXT
    path_normalization: PathNormalization = PathNormalization()
    tls_defaults: TlsDefaults | None = None
    mesh_networks: MeshNetworks | None = None
    ingress_service: Annotated[str, validated_only("Ingress objects are not read")] = "istio-ingressgateway"
    ingress_selector: Annotated[str, validated_only("Ingress objects are not read")] = ""
    unsupported_policies: UnsupportedPolicies = UnsupportedPolicies.DENY
    inbound_cluster_stat_name: str = ""
    outbound_cluster_stat_name: str = ""
    enable_tracing: Annotated[Flag | None, validated_only("no spans are reported", "true")] = None
    default_config: ProxyConfig = ProxyConfig()
