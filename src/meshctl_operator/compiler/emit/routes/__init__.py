"""Emit route configurations. ``emit_virtual_host`` stands alone, so that a virtual host can be emitted once and its bytes joined.

Sees nothing but its Input. Matchers, actions and header lists have a module each; per-route filter configuration comes from ``filters``.
``splitting`` joins whole route configurations from bytes, and emits those whose virtual hosts are resources of their own.
"""

from __future__ import annotations

from meshctl_operator.compiler.emit.routes.configuration import emit_route, emit_route_configuration, emit_virtual_host
from meshctl_operator.compiler.emit.routes.splitting import (
    NO_VIRTUAL_HOST,
    emit_split_route_configuration,
    frame_virtual_host,
    join_route_configuration,
    rename_virtual_host,
    split_virtual_hosts,
    virtual_host_resource_name,
)

__all__ = [
    "NO_VIRTUAL_HOST",
    "emit_route",
    "emit_route_configuration",
    "emit_split_route_configuration",
    "emit_virtual_host",
    "frame_virtual_host",
    "join_route_configuration",
    "rename_virtual_host",
    "split_virtual_hosts",
    "virtual_host_resource_name",
]
