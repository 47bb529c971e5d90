"""Whether a port is free, and who has it if not."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator

import pytest

from meshctl_operator.base.errors import MeshctlError
from meshctl_operator.dev.ports import can_bind, owner_of, refuse_taken


@pytest.fixture
def server() -> Iterator[tuple[str, int]]:
    """A server on loopback."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(1)
        yield listening.getsockname()


def test_a_listening_port_cannot_be_bound(server: tuple[str, int]) -> None:
    """What somebody listens on is taken."""
    assert not can_bind(*server)


def test_a_closed_port_can_be_bound(server: tuple[str, int]) -> None:
    """Port 0 stands for any free one."""
    assert server[1] != 0
    assert can_bind("127.0.0.1", 0)


@pytest.mark.skipif(sys.platform != "linux", reason="owners are read from /proc")
def test_the_owner_is_named(server: tuple[str, int]) -> None:
    """The refusal names process and purpose."""
    assert f"(pid {os.getpid()})" in (owner_of(*server) or "")
    with pytest.raises(MeshctlError, match=rf"is taken by .*pid {os.getpid()}.*; outside needs it"):
        refuse_taken(*server, "outside")


@pytest.mark.skipif(sys.platform != "linux", reason="owners are read from /proc")
def test_a_server_on_all_addresses_owns_each() -> None:
    """A server on 0.0.0.0 is found by any address of the machine."""
    with socket.socket() as listening:
        listening.bind(("0.0.0.0", 0))
        listening.listen(1)
        assert owner_of("127.0.0.9", listening.getsockname()[1]) is not None


def test_a_free_port_is_not_refused() -> None:
    """Nothing happens for a port that is free."""
    refuse_taken("127.0.0.1", 0, "anything")
    assert owner_of("127.0.0.1", 1) is None
