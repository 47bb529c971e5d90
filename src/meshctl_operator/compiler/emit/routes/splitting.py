"""Route configurations in two forms: whole, with its virtual hosts joined as bytes, or split, with its virtual hosts left to VHDS.

In the split form the RouteConfiguration is a shell that says where its virtual hosts come from (``RouteConfiguration.vhds``), and each
virtual host is a resource of its own. What Envoy asks of that form, and why it is as it is, is told in ``docs/decisions/0006``:

- the resource is named ``<route configuration>/<virtual host>``: Envoy hands it to the route configuration before the last ``/``;
- the message has the name of the resource: by that name Envoy removes it, and ignores a removal that names anything else;
- the shell has no virtual host of its own: the catch-all is a resource like the others, so that what answers ``*`` can change in one
  response together with everything else;
- there is at least one virtual host: Envoy takes a route configuration for unfinished until the first one arrives.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from envoy.config.core.v3 import config_source_pb2
from envoy.config.route.v3 import route_pb2

from meshctl_operator.base.durations import Duration
from meshctl_operator.compiler.emit.routes.configuration import emit_route_configuration
from meshctl_operator.compiler.emit.values import emit_duration
from meshctl_operator.compiler.inputs.routes import RouteConfigurationInput, VirtualHostInput
from meshctl_operator.xds.wire import bytes_field, string_field

_NAME: Final = 1  # field of RouteConfiguration and of VirtualHost, the first of each
_VIRTUAL_HOSTS: Final = 2  # field of RouteConfiguration, the next one

_ESCAPED: Final = str.maketrans({"%": "%25", "/": "%2F"})

NO_VIRTUAL_HOST: Final = VirtualHostInput("none", ("*",), ())
"""What stands in for the virtual hosts of a split route configuration that has none: every request is answered 404 all the same."""


def virtual_host_resource_name(route: str, host: str) -> str:
    """Return the name of a virtual host as resource, and in its message, of the route configuration ``route``.

    Envoy splits it at the last ``/``. The name of a route configuration may have more of them, that of a virtual host must not, so it is
    escaped as in a URL; no sensible host is touched by that.
    """
    return f"{route}/{host.translate(_ESCAPED)}"


def rename_virtual_host(body: bytes, name: str, new_name: str) -> bytes:
    """Return a serialised VirtualHost of the name ``name`` under another one: byte for byte what emitting it anew would give."""
    head = string_field(_NAME, name)
    if not body.startswith(head):
        msg = f"the bytes are not those of a virtual host named {name!r}"
        raise ValueError(msg)
    return string_field(_NAME, new_name) + body[len(head) :]


def frame_virtual_host(body: bytes) -> bytes:
    """Return a serialised VirtualHost as it stands in a RouteConfiguration: what ``join_route_configuration`` joins."""
    return bytes_field(_VIRTUAL_HOSTS, body)


def join_route_configuration(name: str, shell: bytes, frames: Iterable[bytes]) -> bytes:
    """Return a serialised RouteConfiguration with these virtual hosts, in their order, byte for byte what the whole message would give.

    Args:
        name: of the route configuration.
        shell: the serialised message without virtual hosts (of ``emit_route_configuration``).
        frames: of ``frame_virtual_host``.
    """
    head = string_field(_NAME, name)
    if not shell.startswith(head):
        msg = f"the bytes are not those of a route configuration named {name!r}"
        raise ValueError(msg)
    return b"".join((head, *frames, shell[len(head) :]))


def emit_split_route_configuration(route: RouteConfigurationInput) -> route_pb2.RouteConfiguration:
    """Return the shell of a split ``RouteConfiguration``; the virtual hosts of the Input are not looked at."""
    message = emit_route_configuration(replace(route, virtual_hosts=()))
    source = message.vhds.config_source
    source.ads.SetInParent()
    source.resource_api_version = config_source_pb2.V3
    source.initial_fetch_timeout.CopyFrom(emit_duration(Duration(0)))  # a listener waits for its virtual hosts as long as it takes
    return message


def split_virtual_hosts(route: str, hosts: Sequence[VirtualHostInput]) -> tuple[VirtualHostInput, ...]:
    """Return the virtual hosts of a route configuration as they are served for themselves: renamed, and never none.

    This is the plain form of ``rename_virtual_host``, for whoever has no bytes yet.
    """
    return tuple(replace(host, name=virtual_host_resource_name(route, host.name)) for host in hosts or (NO_VIRTUAL_HOST,))
