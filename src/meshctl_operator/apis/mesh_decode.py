"""From a MeshConfig document to the object that holds the mesh-wide settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from meshctl_operator.apis import codes
from meshctl_operator.apis.changes import Rejected, Upsert
from meshctl_operator.apis.connection_settings import ConnectionSettings
from meshctl_operator.apis.mesh_config import (
    MESH_KEY,
    GatewayTopology,
    InboundTrafficPolicy,
    MeshConfig,
    MeshOutboundTrafficPolicy,
    PathNormalization,
    ProxyConfig,
    TlsDefaults,
)
from meshctl_operator.apis.meta import ConfigObject, ObjectMeta
from meshctl_operator.apis.paths import child
from meshctl_operator.apis.proxy_headers import ClientCertDetails, ForwardedSwitch, HeaderSwitch, ProxyHeaders, ServerHeader
from meshctl_operator.apis.schema import Node, node_of
from meshctl_operator.apis.structure import StructureReport, did_you_mean, marked, read, seen
from meshctl_operator.apis.validation.connection_settings import check_connection_settings
from meshctl_operator.apis.validation.findings import Findings
from meshctl_operator.apis.validation.http_actions import check_retries
from meshctl_operator.apis.validation.primitives import MAX_PORT, has_control_characters
from meshctl_operator.apis.validation.traffic_policy import check_traffic_policy
from meshctl_operator.base.diagnostics import Diagnostic, Severity, has_errors
from meshctl_operator.base.durations import Duration

_OTHER_PARTS: Final = frozenset(
    [
        "binaryPath",
        "ca",
        "caCertificates",
        "certificates",
        "configPath",
        "configSources",
        "controlPlaneAuthPolicy",
        "customConfigFile",
        "defaultProviders",
        "disableEnvoyListenerLog",
        "discoverySelectors",
        "enableEnvoyAccessLogService",
        "enablePrometheusMerge",
        "envoyAccessLogService",
        "envoyMetricsService",
        "extensionProviders",
        "extraStatTags",
        "fileFlushInterval",
        "fileFlushMinSizeKb",
        "holdApplicationUntilProxyStarts",
        "image",
        "ingressClass",
        "ingressControllerMode",
        "interceptionMode",
        "meshId",
        "meshMTLS",
        "privateKeyProvider",
        "proxyBootstrapTemplatePath",
        "proxyStatsMatcher",
        "readinessProbe",
        "runtimeValues",
        "serviceCluster",
        "serviceEntryVisibility",
        "serviceScopeConfigs",
        "serviceSettings",
        "statNameLength",
        "statsCompression",
        "statsdUdpAddress",
        "tracing",
        "tracingServiceName",
        "verifyCertificateAtClient",
        "caCertificatesPem",
    ]
)
"""Fields of MeshConfig and of its ProxyConfig that Istio has and that change nothing here."""


def decode_mesh_config(raw: object, *, validate: bool = True) -> Upsert | Rejected:
    """Turn a MeshConfig document into the object ``MESH_KEY``; its spec is a ``MeshConfig``.

    Fields that we do not know or do not act on give warnings. A value that cannot be read rejects the document; with
    ``validate=False`` its default is used instead. Never raises.
    """
    if raw is None:
        raw = {}
    if not isinstance(raw, Mapping):
        message = f"MeshConfig is {seen(raw)}, not a mapping"
        return Rejected(MESH_KEY, (codes.BAD_MESH_VALUE.error(MESH_KEY, "", message),))
    node = node_of(MeshConfig)
    findings = Findings(MESH_KEY)
    _check_known(raw, node, "", findings)
    report = StructureReport(MESH_KEY, "", code=codes.BAD_MESH_VALUE)
    config = read(MeshConfig, {key: value for key, value in raw.items() if value is not None}, report)
    _check_values(config, findings)
    diagnostics = [*report.diagnostics, *findings.items]
    for path, value, marker in marked(raw, node, ""):
        shown = f"{str(value).lower() if isinstance(value, bool) else value} is" if marker.values else "is"
        message = f"{shown} not compiled yet: {marker.note}"
        diagnostics.append(codes.NOT_COMPILED.warning(MESH_KEY, path.removeprefix("."), message))
    if validate and has_errors(diagnostics):
        return Rejected(MESH_KEY, tuple(diagnostics))
    obj: ConfigObject[MeshConfig] = ConfigObject.model_construct(
        key=MESH_KEY, api_version="mesh.istio.io/v1alpha1", meta=ObjectMeta(name=MESH_KEY.name), spec=config, status=None
    )
    return Upsert(obj, tuple(_as_warning(finding) for finding in diagnostics))


def _as_warning(finding: Diagnostic) -> Diagnostic:
    return replace(finding, severity=Severity.WARNING) if finding.severity is Severity.ERROR else finding


def _check_known(raw: Mapping[object, object], node: Node, path: str, findings: Findings) -> None:
    """Warn about fields that are unknown or without effect, in every message that ignores them."""
    fields = node.fields or {}
    for key, value in raw.items():
        where = child(path, str(key))
        field = fields.get(str(key))
        if field is not None:
            if isinstance(value, Mapping) and field.node.fields is not None and field.node.name in _LENIENT:
                _check_known(value, field.node, where, findings)
        elif key in _OTHER_PARTS:
            findings.items.append(codes.UNKNOWN_MESH_FIELD.info(MESH_KEY, where, "has no effect here"))
        else:
            hint = did_you_mean(str(key), node.field_names)
            findings.warn(codes.UNKNOWN_MESH_FIELD, where, f"is not a field of {node.name} that is known here", hint=hint)


_LENIENT: Final = frozenset(
    model.__name__
    for model in (
        ConnectionSettings,
        InboundTrafficPolicy,
        MeshOutboundTrafficPolicy,
        PathNormalization,
        TlsDefaults,
        GatewayTopology,
        ProxyConfig,
        ProxyHeaders,
        ServerHeader,
        HeaderSwitch,
        ForwardedSwitch,
        ClientCertDetails,
    )
)


def _check_values(config: MeshConfig, findings: Findings) -> None:
    for name, port in (
        ("proxyListenPort", config.proxy_listen_port),
        ("proxyInboundListenPort", config.proxy_inbound_listen_port),
        ("proxyHttpPort", config.proxy_http_port),
    ):
        if port > MAX_PORT:
            findings.error(codes.BAD_MESH_VALUE, name, f"{port} is not a port", hint=f"ports lie between 1 and {MAX_PORT}")
    for name, period in (("connectTimeout", config.connect_timeout), ("dnsRefreshRate", config.dns_refresh_rate)):
        if period < Duration.of(milliseconds=1):
            findings.error(codes.BAD_MESH_VALUE, name, f"{period} is too short", hint="the least is 1ms")
    if config.protocol_detection_timeout.nanos < 0:
        findings.error(codes.BAD_MESH_VALUE, "protocolDetectionTimeout", f"{config.protocol_detection_timeout} is negative")
    if config.default_config.connection_settings is not None:
        check_connection_settings(config.default_config.connection_settings, "defaultConfig.connectionSettings", findings)
    headers = config.default_config.proxy_headers
    if headers is not None and headers.server is not None and has_control_characters(headers.server.value):
        findings.error(codes.BAD_MESH_VALUE, "defaultConfig.proxyHeaders.server.value", "holds a control character")
    if config.default_http_retry_policy is not None:
        check_retries(config.default_http_retry_policy, "defaultHttpRetryPolicy", findings)
    if config.default_traffic_policy is not None:
        check_traffic_policy(config.default_traffic_policy, "defaultTrafficPolicy", findings)
