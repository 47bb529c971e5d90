"""Putting rules in place, against commands that only write down what they are asked for."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address
from pathlib import Path

import pytest

from meshctl_operator.base.errors import MeshctlError
from meshctl_operator.cli import packet_filter as module
from meshctl_operator.cli.packet_filter import may_administrate, pod_families, put, resolvers, take_away, usable_families
from meshctl_operator.interception.options import CaptureMode, Family, InterceptionOptions

BOTH = tuple(Family)
SAVED = "*nat\n:ISTIO_OUTPUT - [0:0]\n-A OUTPUT -j ISTIO_OUTPUT\nCOMMIT\n"


class Commands:
    """A folder on PATH with iptables and ip. ``log`` is what was run; ``saved`` what ``iptables-save`` says."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._folder = folder
        self._log = folder / "log"
        self.saved = folder / "saved"
        self.saved.write_text("")
        for name in ("iptables-save", "ip6tables-save"):
            self.add(name, f"cat {self.saved}")
        for name in ("iptables-restore", "ip6tables-restore"):
            self.add(name, f'while read -r line; do echo "  $line" >> {self._log}; done')
        self.add("ip", "exit 0")
        monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
        monkeypatch.setattr(module, "may_administrate", lambda: True)
        monkeypatch.setattr(module, "usable_families", lambda: BOTH)

    def add(self, name: str, script: str) -> None:
        """Make a command of a script."""
        path = self._folder / name
        path.write_text(f'#!/bin/sh\necho "{name} $*" >> {self._log}\n{script}\n')
        path.chmod(0o755)

    @property
    def log(self) -> list[str]:
        """The commands that were run, each followed by its input."""
        return self._log.read_text().splitlines() if self._log.exists() else []


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Commands:
    """The commands of a machine where everything works."""
    return Commands(tmp_path, monkeypatch)


def test_rules_are_restored_in_one_go(commands: Commands) -> None:
    """Without flushing what others have there, waiting for the lock; a family that is not wanted is cleaned."""
    commands.saved.write_text(SAVED)
    assert put(InterceptionOptions(), (Family.IPV4,)) == {Family.IPV4: 15}
    log = commands.log
    assert log[:2] == ["ip6tables-save ", "ip6tables-restore --noflush --wait=10"]
    assert "  -X ISTIO_OUTPUT" in log
    rules = log[log.index("iptables-restore --noflush --wait=10") + 1 :]
    assert rules[0] == "  *nat"
    assert rules[5] == "  -D OUTPUT -j ISTIO_OUTPUT"
    assert "  -X ISTIO_OUTPUT" not in rules


def test_routes_follow_the_rules(commands: Commands) -> None:
    """Old ones are taken away first."""
    put(InterceptionOptions(mode=CaptureMode.TPROXY), (Family.IPV4,))
    routes = [line for line in commands.log if line.startswith("ip -4")]
    assert [line.split()[3] for line in routes] == ["del", "flush", "add", "add"]


def test_removal(commands: Commands) -> None:
    """Both families, and only where there is something."""
    assert not take_away(InterceptionOptions())
    commands.saved.write_text(SAVED)
    assert take_away(InterceptionOptions())
    assert [line for line in commands.log if "-restore" in line] == [
        "iptables-restore --noflush --wait=10",
        "ip6tables-restore --noflush --wait=10",
    ]


def test_what_the_command_says_is_told(commands: Commands) -> None:
    """The first thing that an operator wants to know."""
    commands.add("iptables-restore", "echo 'line 3 failed' >&2; exit 2")
    with pytest.raises(MeshctlError, match=r"iptables-restore .*: line 3 failed"):
        put(InterceptionOptions(), (Family.IPV4,))
    commands.add("iptables-restore", "exit 3")
    with pytest.raises(MeshctlError, match="exit code 3"):
        put(InterceptionOptions(), (Family.IPV4,))


def test_without_iptables(commands: Commands, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The message says what to install."""
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    with pytest.raises(MeshctlError, match="iptables-save is not on PATH") as error:
        put(InterceptionOptions(), (Family.IPV4,))
    assert error.value.hint == "install the package iptables"
    assert commands.log == []


def test_without_privileges(commands: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is run."""
    monkeypatch.setattr(module, "may_administrate", lambda: False)
    for change in (lambda: put(InterceptionOptions(), BOTH), lambda: take_away(InterceptionOptions())):
        with pytest.raises(MeshctlError, match="root alone") as error:
            change()
        assert "NET_ADMIN" in str(error.value.hint)
    assert commands.log == []


def test_without_ip(commands: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is missed only where something has to be set up with it."""
    (tmp_path / "ip").unlink()
    monkeypatch.setenv("PATH", str(tmp_path))  # the scripts need nothing but the shell
    monkeypatch.setattr(module, "_save", lambda _: "")
    assert put(InterceptionOptions(), (Family.IPV4,)) == {Family.IPV4: 15}
    with pytest.raises(MeshctlError, match="ip is not on PATH"):
        put(InterceptionOptions(), (Family.IPV6,))
    assert commands.log


@pytest.mark.parametrize(
    ("status", "able"),
    [
        ("Name:\tx\nCapEff:\t0000000000001000\n", True),
        ("CapEff:\t000001ffffffffff\n", True),
        ("CapEff:\t0000000000000fff\n", False),
        ("", False),
    ],
)
def test_the_capability_decides(status: str, *, able: bool, tmp_path: Path) -> None:
    """Not the user: a container may have it without being root, and be root without it."""
    path = tmp_path / "status"
    path.write_text(status)
    assert may_administrate(path) is able
    assert not may_administrate(tmp_path / "nothing")


def test_resolvers(tmp_path: Path) -> None:
    """The servers of resolv.conf, in order and once each; what is none is left out."""
    path = tmp_path / "resolv.conf"
    path.write_text(
        "# x\nsearch a b\nnameserver 10.96.0.10\nnameserver fe80::1%eth0\nnameserver 10.96.0.10\nnameserver nonsense\nnameserver\n"
    )
    assert resolvers(path) == (ip_address("10.96.0.10"), ip_address("fe80::1"))
    assert resolvers(tmp_path / "nothing") == ()


def test_ipv6_needs_a_kernel_that_speaks_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And its command."""
    present = tmp_path / "if_inet6"
    present.write_text("")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert usable_families(present) == (Family.IPV4,)
    command = tmp_path / "ip6tables-save"
    command.write_text("#!/bin/sh\n")
    command.chmod(0o755)
    assert usable_families(present) == BOTH
    assert usable_families(tmp_path / "nothing") == (Family.IPV4,)


@pytest.mark.parametrize(("ipv4", "ipv6", "expected"), [(True, True, 1), (True, False, 1), (False, False, 1), (False, True, 2)])
def test_ipv6_where_there_is_nothing_else(*, ipv4: bool, ipv6: bool, expected: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pod with both families has to say so."""
    monkeypatch.setattr(module, "_ipv4_addresses", lambda: [ip_address("10.0.0.1")] if ipv4 else [])
    monkeypatch.setattr(module, "_ipv6_addresses", lambda: [ip_address("fd00::1")] if ipv6 else [])
    assert pod_families() == BOTH[:expected]


def test_addresses_of_interfaces(tmp_path: Path) -> None:
    """Loopback and link-local addresses are not the pod's."""
    path = tmp_path / "if_inet6"
    path.write_text(
        "00000000000000000000000000000001 01 80 10 80       lo\n"
        "fe800000000000000000000000000001 02 40 20 80     eth0\n"
        "fd000000000000000000000000000007 02 40 00 80     eth0\n"
    )
    assert module._ipv6_addresses(path) == [IPv6Address("fd00::7")]
    assert module._ipv6_addresses(tmp_path / "nothing") == []
    assert not [address for address in module._ipv4_addresses() if address.is_loopback]
