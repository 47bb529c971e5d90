"""Findings about the mesh as a whole: what is wrong with objects that are valid each by itself, whether a proxy sees them or not."""

from __future__ import annotations

from meshctl_operator.base.diagnostics import Diagnostic, sorted_unique
from meshctl_operator.compiler.plan.virtual_service_findings import virtual_service_findings
from meshctl_operator.incremental.context import Context
from meshctl_operator.model.destination_rules import policy_diagnostics
from meshctl_operator.model.endpoints import selector_diagnostics
from meshctl_operator.model.scopes import sidecar_diagnostics
from meshctl_operator.model.services import service_diagnostics
from meshctl_operator.registry.cells import Cell, Table


def mesh_findings(ctx: Context) -> tuple[Diagnostic, ...]:
    """Return the findings about services, policies, Sidecars and VirtualServices, each once (tracked).

    What depends on a gateway workload (merged servers, secrets) is found when that gateway's configuration is compiled.
    """
    found = [*ctx.derive(service_diagnostics), *ctx.derive(selector_diagnostics), *ctx.derive(policy_diagnostics)]
    for key in ctx.fetch(Cell(Table.VIRTUAL_SERVICES, "*")):
        found += ctx.derive(virtual_service_findings, key)
    for namespace in sorted({obj.key.namespace for obj in ctx.fetch(Cell(Table.SIDECARS, "*"))}):
        found += ctx.derive(sidecar_diagnostics, namespace)
    return sorted_unique(found)
