"""Where everything of the local mesh listens: an address for each workload, ports for its Envoy and its application."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from meshctl_operator.base.labels import freeze
from meshctl_operator.bootstrap.options import DEFAULT_ADMIN_PORT
from meshctl_operator.dev.addresses import GATEWAY_PORTS, LOOPBACK, AddressBook
from meshctl_operator.dev.envoys import EnvoyAdmin
from meshctl_operator.dev.overlay import Placed
from meshctl_operator.dev.workloads import LocalWorkload, Role, Server
from meshctl_operator.model.proxies import LocalBinding, Locality, Proxy, ProxyRole

_NO_PROXY: Final = "localhost,127.0.0.1"
_PROXY_VARIABLES: Final = frozenset({"http_proxy", "https_proxy", "all_proxy", "no_proxy"})


@dataclass(frozen=True, slots=True)
class LocalProxy:
    """One Envoy of the mesh with its workload.

    ``ports`` maps listen ports to the ones really bound; ``app_ports`` those of an application to where it listens on 127.0.0.1. ``http_proxy`` is the port of a sidecar's HTTP proxy, ``app_port`` the one that its process is told; both 0 for a gateway.
    """

    workload: LocalWorkload
    address: str
    admin: EnvoyAdmin
    ports: tuple[tuple[int, int], ...] = ()
    app_ports: tuple[tuple[int, int], ...] = ()
    http_proxy: int = 0
    app_port: int = 0

    @property
    def is_gateway(self) -> bool:
        """Whether this is a gateway rather than a sidecar."""
        return self.workload.role is Role.GATEWAY

    @property
    def proxy(self) -> Proxy:
        """The proxy as the control plane will know it."""
        spec = self.workload.deployment.spec.template.spec
        return Proxy(
            role=ProxyRole.ROUTER if self.is_gateway else ProxyRole.SIDECAR,
            name=self.workload.name,
            namespace=self.workload.namespace,
            ips=(self.address,),
            labels=freeze(self.workload.labels),
            service_account=spec.service_account_name,
            dns_domain=f"{self.workload.namespace}.svc.cluster.local",
            locality=Locality(),
            http_proxy_port=self.http_proxy,
            local=LocalBinding(self.address, self.ports, self.app_ports),
        )

    @property
    def placed(self) -> Placed:
        """The workload as its Services see it."""
        return Placed(self.workload, self.address, dict(self.ports))

    @property
    def gateway_ports(self) -> dict[str, str]:
        """The declared ports of a gateway with the addresses at which it answers for them."""
        return {str(server.number): self.address_of(server) for server in self.workload.servers}

    def address_of(self, server: Server) -> str:
        """Return where a server of a gateway listens, as ``address:port``."""
        return f"{self.address}:{dict(self.ports).get(server.target, server.target)}"

    @property
    def inbound(self) -> tuple[str, ...]:
        """The addresses at which a sidecar takes the traffic for its application."""
        bound = dict(self.ports)
        return tuple(f"{self.address}:{bound.get(target, target)}" for target, _ in self.app_ports)

    def environment(self, inherited: Mapping[str, str]) -> dict[str, str]:
        """Return the environment of the application: where to listen, who it is, and its sidecar as the proxy of all HTTP."""
        sidecar = f"http://{LOOPBACK}:{self.http_proxy}"
        own = {
            "PORT": str(self.app_port),
            **{f"PORT_{target}": str(port) for target, port in self.app_ports},
            "WORKLOAD": self.workload.name,
            "http_proxy": sidecar,
            "HTTP_PROXY": sidecar,
            "no_proxy": _NO_PROXY,
            "NO_PROXY": _NO_PROXY,
        }
        entry = self.workload.entry
        return {**without_proxies(inherited), **own, **(entry.env if entry is not None else {})}


def without_proxies(inherited: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without the proxy of the outer world, which cannot reach the mesh; Python writes its output at once."""
    return {"PYTHONUNBUFFERED": "1", **{key: value for key, value in inherited.items() if key.lower() not in _PROXY_VARIABLES}}


def lay_out(workloads: Iterable[LocalWorkload], book: AddressBook) -> tuple[LocalProxy, ...]:
    """Give every workload its addresses. The first ingress gateway gets 127.0.0.1, 8080 and 8443, and the admin port 15000, where free."""
    laid: list[LocalProxy] = []
    entrance_taken = False
    for workload in workloads:
        if workload.role is Role.GATEWAY:
            entrance = workload.is_ingress and not entrance_taken
            entrance_taken = entrance_taken or entrance
            laid.append(_gateway(workload, book, entrance=entrance))
        else:
            laid.append(_application(workload, book))
    return tuple(laid)


def _gateway(workload: LocalWorkload, book: AddressBook, *, entrance: bool) -> LocalProxy:
    """Return the layout of a gateway. Ports 80 and 443 move to 8080 and 8443; whatever is taken moves to a free port."""
    listen = dict.fromkeys((*GATEWAY_PORTS, *workload.targets, *(server.target for server in workload.servers)))
    address = LOOPBACK if entrance else book.workload()
    bound = {wanted: book.port(wanted, address) for wanted in dict.fromkeys(GATEWAY_PORTS.get(port, port) for port in listen)}
    ports = tuple(sorted((port, bound[GATEWAY_PORTS.get(port, port)]) for port in listen))
    return LocalProxy(workload, address, _admin(book, DEFAULT_ADMIN_PORT if entrance else 0), ports)


def _application(workload: LocalWorkload, book: AddressBook) -> LocalProxy:
    """Return the layout of an application. A target port moves where it cannot be bound: below 1024, or where all share one address."""
    address = book.workload(workload.targets)
    ports = tuple((target, book.port(target, address)) for target in workload.targets)
    app_ports = tuple((target, book.port()) for target in workload.targets)
    app_port = app_ports[0][1] if app_ports else book.port()
    return LocalProxy(workload, address, _admin(book, 0), ports, app_ports, book.port(), app_port)


def _admin(book: AddressBook, preferred: int) -> EnvoyAdmin:
    return EnvoyAdmin(LOOPBACK, book.port(preferred))
