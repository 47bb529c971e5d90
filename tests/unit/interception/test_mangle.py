"""The table ``mangle``."""

from __future__ import annotations

from dataclasses import replace

import pytest

from meshctl_operator.interception.mangle import mangle_rules
from meshctl_operator.interception.options import CaptureMode, Family, InterceptionOptions, PortList

TPROXY = InterceptionOptions(mode=CaptureMode.TPROXY, exclude_inbound_ports=(15090,))


def lines(options: InterceptionOptions, family: Family = Family.IPV4) -> list[str]:
    """Return the rules as text."""
    return [str(rule) for rule in mangle_rules(options, family)]


def test_redirection_needs_none() -> None:
    """Rewriting destinations is the business of another table."""
    assert lines(InterceptionOptions()) == []


def test_invalid_packets() -> None:
    """They are dropped before anything else is looked at."""
    expected = ["-A PREROUTING -m conntrack --ctstate INVALID -j ISTIO_DROP", "-A ISTIO_DROP -j DROP"]
    assert lines(InterceptionOptions(drop_invalid=True)) == expected
    assert lines(replace(TPROXY, drop_invalid=True))[:2] == expected


@pytest.mark.parametrize(
    ("family", "loop", "passthrough"), [(Family.IPV4, "127.0.0.1/32", "127.0.0.6/32"), (Family.IPV6, "::1/128", "::6/128")]
)
def test_tproxy(family: Family, loop: str, passthrough: str) -> None:
    """The whole table, in order."""
    assert lines(TPROXY, family) == [
        "-A ISTIO_DIVERT -j MARK --set-mark 1337",
        "-A ISTIO_DIVERT -j ACCEPT",
        f"-A ISTIO_TPROXY ! -d {loop} -p tcp -j TPROXY --tproxy-mark 1337/0xffffffff --on-port 15006",
        "-A PREROUTING -p tcp -j ISTIO_INBOUND",
        "-A ISTIO_INBOUND -p tcp -m mark --mark 1337 -j RETURN",
        f"-A ISTIO_INBOUND -p tcp -s {passthrough} -i lo -j RETURN",
        "-A ISTIO_INBOUND -p tcp -i lo -m mark ! --mark 1338 -j RETURN",
        "-A ISTIO_INBOUND -p tcp --dport 15090 -j RETURN",
        "-A ISTIO_INBOUND -p tcp -m conntrack --ctstate RELATED,ESTABLISHED -j ISTIO_DIVERT",
        "-A ISTIO_INBOUND -p tcp -j ISTIO_TPROXY",
        "-A PREROUTING -p tcp -m mark --mark 1337 -j CONNMARK --save-mark",
        "-A OUTPUT -p tcp -o lo -m mark --mark 1337 -j RETURN",
        f"-A OUTPUT ! -d {loop} -p tcp -o lo -m owner --uid-owner 1337 -j MARK --set-mark 1338",
        f"-A OUTPUT ! -d {loop} -p tcp -o lo -m owner --gid-owner 1337 -j MARK --set-mark 1338",
        "-A OUTPUT -p tcp -m connmark --mark 1337 -j CONNMARK --restore-mark",
    ]


def test_some_ports() -> None:
    """Ports that are listed are taken one by one."""
    shown = lines(replace(TPROXY, include_inbound_ports=PortList((80,))))
    assert [line for line in shown if "--dport" in line] == [
        "-A ISTIO_INBOUND -p tcp --dport 80 -m conntrack --ctstate RELATED,ESTABLISHED -j ISTIO_DIVERT",
        "-A ISTIO_INBOUND -p tcp --dport 80 -j ISTIO_TPROXY",
    ]


def test_no_ports() -> None:
    """Without inbound ports there is nothing to divert."""
    assert not [line for line in lines(replace(TPROXY, include_inbound_ports=PortList())) if "ISTIO_" in line]


def test_interfaces() -> None:
    """Excluded interfaces are excluded here as well."""
    assert lines(replace(TPROXY, exclude_interfaces=("eth1",)))[:2] == ["-A PREROUTING -i eth1 -j RETURN", "-A OUTPUT -o eth1 -j RETURN"]


def test_mark() -> None:
    """It can be another; what Envoy sends to the pod itself has the next one."""
    options = replace(TPROXY, tproxy_mark=5)
    assert not [line for line in lines(options) if "1337 -j" in line and "owner" not in line]
    assert "-A ISTIO_INBOUND -p tcp -i lo -m mark ! --mark 6 -j RETURN" in lines(options)
