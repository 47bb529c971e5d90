"""Gateways as one gateway workload sees them: which servers apply to it, on which port, and which of them win.

Selection, port translation and merging follow Istio (oldest Gateway first). Two of its habits are left out because Envoy would reject the
listener: hosts that differ only in their namespace prefix count as equal where TLS is terminated, and a plain-text server never joins the
TLS servers of a port.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Final

from meshctl_operator.apis.meta import ConfigObject
from meshctl_operator.apis.networking.common import ServerTls, ServerTlsMode
from meshctl_operator.apis.networking.gateway import GatewaySpec, Server
from meshctl_operator.apis.validation.primitives import is_unix_address
from meshctl_operator.base.diagnostics import Diagnostic
from meshctl_operator.base.hostname import canonical_ip, is_ip
from meshctl_operator.base.labels import Labels, selects
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.incremental.context import Context
from meshctl_operator.model import gateway_codes as codes
from meshctl_operator.model.mesh import mesh_settings
from meshctl_operator.model.protocols import Protocol, parse_protocol
from meshctl_operator.model.services import services_of
from meshctl_operator.model.views import GatewayView
from meshctl_operator.model.workloads import workloads_of
from meshctl_operator.registry.cells import Cell, Table

NO_TRANSLATION_LABEL: Final = "experimental.istio.io/disable-gateway-port-translation"
SCOPE_SWITCH: Final = "PILOT_SCOPE_GATEWAY_TO_NAMESPACE"
FIRST_UNPRIVILEGED_PORT: Final = 1024
LAST_PORT: Final = 65535
UNIX: Final = "unix://"
_TLS_PROTOCOLS: Final = (Protocol.HTTPS, Protocol.TLS)
_PASSING_MODES: Final = (ServerTlsMode.PASSTHROUGH, ServerTlsMode.AUTO_PASSTHROUGH)


@dataclass(frozen=True, slots=True)
class GatewayServer:
    """One server of a Gateway that is served.

    ``declared_port`` is the number in the object, ``port`` the one after translation by the Services of the workload. ``bind`` is as
    declared, ``address`` where the listener really listens. ``hosts`` are normalised: ``host`` or ``namespace/host``. ``route_name`` is
    the RDS name, None where no HTTP is spoken.
    """

    gateway: ObjectKey
    index: int
    declared_port: int
    port: int
    bind: str
    address: str
    protocol: Protocol
    name: str
    port_name: str
    hosts: tuple[str, ...]
    tls: ServerTls | None
    route_name: str | None

    @property
    def path(self) -> str:
        """Where the server stands in its object, for diagnostics."""
        return f"spec.servers[{self.index}]"

    @property
    def binding_key(self) -> str:
        """The name by which VirtualServices bind to the Gateway: ``namespace/name``."""
        return f"{self.gateway.namespace}/{self.gateway.name}"

    @property
    def is_tls(self) -> bool:
        """Whether clients speak TLS to it."""
        return self.protocol in _TLS_PROTOCOLS

    @property
    def terminates_tls(self) -> bool:
        """Whether the gateway holds the certificate."""
        return self.is_tls and self.tls is not None and self.tls.mode not in _PASSING_MODES

    @property
    def passes_to_services(self) -> bool:
        """Whether TLS goes on to the service that a client of the mesh names in its server name (AUTO_PASSTHROUGH)."""
        return self.is_tls and self.tls is not None and self.tls.mode is ServerTlsMode.AUTO_PASSTHROUGH

    @property
    def sni_hosts(self) -> tuple[str, ...]:
        """The hosts without their namespaces, lower-cased and sorted, each once."""
        return tuple(sorted({host.rpartition("/")[2].lower() for host in self.hosts}))


@dataclass(frozen=True, slots=True)
class MergedGateway:
    """The servers that a gateway workload serves, oldest Gateway first, and the findings about those that it does not."""

    servers: tuple[GatewayServer, ...]
    diagnostics: tuple[Diagnostic, ...] = ()

    def servers_of_route(self, name: str) -> tuple[GatewayServer, ...]:
        """Return the servers whose routes stand in the route configuration, in order."""
        return tuple(server for server in self.servers if server.route_name == name)

    def listener_keys(self) -> tuple[tuple[str, int], ...]:
        """Return address and (translated) port of each listener, in the order in which they were first claimed."""
        return tuple(dict.fromkeys((server.address, server.port) for server in self.servers))

    def servers_of_listener(self, address: str, port: int) -> tuple[GatewayServer, ...]:
        """Return the servers that share a listener, in order."""
        return tuple(server for server in self.servers if (server.address, server.port) == (address, port))


def merged_gateway(ctx: Context, view: GatewayView) -> MergedGateway:
    """Return what the workload serves: Gateways that select it, merged server by server (tracked)."""
    merge = _Merge(view, dict(ctx.derive(port_translation, view.namespace, view.labels)))
    for gateway in selected_gateways(ctx, view):
        for index, server in enumerate(gateway.spec.servers):
            merge.add(gateway.key, index, server)
    return MergedGateway(tuple(merge.accepted), tuple(merge.diagnostics))


def selected_gateways(ctx: Context, view: GatewayView) -> tuple[ConfigObject[GatewaySpec], ...]:
    """Return the Gateways whose selector the labels of the workload satisfy, oldest first; no selector selects every workload."""
    labels = dict(view.labels)
    own_namespace_only = dict(mesh_settings(ctx).switches).get(SCOPE_SWITCH, "").lower() == "true"
    return tuple(
        gateway
        for gateway in ctx.fetch(Cell(Table.GATEWAYS, "*"))
        if selects(gateway.spec.selector, labels) and not (own_namespace_only and gateway.key.namespace != view.namespace)
    )


def port_translation(ctx: Context, namespace: str, labels: Labels) -> tuple[tuple[int, int], ...]:
    """Return service port and target port of the Services that select the workload (tracked); the oldest Service decides."""
    found: dict[int, int] = {}
    have = dict(labels)
    for key in ctx.fetch(Cell(Table.SERVICES_OF_NAMESPACE, namespace)):
        for service in ctx.derive(services_of, key):
            if not service.selector or not selects(dict(service.selector), have) or NO_TRANSLATION_LABEL in dict(service.labels):
                continue
            for port in service.ports:
                target = port.target_port or port.number
                number = target if isinstance(target, int) else _container_port(ctx, namespace, labels, target)
                if number:
                    found.setdefault(port.number, number)
    return tuple(sorted(found.items()))


def hosts_for_namespace(server: GatewayServer, vs_namespace: str) -> tuple[str, ...]:
    """Return the hosts of the server that count for VirtualServices of the namespace, without their prefix."""
    return tuple(host for namespace, host in map(_split_host, server.hosts) if namespace in ("", vs_namespace))


def normalized_hosts(hosts: Iterable[str], namespace: str) -> tuple[str, ...]:
    """Return server hosts with ``./h`` as ``<namespace>/h`` and ``*/h`` as ``h``; ``*/*`` makes the whole list ``*``."""
    found: dict[str, None] = {}
    for host in hosts:
        owner, name = _split_host(host)
        if (owner, name) == ("*", "*"):
            return ("*",)
        found[{".": f"{namespace}/{name}", "*": name, "": name}.get(owner, host)] = None
    return tuple(found)


def _split_host(host: str) -> tuple[str, str]:
    namespace, _, name = host.rpartition("/")
    return namespace, name


def _container_port(ctx: Context, namespace: str, labels: Labels, name: str) -> int:
    for workload in ctx.derive(workloads_of, namespace):
        if workload.labels == labels:
            for port_name, number in workload.container_ports:
                if port_name == name:
                    return int(number)
    return 0


@dataclass(slots=True)
class _Merge:
    """The merge of one workload in progress; ``_hosts`` and ``_ports`` remember who claimed what first."""

    view: GatewayView
    translation: dict[int, int]
    accepted: list[GatewayServer] = field(default_factory=list)
    diagnostics: list[Diagnostic] = field(default_factory=list)
    _hosts: dict[tuple[str, int, str], GatewayServer] = field(default_factory=dict)
    _terminated: dict[tuple[str, int, str], GatewayServer] = field(default_factory=dict)
    _owners: dict[tuple[str, int], GatewayServer] = field(default_factory=dict)
    _https_routes: dict[str, GatewayServer] = field(default_factory=dict)

    def add(self, gateway: ObjectKey, index: int, declared: Server) -> None:
        """Accept the server, or report why not. Nothing is claimed for a server that is left out."""
        server = self._read(gateway, index, declared)
        if isinstance(server, Diagnostic):
            self.diagnostics.append(server)
            return
        if (conflict := self._conflict(server)) is not None:
            self.diagnostics.append(conflict)
            return
        key = (server.address, server.port)
        owner = self._owners.setdefault(key, server)
        if server.protocol.is_http and owner.route_name is not None and owner.route_name != server.route_name:
            server = replace(
                server, route_name=owner.route_name
            )  # one listener has one set of plain-text routes, whatever bind the others spell out
        if server.tls is not None:
            for host in server.hosts:
                self._hosts.setdefault((*key, host), server)
        if server.terminates_tls:
            for host in server.sni_hosts:
                self._terminated.setdefault((*key, host), server)
            if server.route_name is not None:
                self._https_routes.setdefault(server.route_name, server)
        self.accepted.append(server)

    def _read(self, gateway: ObjectKey, index: int, declared: Server) -> GatewayServer | Diagnostic:
        path = f"spec.servers[{index}]"
        is_socket = declared.bind.startswith(UNIX)
        if declared.port is None or not (declared.port.number == 0 if is_socket else 1 <= declared.port.number <= LAST_PORT):
            number = declared.port.number if declared.port else "unset"
            if is_socket:
                return codes.SERVER_UNUSABLE.error(
                    gateway, f"{path}.port.number", f"is {number}, but a Unix socket has no port", hint="write 0"
                )
            return codes.SERVER_UNUSABLE.error(gateway, f"{path}.port.number", f"is {number}, but a port from 1 to {LAST_PORT} is needed")
        protocol = parse_protocol(declared.port.protocol)
        problem = _problem(declared, protocol)
        if problem is not None:
            field_path, message, hint = problem
            return codes.SERVER_UNUSABLE.error(gateway, f"{path}.{field_path}", message, hint=hint)
        tls = declared.tls
        number = declared.port.number
        port = self.translation.get(number, number)
        if self.view.unprivileged and self.view.local is None and 0 < port < FIRST_UNPRIVILEGED_PORT:
            message = f"is {number}, and the workload may not open port {port}: it is unprivileged"
            hint = f"let the Service of the gateway translate {number} to a targetPort of {FIRST_UNPRIVILEGED_PORT} or more"
            return codes.PRIVILEGED_PORT.error(gateway, f"{path}.port.number", message, hint=hint)
        server = GatewayServer(
            gateway=gateway,
            index=index,
            declared_port=number,
            port=port,
            bind=declared.bind,
            address=self._address(declared.bind),
            protocol=protocol,
            name=declared.name,
            port_name=declared.port.name,
            hosts=normalized_hosts(declared.hosts, gateway.namespace),
            tls=tls,
            route_name=None,
        )
        return replace(server, route_name=_route_name(server))

    def _address(self, bind: str) -> str:
        if bind.startswith(UNIX):
            return bind
        if self.view.local is not None:
            return self.view.local.address
        return canonical_ip(bind) if bind else "::" if self.view.ipv6 else "0.0.0.0"  # noqa: S104  (a gateway listens on every address)

    def _conflict(self, server: GatewayServer) -> Diagnostic | None:
        key = (server.address, server.port)
        if server.tls is not None:
            for position, host in enumerate(server.hosts):
                winner = self._hosts.get((*key, host))
                if winner is None and server.terminates_tls:
                    winner = self._terminated.get((*key, host.rpartition("/")[2].lower()))
                if winner is not None:
                    message = f'"{host}" is already served on port {server.declared_port} by {_place(winner)}; this server is left out'
                    return codes.HOST_TAKEN.error(server.gateway, f"{server.path}.hosts[{position}]", message)
        owner = self._owners.get(key)
        if owner is not None and not _can_share(owner, server):
            message = (
                f"is {server.protocol.value} on port {server.declared_port}, which {_place(owner)} already uses for {owner.protocol.value};"
                " this server is left out"
            )
            return codes.PORT_TAKEN.error(server.gateway, f"{server.path}.port", message, hint="use another port or bind address")
        if server.terminates_tls and server.route_name in self._https_routes:
            winner = self._https_routes[server.route_name]
            message = f'is "{server.port_name}", as is that of {_place(winner)}; this server is left out'
            return codes.PORT_NAME_TAKEN.error(server.gateway, f"{server.path}.port.name", message)
        return None


def _can_share(owner: GatewayServer, server: GatewayServer) -> bool:
    return (owner.is_tls and server.is_tls) or (owner.protocol.is_http and server.protocol.is_http)


def _place(server: GatewayServer) -> str:
    return f"Gateway {server.binding_key} {server.path}"


def _route_name(server: GatewayServer) -> str | None:
    suffix = f".{server.bind}" if server.bind else ""
    if server.protocol.is_http:
        return f"http.{server.port}{suffix}"
    if server.protocol is Protocol.HTTPS and server.terminates_tls:
        return f"https.{server.declared_port}.{server.port_name}.{server.gateway.name}.{server.gateway.namespace}{suffix}"
    return None


def _problem(server: Server, protocol: Protocol) -> tuple[str, str, str | None] | None:
    """Return field, message and hint of what makes the server unusable. Admission refuses most of it; a compiler meets it all the same."""
    declared = server.port.protocol if server.port else ""
    if protocol in {Protocol.UNSUPPORTED, Protocol.UDP}:
        return "port.protocol", f'is "{declared}", which a gateway cannot serve', "use HTTP, HTTPS, TLS, TCP, GRPC, HTTP2 or MONGO"
    if server.bind and not (is_ip(server.bind) or is_unix_address(server.bind)):
        return "bind", f'is "{server.bind}", which is no address', "bind takes an IP address, unix:///path or unix://@name"
    if not server.hosts:
        return "hosts", "is empty, so no VirtualService can bind to it", 'use "*" for any host'
    if protocol in _TLS_PROTOCOLS:
        return ("tls", f"is missing, but a port with protocol {protocol.value} needs it", None) if server.tls is None else None
    if server.tls is None:
        return None
    if not protocol.is_http:
        return "tls", f"is set, but protocol {protocol.value} carries no TLS", "use protocol TLS or HTTPS"
    if server.tls.mode is not ServerTlsMode.PASSTHROUGH:
        return "tls.mode", f"is {server.tls.mode.value}, but protocol {protocol.value} carries no TLS", "use protocol HTTPS"
    return None
