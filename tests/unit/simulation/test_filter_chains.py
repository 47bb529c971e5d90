"""Selection of filter chains."""

from __future__ import annotations

from typing import Any

import pytest

from meshctl_operator.simulation.filter_chains import TLS, Inspected, select_chain
from meshctl_operator.simulation.requests import Connection
from tests.support.simulations import listener, tcp_chain

HERE = Connection("10.0.0.1", 80)
TLS_A = Inspected(TLS, "a.b.com", ("h2", "http/1.1"))


def chosen(seen: Inspected, *matches: dict[str, Any], connection: Connection = HERE, default: bool = False) -> str | None:
    """Return the name of the chain that takes the connection: the place of its match."""
    chains = [tcp_chain(str(number), match) for number, match in enumerate(matches)]
    extra = {"default_filter_chain": tcp_chain("default")} if default else {}
    chain, _ = select_chain(listener(filter_chains=chains, **extra), connection, seen)
    return None if chain is None else chain.name


@pytest.mark.parametrize(
    ("matches", "winner"),
    [
        ([{}], "0"),
        ([{}, {"destination_port": 80}], "1"),
        ([{"destination_port": 81}], None),
        ([{"prefix_ranges": [{"address_prefix": "10.0.0.0", "prefix_len": 8}]}, {}], "0"),
        (
            [
                {"prefix_ranges": [{"address_prefix": "10.0.0.0", "prefix_len": 8}]},
                {"prefix_ranges": [{"address_prefix": "10.0.0.0", "prefix_len": 24}]},
            ],
            "1",
        ),
        ([{"prefix_ranges": [{"address_prefix": "11.0.0.0", "prefix_len": 8}]}], None),
        ([{"server_names": ["*.b.com"]}, {"server_names": ["A.b.com"]}], "1"),
        ([{"server_names": ["*.com"]}, {"server_names": ["*.b.com", "x"]}, {}], "1"),
        ([{"server_names": ["*.a.b.com"]}], None),
        ([{"transport_protocol": "tls"}, {}], "0"),
        ([{"transport_protocol": "raw_buffer"}], None),
        ([{"application_protocols": ["http/1.1"]}, {"application_protocols": ["h2"]}], "1"),
        ([{"application_protocols": ["istio"]}, {}], "1"),
        ([{"source_type": "SAME_IP_OR_LOOPBACK"}, {}], "0"),
        ([{"source_type": "EXTERNAL"}], None),
        ([{"source_prefix_ranges": [{"address_prefix": "127.0.0.0", "prefix_len": 8}]}, {}], "0"),
        ([{"direct_source_prefix_ranges": [{"address_prefix": "10.0.0.0", "prefix_len": 8}]}], None),
        ([{"source_ports": [7]}, {}], "1"),
    ],
)
def test_each_criterion(matches: list[dict[str, Any]], winner: str | None) -> None:
    """The most specific value of each criterion wins, and a chain that asks for something else never does."""
    assert chosen(TLS_A, *matches) == winner


def test_nothing_is_taken_back() -> None:
    """A chain that wins by port and fails by server name leaves nothing to the chain without a port."""
    assert chosen(TLS_A, {"destination_port": 80, "server_names": ["x.com"]}, {}) is None


def test_order_of_criteria() -> None:
    """The destination port counts before the server name, this before the transport protocol."""
    assert chosen(TLS_A, {"destination_port": 80}, {"server_names": ["a.b.com"]}) == "0"
    assert chosen(TLS_A, {"transport_protocol": "tls"}, {"server_names": ["a.b.com"]}) == "1"


def test_the_default_chain_takes_the_rest() -> None:
    """The default chain is for connections that fit no other."""
    assert chosen(TLS_A, {"destination_port": 81}, default=True) == "default"
    assert chosen(TLS_A, {}, default=True) == "0"


def test_reasons() -> None:
    """Each chain that loses is told with what it asks for."""
    chains = [tcp_chain("port", {"destination_port": 81}), tcp_chain("sni", {"server_names": ["x.com"]}), tcp_chain("rest")]
    _, trials = select_chain(listener(filter_chains=chains), HERE, TLS_A)
    assert [(trial.name, trial.reason) for trial in trials] == [
        ("port", "wants 81, the connection has port 80"),
        ("sni", 'wants x.com, the connection has server name "a.b.com"'),
        ("rest", ""),
    ]


def test_ipv6() -> None:
    """Prefixes of one IP version say nothing about addresses of the other."""
    six = Connection("fd00::1", 80)
    match = {"prefix_ranges": [{"address_prefix": "fd00::", "prefix_len": 8}, {"address_prefix": "10.0.0.0", "prefix_len": 8}]}
    assert chosen(Inspected(), match, connection=six) == "0"
    assert chosen(Inspected(), {"prefix_ranges": [{"address_prefix": "10.0.0.0", "prefix_len": 8}]}, connection=six) is None
