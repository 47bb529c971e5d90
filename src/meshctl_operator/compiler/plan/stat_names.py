"""Names under which clusters keep their statistics, where the mesh chose a pattern (``outboundClusterStatName`` and its like)."""

from __future__ import annotations

from typing import Final

from meshctl_operator.model.services import Service, ServicePort, ServiceRegistry

STAT_DELIMITER: Final = ";"
"""Ends the statistics name of a cluster, so that the tags of Istio's dashboards can be cut out of it."""


def fill_stat_pattern(pattern: str, service: Service, port: ServicePort, subset: str, target_port: int | str) -> str:
    """Return the pattern with its placeholders filled in: ``%SERVICE%``, ``%SERVICE_FQDN%``, ``%SERVICE_PORT%``..."""
    short = f"{service.name}.{service.namespace}" if service.registry is ServiceRegistry.KUBERNETES else service.host
    for placeholder, value in (
        ("%SERVICE%", short),
        ("%SERVICE_FQDN%", service.host),
        ("%SUBSET_NAME%", subset),
        ("%SERVICE_PORT%", str(port.number)),
        ("%TARGET_PORT%", str(target_port)),
        ("%SERVICE_PORT_NAME%", port.name),
        ("%SERVICE_NAME%", service.name),
    ):
        pattern = pattern.replace(placeholder, value)
    return pattern
