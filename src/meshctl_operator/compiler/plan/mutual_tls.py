"""Mutual TLS among proxies of the mesh: where it is spoken without being asked for, and with which names and certificates.

All of it waits for certificates (``MeshSettings.workload_certificates``): without them nothing here asks for TLS.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from meshctl_operator.apis.networking.destination_rule import ClientTls, ClientTlsMode, TrafficPolicy
from meshctl_operator.compiler.inputs.clusters import UpstreamHttp, UpstreamTlsInput
from meshctl_operator.compiler.names import sni_cluster
from meshctl_operator.compiler.plan import cluster_policies as policies
from meshctl_operator.compiler.plan.localities import Candidate
from meshctl_operator.incremental.context import Context, firewall
from meshctl_operator.model.endpoints import endpoints
from meshctl_operator.model.mesh import has_workload_certificates, mesh_config
from meshctl_operator.model.security import accepts_mutual_tls
from meshctl_operator.model.services import Resolution, Service, ServicePort

WORKLOAD_CERTIFICATE: Final = "default"
"""The SDS name of a proxy's own certificate, and that of the authorities of the mesh."""
MESH_AUTHORITIES: Final = "ROOTCA"
_ALPN: Final = "istio"


def is_spoken_unasked(ctx: Context, service: Service, port: ServicePort, policy: TrafficPolicy) -> bool:
    """Tell whether proxies speak mutual TLS to a port of a service though no rule says anything of TLS (Istio's auto mTLS).

    Not to the outside, not where the mesh switches it off or the server's namespace does. Where connections pass through to one endpoint
    nothing tells endpoints apart: all of them have to take it.
    """
    if not has_workload_certificates(ctx) or policy.tls is not None or service.mesh_external or mesh_config(ctx).enable_auto_mtls is False:
        return False
    if service.resolution is Resolution.PASSTHROUGH or policies.is_passthrough(policy.load_balancer):
        behind = [each for each in ctx.derive(endpoints, service.host, service.namespace) if each.port_name == port.name]
        if not behind or not all(each.takes_mutual_tls for each in behind):
            return False
    return accepts_mutual_tls(ctx, service.namespace)


def plan_mutual_tls(
    ctx: Context, service: Service, port: int, subset: str, tls: ClientTls | None, protocol: UpstreamHttp | None
) -> UpstreamTlsInput:
    """Return mutual TLS to a cluster: the rule's names, else those that the mesh gives it."""
    declared = tls or ClientTls(mode=ClientTlsMode.ISTIO_MUTUAL)
    return UpstreamTlsInput(
        sni=declared.sni or sni_cluster(port, subset, service.host),
        alpn=(_ALPN, "h2") if protocol is UpstreamHttp.HTTP2 else (_ALPN,),
        subject_alt_names=declared.subject_alt_names or ctx.derive(service_identities, service),
        certificate_secret=WORKLOAD_CERTIFICATE,
        authority_secret=MESH_AUTHORITIES,
    )


@firewall
def service_identities(ctx: Context, service: Service) -> tuple[str, ...]:
    """Return the identities of what serves a service, sorted, each under every trust domain of the mesh (tracked)."""
    config = mesh_config(ctx)
    own = f"spiffe://{config.trust_domain}/"
    found = set(service.service_accounts)
    for each in ctx.derive(endpoints, service.host, service.namespace):
        if each.service_account:
            found.add(f"{own}ns/{each.namespace}/sa/{each.service_account}")
    aliases = {
        f"spiffe://{alias}/{name.removeprefix(own)}" for name in found if name.startswith(own) for alias in config.trust_domain_aliases
    }
    return tuple(sorted(found | aliases))


def with_mutual_tls(ctx: Context, found: Iterable[Candidate], service: Service, policy: TrafficPolicy) -> tuple[Candidate, ...]:
    """Return endpoints of a cluster, marked where they are spoken to by mutual TLS: by the rule if it says something, else by themselves."""
    chosen = tuple(found)
    if not has_workload_certificates(ctx):
        return chosen
    asked = policy.tls.mode is ClientTlsMode.ISTIO_MUTUAL if policy.tls is not None else accepts_mutual_tls(ctx, service.namespace)
    return tuple(
        replace(each, input=replace(each.input, mutual_tls=True)) if asked and each.endpoint.takes_mutual_tls else each for each in chosen
    )
