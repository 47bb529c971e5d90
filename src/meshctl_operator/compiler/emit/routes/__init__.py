"""Emit route configurations. ``emit_virtual_host`` stands alone, so that a virtual host can be emitted once and its bytes joined.

Sees nothing but its Input. Matchers, actions and header lists have a module each; per-route filter configuration comes from ``filters``.
"""

from __future__ import annotations

from meshctl_operator.compiler.emit.routes.configuration import emit_route, emit_route_configuration, emit_virtual_host

__all__ = ["emit_route", "emit_route_configuration", "emit_virtual_host"]
