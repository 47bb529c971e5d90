"""Addresses and ports of one local mesh."""

from __future__ import annotations

import socket
import sys

import pytest

from meshctl_operator.base.errors import MeshctlError
from meshctl_operator.dev import addresses
from meshctl_operator.dev.addresses import AddressBook

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has all of 127.0.0.0/8")


@linux
def test_every_workload_has_an_address_of_its_own() -> None:
    """Two workloads may listen on the same port."""
    with AddressBook() as book:
        first, second = book.workload([9080]), book.workload([9080])
    assert first != second
    assert first.startswith("127.0.")


@linux
def test_two_meshes_share_no_address() -> None:
    """A second mesh on the machine gets another block, and other ports."""
    with AddressBook() as one, AddressBook() as other:
        assert one.workload().rpartition(".")[0] != other.workload().rpartition(".")[0]
        assert not {one.port() for _ in range(20)} & {other.port() for _ in range(20)}


@linux
def test_a_block_is_given_back() -> None:
    """After the end of a mesh its block is free."""
    with AddressBook() as book:
        first = book.workload()
    with AddressBook() as book:
        assert book.workload() == first


@linux
def test_a_busy_address_is_passed_over() -> None:
    """An address at which the port is taken is not handed out."""
    with AddressBook() as book, socket.socket() as busy:
        address = book.workload()
        following = f"{address.rpartition('.')[0]}.{int(address.rpartition('.')[2]) + 1}"
        busy.bind((following, 0))
        busy.listen(1)
        assert book.workload([busy.getsockname()[1]]) != following


@linux
def test_a_port_that_is_taken_everywhere_is_refused() -> None:
    """A server on 0.0.0.0 leaves no address; the refusal says which port and who."""
    with AddressBook() as book, socket.socket() as busy:
        busy.bind(("0.0.0.0", 0))
        busy.listen(1)
        with pytest.raises(MeshctlError, match=f":{busy.getsockname()[1]} is taken"):
            book.workload([busy.getsockname()[1]])


def test_one_address_where_there_is_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where only 127.0.0.1 can be bound, all share it, and meshes still claim different blocks."""
    monkeypatch.setattr(addresses, "can_bind", lambda address, _port: address == "127.0.0.1")
    with AddressBook() as one, AddressBook() as other:
        assert one.workload([9080]) == other.workload([9080]) == "127.0.0.1"
        assert one.port() != other.port()


def test_ports_are_free_and_handed_out_once() -> None:
    """The preferred port is given where it is free, and never twice."""
    with AddressBook() as book:
        preferred = book.port()
        ports = [book.port(preferred) for _ in range(30)]
    assert preferred not in ports
    assert len(set(ports)) == 30


def test_a_block_that_is_used_up_is_not_the_end() -> None:
    """When the ports of the block are gone the kernel picks."""
    with AddressBook() as book:
        ports = [book.port() for _ in range(130)]
    assert len(set(ports)) == 130


def test_a_port_is_promised_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel may offer a port again that nobody listens on yet."""
    offers = iter((40001, 40001, 40002))
    monkeypatch.setattr(addresses, "_picked", lambda _address: next(offers))
    monkeypatch.setattr(addresses, "_PORTS_OF_A_BLOCK", 0)
    with AddressBook() as book:
        assert [book.port(), book.port()] == [40001, 40002]


def test_too_many_meshes(monkeypatch: pytest.MonkeyPatch) -> None:
    """When every block is claimed the message says so."""
    monkeypatch.setattr(addresses, "_BLOCKS", range(139, 140))
    with AddressBook(), pytest.raises(MeshctlError, match="1 local meshes run"):
        AddressBook()
