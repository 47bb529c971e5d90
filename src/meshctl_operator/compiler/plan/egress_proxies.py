"""The egress proxy of a Sidecar: where traffic goes that no service takes, and whether there is such a cluster (Istio ``egressProxy``)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from meshctl_operator.apis.networking.common import Destination
from meshctl_operator.apis.structure import did_you_mean
from meshctl_operator.base.diagnostics import Diagnostic
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.compiler import codes
from meshctl_operator.compiler.names import outbound_cluster
from meshctl_operator.incremental.context import Context
from meshctl_operator.model.policies import destination_rule, subset_names
from meshctl_operator.model.scopes import OutboundMode, scope, scope_service
from meshctl_operator.model.services import Resolution
from meshctl_operator.model.views import OutboundView

_PATH: Final = "spec.outboundTrafficPolicy.egressProxy"


def egress_proxy_cluster(proxy: Destination) -> str:
    """Return the cluster that an egress proxy stands for."""
    return outbound_cluster(proxy.port.number if proxy.port is not None else 0, proxy.subset, proxy.host)


def egress_proxy_findings(ctx: Context, view: OutboundView) -> Iterator[Diagnostic]:
    """Yield why the egress proxy of a view has no cluster: connections to what no service takes are closed then."""
    imported = ctx.derive(scope, view)
    if imported.egress_proxy is not None and imported.sidecar is not None and imported.outbound_mode is not OutboundMode.REGISTRY_ONLY:
        yield from _findings(ctx, view, imported.sidecar, imported.egress_proxy)


def _findings(ctx: Context, view: OutboundView, sidecar: ObjectKey, proxy: Destination) -> Iterator[Diagnostic]:
    service = scope_service(ctx, view, proxy.host)
    if service is None:
        message = f'is "{proxy.host}", which matches no service that the Sidecar imports'
        yield codes.UNKNOWN_DESTINATION.warning(sidecar, f"{_PATH}.host", message)
        return
    if service.resolution is Resolution.ALIAS:
        message = f'is "{proxy.host}", which only stands for {service.external_name} and is no proxy'
        yield codes.UNKNOWN_DESTINATION.warning(sidecar, f"{_PATH}.host", message)
        return
    number = proxy.port.number if proxy.port is not None else 0
    if service.port(number) is None:
        ports = ", ".join(str(port.number) for port in service.ports)
        message = f'is {number}, which is no port of "{proxy.host}"'
        yield codes.UNKNOWN_PORT.warning(sidecar, f"{_PATH}.port.number", message, hint=f"its ports are {ports}")
    known = subset_names(ctx.derive(destination_rule, view.namespace, view.labels, service))
    if proxy.subset and proxy.subset not in known:
        message = f'is "{proxy.subset}", which no DestinationRule for "{proxy.host}" defines'
        yield codes.UNKNOWN_SUBSET.warning(sidecar, f"{_PATH}.subset", message, hint=did_you_mean(proxy.subset, known))
