"""Where everything of the local mesh listens."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from meshctl_operator.dev import addresses
from meshctl_operator.dev.addresses import AddressBook
from meshctl_operator.dev.config import WorkloadEntry
from meshctl_operator.dev.layout import LocalProxy, lay_out, without_proxies
from meshctl_operator.dev.workloads import place
from meshctl_operator.model.proxies import ProxyRole
from tests.support.local_objects import decoded, deployment, gateway, service

INGRESS = deployment("ingress", labels="{istio: ingressgateway, role: edge}") + "---" + gateway("entrance")
TRANSLATED = service("ingress", selector="{role: edge}", ports="[{port: 80, targetPort: 8080}]")


@pytest.fixture
def book() -> Iterator[AddressBook]:
    """An address book."""
    with AddressBook() as opened:
        yield opened


def laid_out(text: str, book: AddressBook, *entries: WorkloadEntry) -> tuple[LocalProxy, ...]:
    """Return the layout of some objects."""
    return lay_out(place(decoded(text), entries).workloads, book)


def test_the_entrance_is_at_127_0_0_1(book: AddressBook) -> None:
    """The ingress gateway answers at 127.0.0.1; ports 80 and 443 move out of the privileged range."""
    (proxy,) = laid_out(INGRESS, book)
    assert proxy.address == "127.0.0.1"
    bound = dict(proxy.ports)
    assert set(bound) == {80, 443, 9080}  # 9080 is the port of its container
    assert bound[80] >= 1024
    assert proxy.gateway_ports == {"80": f"127.0.0.1:{bound[80]}"}


def test_declared_and_translated_port_are_one(book: AddressBook) -> None:
    """With a Service that sends 80 to 8080, both numbers mean the same listener."""
    (proxy,) = laid_out(f"{INGRESS}---{TRANSLATED}", book)
    bound = dict(proxy.ports)
    assert bound[80] == bound[8080]
    assert proxy.gateway_ports == {"80": f"127.0.0.1:{bound[8080]}"}


def test_a_taken_port_moves(book: AddressBook) -> None:
    """Where 8080 is taken the gateway answers at a free port."""
    with socket.socket() as busy:
        busy.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            busy.bind(("127.0.0.1", 8080))
            busy.listen(1)
        except OSError:
            pass  # somebody else has it, which is as good
        (proxy,) = laid_out(INGRESS, book)
    assert dict(proxy.ports)[80] != 8080


def test_only_one_gateway_is_the_entrance(book: AddressBook) -> None:
    """A second ingress gateway, and an egress gateway, get addresses of their own."""
    text = f"{INGRESS}---{deployment('second', labels='{istio: ingressgateway}')}---{deployment('egress', labels='{istio: egressgateway}')}"
    proxies = laid_out(text, book)
    assert [proxy.address == "127.0.0.1" for proxy in proxies] == [True, False, False]
    assert len({proxy.address for proxy in proxies}) == 3
    assert len({proxy.admin.port for proxy in proxies}) == 3


def test_an_application_has_a_sidecar(book: AddressBook) -> None:
    """Its sidecar takes the traffic at its own address, the application listens elsewhere, and HTTP leaves through a proxy port."""
    entry = WorkloadEntry(deployment="reviews-v1", command=("run",), env={"COLOUR": "black"})
    (proxy,) = laid_out(f"{deployment('reviews-v1')}---{service('reviews')}", book, entry)
    assert proxy.inbound == (f"{proxy.address}:9080",)
    assert proxy.app_ports == ((9080, proxy.app_port),)
    assert len({proxy.app_port, proxy.http_proxy, proxy.admin.port}) == 3
    assert proxy.proxy.role is ProxyRole.SIDECAR
    assert proxy.proxy.http_proxy_port == proxy.http_proxy
    assert proxy.proxy.local is not None
    assert (proxy.proxy.local.address, proxy.proxy.local.app_ports) == (proxy.address, proxy.app_ports)
    assert proxy.proxy.labels == (("app", "reviews"),)
    assert proxy.proxy.service_account == "sa"
    assert proxy.placed.address == proxy.address


def test_where_all_share_one_address_ports_move(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without further loopback addresses two workloads on one port are told apart by the port, and their Services know it."""
    monkeypatch.setattr(addresses, "can_bind", lambda address, _port: address == "127.0.0.1")
    entries = [WorkloadEntry(deployment=name, command=("run",)) for name in ("reviews-v1", "reviews-v2")]
    with AddressBook() as shared:
        first, second = laid_out("---".join((*map(deployment, ("reviews-v1", "reviews-v2")), service("reviews"))), shared, *entries)
    assert first.address == second.address == "127.0.0.1"
    assert first.inbound == ("127.0.0.1:9080",)
    assert second.inbound != first.inbound
    assert second.placed.ports == dict(second.ports)
    assert f"127.0.0.1:{dict(second.ports)[9080]}" == second.inbound[0]


def test_environment_of_an_application(book: AddressBook) -> None:
    """The process learns its port, its name and its sidecar; the proxy of the outer world is gone, its own entries win."""
    entry = WorkloadEntry(deployment="reviews-v1", command=("run",), env={"WORKLOAD": "renamed"})
    (proxy,) = laid_out(f"{deployment('reviews-v1')}---{service('reviews')}", book, entry)
    environment = proxy.environment({"PATH": "/bin", "https_proxy": "http://outer", "HTTP_PROXY": "http://outer"})
    assert environment["PORT"] == environment["PORT_9080"] == str(proxy.app_port)
    assert environment["WORKLOAD"] == "renamed"
    assert environment["http_proxy"] == environment["HTTP_PROXY"] == f"http://127.0.0.1:{proxy.http_proxy}"
    assert "https_proxy" not in environment
    assert environment["PATH"] == "/bin"


def test_a_workload_without_ports_runs_all_the_same(book: AddressBook) -> None:
    """A client that nobody calls still gets a port to listen on, and its sidecar."""
    entry = WorkloadEntry(deployment="client", command=("run",))
    (proxy,) = laid_out(deployment("client", ports="[]"), book, entry)
    assert proxy.inbound == ()
    assert proxy.app_port
    assert proxy.http_proxy


def test_without_proxies() -> None:
    """Variables that name a proxy are removed in either case; Python does not hold back its output."""
    assert without_proxies({"No_Proxy": "x", "all_proxy": "y", "HOME": "/"}) == {"HOME": "/", "PYTHONUNBUFFERED": "1"}
