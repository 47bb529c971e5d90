"""Which headers proxies add by themselves: what the mesh says, else what Istio adds."""

from __future__ import annotations

from dataclasses import dataclass

from meshctl_operator.apis.proxy_headers import ClientCertDetails, HeaderSwitch, ProxyHeaders
from meshctl_operator.apis.validation.primitives import has_control_characters
from meshctl_operator.compiler.inputs.listeners import ClientCertForwarding
from meshctl_operator.incremental.context import Context, firewall
from meshctl_operator.model.mesh import mesh_config

_INBOUND_DETAILS = ClientCertDetails(subject=True, dns=True, uri=True)


@dataclass(frozen=True, slots=True)
class HeaderSettings:
    """The headers of every connection manager. ``server`` empty leaves the text as it is on that side, None passes the upstream's on.

    ``client_cert`` and ``certificate_details`` are those of the inbound side of sidecars.
    """

    server: str | None = ""
    request_id: bool = True
    debug: bool = True
    forwarded_port: bool = False
    client_cert: ClientCertForwarding = ClientCertForwarding.APPEND_FORWARD
    certificate_details: tuple[str, ...] = ("subject", "dns", "uri")


@firewall
def header_settings(ctx: Context) -> HeaderSettings:
    """Return what connection managers do about headers (tracked)."""
    declared = _declared(ctx)
    server: str | None = ""
    if declared.server is not None:
        text = declared.server.value
        server = None if declared.server.disabled else "" if has_control_characters(text) else text
    forwarding = declared.forwarded_client_cert.value
    return HeaderSettings(
        server=server,
        request_id=_is_on(declared.request_id),
        debug=_is_on(declared.envoy_debug_headers),
        forwarded_port=declared.x_forwarded_port is not None and bool(declared.x_forwarded_port.enabled),
        client_cert=ClientCertForwarding.APPEND_FORWARD if forwarding == "UNDEFINED" else ClientCertForwarding(forwarding),
        certificate_details=_details(declared.set_current_client_cert_details),
    )


@firewall
def counts_attempts(ctx: Context) -> bool:
    """Tell whether upstreams learn how often a request was tried (tracked)."""
    return _is_on(_declared(ctx).attempt_count)


@firewall
def forwards_host(ctx: Context) -> bool:
    """Tell whether a request whose authority is rewritten carries the one that it had (tracked)."""
    declared = _declared(ctx).x_forwarded_host
    return declared is not None and bool(declared.enabled)


def _declared(ctx: Context) -> ProxyHeaders:
    return mesh_config(ctx).default_config.proxy_headers or ProxyHeaders()


def _is_on(switch: HeaderSwitch | None) -> bool:
    return switch is None or not switch.disabled


def _details(declared: ClientCertDetails | None) -> tuple[str, ...]:
    """Return the details; what is not said is as Istio has it."""
    found = []
    for name in ("subject", "cert", "chain", "dns", "uri"):
        said = getattr(declared, name) if declared is not None else None
        if getattr(_INBOUND_DETAILS, name) if said is None else said:
            found.append(name)
    return tuple(found)
