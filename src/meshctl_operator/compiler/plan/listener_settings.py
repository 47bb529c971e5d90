"""What the mesh settings say about every listener, read once: access log, path normalisation, protocol detection."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final, assert_never

from meshctl_operator.apis.mesh_config import MESH_KEY, AccessLogEncoding, MeshConfig, PathNormalizationType
from meshctl_operator.apis.validation.header_operations import value_problem
from meshctl_operator.base.diagnostics import Diagnostic
from meshctl_operator.base.durations import Duration
from meshctl_operator.compiler import listener_codes
from meshctl_operator.compiler.inputs.listeners import AccessLogInput, ClientCertForwarding, EscapedSlashes
from meshctl_operator.compiler.plan.http_limits import Limits, gateway_limits, sidecar_limits
from meshctl_operator.compiler.plan.proxy_headers import HeaderSettings, header_settings
from meshctl_operator.incremental.context import Context
from meshctl_operator.model.mesh import mesh_config

_LINE_END: Final = "\n"

_REQUEST_LINE: Final = '"%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%"'
DEFAULT_TEXT: Final = (
    f"[%START_TIME%] {_REQUEST_LINE} %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS% "
    '"%UPSTREAM_TRANSPORT_FAILURE_REASON%" %BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% '
    '"%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" "%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%" '
    "%UPSTREAM_CLUSTER_RAW% %UPSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS% "
    "%REQUESTED_SERVER_NAME% %ROUTE_NAME% %METADATA(ROUTE:istio:config)% %METADATA(CLUSTER:istio:config)%\n"
)
"""One line per request, in the field order that log parsers for Istio expect; last the VirtualService and the DestinationRule."""

DEFAULT_FIELDS: Final = (
    ("authority", "%REQ(:AUTHORITY)%"),
    ("bytes_received", "%BYTES_RECEIVED%"),
    ("bytes_sent", "%BYTES_SENT%"),
    ("connection_termination_details", "%CONNECTION_TERMINATION_DETAILS%"),
    ("destination_rule", "%METADATA(CLUSTER:istio:config)%"),
    ("downstream_local_address", "%DOWNSTREAM_LOCAL_ADDRESS%"),
    ("downstream_remote_address", "%DOWNSTREAM_REMOTE_ADDRESS%"),
    ("duration", "%DURATION%"),
    ("method", "%REQ(:METHOD)%"),
    ("path", "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%"),
    ("protocol", "%PROTOCOL%"),
    ("request_id", "%REQ(X-REQUEST-ID)%"),
    ("requested_server_name", "%REQUESTED_SERVER_NAME%"),
    ("response_code", "%RESPONSE_CODE%"),
    ("response_code_details", "%RESPONSE_CODE_DETAILS%"),
    ("response_flags", "%RESPONSE_FLAGS%"),
    ("route_name", "%ROUTE_NAME%"),
    ("start_time", "%START_TIME%"),
    ("upstream_cluster", "%UPSTREAM_CLUSTER_RAW%"),
    ("upstream_host", "%UPSTREAM_HOST%"),
    ("upstream_local_address", "%UPSTREAM_LOCAL_ADDRESS%"),
    ("upstream_service_time", "%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%"),
    ("upstream_transport_failure_reason", "%UPSTREAM_TRANSPORT_FAILURE_REASON%"),
    ("user_agent", "%REQ(USER-AGENT)%"),
    ("virtual_service", "%METADATA(ROUTE:istio:config)%"),
    ("x_forwarded_for", "%REQ(X-FORWARDED-FOR)%"),
)
"""The operators of the text format under the keys that log parsers for Istio expect, in key order; two name the objects that decided."""


@dataclass(frozen=True, slots=True)
class ListenerSettings:
    """The facts of the mesh settings that listeners depend on; an edit of anything else leaves every listener alone."""

    access_log: AccessLogInput | None
    detection_timeout: Duration
    normalize_path: bool
    merge_slashes: bool
    escaped_slashes: EscapedSlashes
    outbound_port: int
    inbound_port: int
    trusted_hops: int
    gateway_client_cert: ClientCertForwarding
    gateways: Limits
    sidecars: Limits
    proxy_protocol: bool
    headers: HeaderSettings


def listener_settings(ctx: Context) -> ListenerSettings:
    """Return the settings that every listener shares (tracked)."""
    config = mesh_config(ctx)
    normalize, merge, slashes = _normalization(config.path_normalization.normalization)
    topology = config.default_config.gateway_topology
    declared = topology.forward_client_cert_details.value
    return ListenerSettings(
        access_log=_access_log(config),
        detection_timeout=config.protocol_detection_timeout,
        normalize_path=normalize,
        merge_slashes=merge,
        escaped_slashes=slashes,
        outbound_port=config.proxy_listen_port,
        inbound_port=config.proxy_inbound_listen_port,
        trusted_hops=topology.num_trusted_proxies,
        gateways=gateway_limits(config.default_config.connection_settings),
        sidecars=sidecar_limits(config.default_config.connection_settings),
        proxy_protocol=topology.proxy_protocol is not None,
        headers=ctx.derive(header_settings),
        gateway_client_cert=ClientCertForwarding.SANITIZE_SET if declared == "UNDEFINED" else ClientCertForwarding(declared),
    )


def _normalization(kind: PathNormalizationType) -> tuple[bool, bool, EscapedSlashes]:
    match kind:
        case PathNormalizationType.NONE:
            return False, False, EscapedSlashes.DEFAULT
        case PathNormalizationType.DEFAULT | PathNormalizationType.BASE:
            return True, False, EscapedSlashes.DEFAULT
        case PathNormalizationType.MERGE_SLASHES:
            return True, True, EscapedSlashes.DEFAULT
        case PathNormalizationType.DECODE_AND_MERGE_SLASHES:
            return True, True, EscapedSlashes.UNESCAPE_AND_FORWARD
        case _:
            assert_never(kind)


def settings_findings(ctx: Context) -> tuple[Diagnostic, ...]:
    """Return what is wrong with the settings that listeners depend on (tracked)."""
    config = mesh_config(ctx)
    problem = _format_problem(config) if config.access_log_file else None
    if problem is None:
        return ()
    message = f"{problem}; the default format is used"
    return (listener_codes.ACCESS_LOG_FORMAT.warning(MESH_KEY, "accessLogFormat", message),)


def _access_log(config: MeshConfig) -> AccessLogInput | None:
    if not config.access_log_file:
        return None
    declared = "" if _format_problem(config) else config.access_log_format
    match config.access_log_encoding:
        case AccessLogEncoding.TEXT:
            # A line without an end would run into the next one.
            text = f"{declared.rstrip(_LINE_END)}{_LINE_END}" if declared else DEFAULT_TEXT
            return AccessLogInput(config.access_log_file, text=text)
        case AccessLogEncoding.JSON:
            return AccessLogInput(config.access_log_file, fields=_json_fields(declared) or DEFAULT_FIELDS)
        case _:
            assert_never(config.access_log_encoding)


def _format_problem(config: MeshConfig) -> str | None:
    """Return why Envoy would refuse the format, and every listener with it; None where it would not."""
    texts = [config.access_log_format]
    if config.access_log_encoding is AccessLogEncoding.JSON and config.access_log_format:
        texts = [operator for _, operator in _json_fields(config.access_log_format)]
        if not texts:
            return "is no JSON object whose values are texts"
    for text in texts:
        problem = value_problem(text.replace(_LINE_END, " "))
        if problem is not None:
            return " ".join((problem[0], f"({problem[1]})" if problem[1] else "")).strip()
    return None


def _json_fields(text: str) -> tuple[tuple[str, str], ...]:
    """Return the keys and operators of a JSON format, by key; nothing where it is no JSON object of texts."""
    try:
        declared = json.loads(text) if text else {}
    except ValueError:
        return ()
    pairs = declared.items() if isinstance(declared, dict) else ()
    return tuple(sorted((key, value) for key, value in pairs if isinstance(value, str)))
