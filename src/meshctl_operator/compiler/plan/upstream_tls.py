"""From the TLS settings of a policy to TLS of a cluster: plain text, certificates of files, or certificates of Secrets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from meshctl_operator.apis.mesh_config import TlsDefaults
from meshctl_operator.apis.networking.destination_rule import ClientTls, ClientTlsMode
from meshctl_operator.base.diagnostics import Diagnostic
from meshctl_operator.compiler.inputs.clusters import UpstreamHttp, UpstreamTlsInput
from meshctl_operator.compiler.plan.secret_names import is_workload_identity, sds_name
from meshctl_operator.compiler.plan.tls_parameters import usable_ciphers, usable_curves
from meshctl_operator.model import codes
from meshctl_operator.model.destination_rules import MergedRule
from meshctl_operator.model.proxies import ProxyRole
from meshctl_operator.model.services import Service, ServiceRegistry

SYSTEM_AUTHORITIES: Final = "/etc/ssl/certs/ca-certificates.crt"
"""The trusted authorities of the proxy's host, where Debian, Ubuntu, Alpine and Envoy's own images keep them."""
CA_SUFFIX: Final = "-cacert"
"""Ends the name of a credential that holds authorities rather than a certificate."""
CONFIG_MAP: Final = "configmap://"


@dataclass(frozen=True, slots=True)
class TlsPlan:
    """TLS of a cluster: the context (None for plain text), and how the name of the server is found where the policy names none."""

    context: UpstreamTlsInput | None = None
    where_taken: UpstreamTlsInput | None = None
    """TLS to those endpoints alone that take it."""
    auto_sni: bool = False
    auto_san_validation: bool = False
    refused: str = ""
    """Why there can be no such cluster; empty where there can."""


PLAIN_TEXT: Final = TlsPlan()


def plan_tls(
    tls: ClientTls | None,
    role: ProxyRole,
    service: Service,
    rule: MergedRule | None,
    protocol: UpstreamHttp | None,
    defaults: TlsDefaults | None,
    found: list[Diagnostic],
) -> TlsPlan:
    """Return TLS to the service as the policy of the rule wants it, with the mesh's default cipher suites and curves.

    Certificates of the mesh do not exist yet: within the mesh ISTIO_MUTUAL is plain text, with a warning, since the other side accepts
    nothing else; towards the outside such a cluster is refused. A credential is not handed to each sidecar that sees the rule (Istio does
    not either): without a workloadSelector it is plain text there, with a warning.
    """
    if tls is None or rule is None or tls.mode is ClientTlsMode.DISABLE:
        return PLAIN_TEXT
    if tls.mode is ClientTlsMode.ISTIO_MUTUAL:
        if service.mesh_external:
            return TlsPlan(refused="tls.mode ISTIO_MUTUAL needs a certificate of the mesh")
        message = f"mode ISTIO_MUTUAL needs certificates of the mesh, which nobody issues yet: {service.host} is reached in plain text"
        found.append(codes.MESH_TLS_NOT_SERVED.warning(rule.key, "spec.trafficPolicy.tls.mode", message))
        return PLAIN_TEXT
    credential = tls.credential_name
    if credential and role is ProxyRole.SIDECAR and rule.selector is None and not credential.startswith(CONFIG_MAP):
        message = f"{credential!r} is not handed to sidecars: they reach {service.host} in plain text; gateways use it"
        hint = "add a workloadSelector for the sidecars that may have it"
        found.append(codes.CREDENTIAL_NOT_FOR_SIDECARS.warning(rule.key, "spec.trafficPolicy.tls.credentialName", message, hint=hint))
        return PLAIN_TEXT
    return _with_certificates(tls, service, protocol, defaults or TlsDefaults())


def _with_certificates(tls: ClientTls, service: Service, protocol: UpstreamHttp | None, defaults: TlsDefaults) -> TlsPlan:
    mutual = tls.mode is ClientTlsMode.MUTUAL
    credential = tls.credential_name
    secret = credential if credential.startswith(CONFIG_MAP) else sds_name(credential) if credential else ""
    if is_workload_identity(secret):
        return TlsPlan(refused=f"tls.credentialName {credential!r} is the certificate of the workload, which nobody issues yet")
    if mutual and credential.startswith(CONFIG_MAP):
        return TlsPlan(refused="a ConfigMap holds no client certificate, which tls.mode MUTUAL needs")
    if mutual and not secret and not (tls.client_certificate and tls.private_key):
        return TlsPlan(refused="tls.mode MUTUAL needs clientCertificate and privateKey, or a credentialName")
    verifies = not tls.insecure_skip_verify
    names = tls.subject_alt_names
    if not names and service.registry is ServiceRegistry.EXTERNAL:
        names = service.service_accounts
    context = UpstreamTlsInput(
        sni=tls.sni,
        alpn=("h2",) if protocol is UpstreamHttp.HTTP2 else (),
        trusted_ca=(tls.ca_certificates or SYSTEM_AUTHORITIES) if verifies and not secret else "",
        subject_alt_names=tuple(dict.fromkeys(names)) if verifies else (),
        crl=tls.ca_crl if verifies and not secret else "",
        certificate=tls.client_certificate if mutual and not secret else "",
        private_key=tls.private_key if mutual and not secret else "",
        certificate_secret=secret if mutual else "",
        authority_secret=secret + CA_SUFFIX if secret and verifies else "",
        cipher_suites=usable_ciphers(defaults.cipher_suites),
        curves=usable_curves(defaults.ecdh_curves),
    )
    auto_sni = not tls.sni
    return TlsPlan(context, auto_sni=auto_sni, auto_san_validation=auto_sni and verifies and not tls.subject_alt_names)
