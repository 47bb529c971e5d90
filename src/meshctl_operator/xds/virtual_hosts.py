"""Virtual hosts as resources of their own (VHDS): how they belong to route configurations, and which clients take them.

The facts about Envoy behind these rules stand, with the tests that hold them, in ``docs/decisions/0006-split-routes.md``. A split route
configuration is a shell without virtual hosts; each of these is a resource with the name ``<route configuration>/<virtual host>``.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from meshctl_operator.xds.nodes import NodeInfo
from meshctl_operator.xds.resources import ContentHash, ResourceName, content_hash
from meshctl_operator.xds.state import Resources

SHELL_MARK: Final = "split-"
"""How versions of shells begin, so that what a client claims to hold says in which form it holds a route configuration."""

_OLDEST_ENVOY: Final = (1, 40, 0)  # up to 1.39 a route configuration that was split once may crash Envoy when another server makes it whole


def route_of(virtual_host: ResourceName) -> ResourceName:
    """Return the name of the route configuration of a virtual host: all before the last slash."""
    return virtual_host.rpartition("/")[0]


def shell_version(body: bytes) -> ContentHash:
    """Return the version of the shell of a split route configuration, as ``content_hash`` but marked."""
    return SHELL_MARK + content_hash(body)


def is_shell(version: ContentHash) -> bool:
    """Tell whether a version of a route configuration is that of a shell."""
    return version.startswith(SHELL_MARK)


def takes_split_routes(node: NodeInfo) -> bool:
    """Tell whether a client is served split route configurations: Envoys that are new enough, and clients that name no version."""
    return node.version is None or node.version >= _OLDEST_ENVOY


def removable(virtual_hosts: tuple[ResourceName, ...], routes: Resources, asked: Collection[ResourceName] = ()) -> tuple[ResourceName, ...]:
    """Return which virtual hosts that exist no more are to be removed from the client: those whose route configuration exists, and is split.

    A route configuration that is gone serves the last connections of a drained listener, and needs its virtual hosts for them. One that is
    whole has none. Names that were asked for one by one are answered in any case.
    """
    kept = [name for name in virtual_hosts if name in asked or ((route := routes.get(route_of(name))) and is_shell(route.version))]
    return virtual_hosts if len(kept) == len(virtual_hosts) else tuple(kept)
