"""Selection of listeners, and their listener filters."""

from __future__ import annotations

from typing import Any

from meshctl_operator.simulation.filter_chains import TLS, Inspected
from meshctl_operator.simulation.listeners import inspect, select_listener
from meshctl_operator.simulation.requests import Capture, Connection, HttpVersion
from tests.support.simulations import listener, tcp_chain

CAPTURE = listener(name="out", port=15001, traffic_direction="OUTBOUND", use_original_dst=True)
INBOUND = listener(
    name="in",
    port=15006,
    traffic_direction="INBOUND",
    listener_filters=[{"name": "envoy.filters.listener.original_dst"}],
)
VIP = listener(name="vip", address="10.0.0.1", port=90, bind_to_port=False)
WILD = listener(name="wild", port=90, bind_to_port=False)
ALL = (CAPTURE, INBOUND, VIP, WILD)


def chosen(listeners: tuple[Any, ...], connection: Connection) -> str | None:
    """Return the name of the listener that serves the connection."""
    found, _ = select_listener(listeners, connection)
    return None if found is None else found.name


def test_original_destination() -> None:
    """A captured connection goes to the listener of its very address, then of its port, else stays with the capturing one."""
    assert chosen(ALL, Connection("10.0.0.1", 90, Capture.OUTBOUND)) == "vip"
    assert chosen(ALL, Connection("10.0.0.2", 90, Capture.OUTBOUND)) == "wild"
    assert chosen(ALL, Connection("10.0.0.2", 91, Capture.OUTBOUND)) == "out"
    assert chosen(ALL, Connection("10.0.0.1", 90, Capture.INBOUND)) == "in"


def test_dialled() -> None:
    """Without capture only listeners that bind are reached."""
    bound = listener(name="bound", port=80)
    exact = listener(name="exact", address="10.0.0.1", port=80)
    assert chosen((bound, exact), Connection("10.0.0.1", 80)) == "exact"
    assert chosen((bound, exact), Connection("10.0.0.2", 80)) == "bound"
    found, trials = select_listener(ALL, Connection("10.0.0.1", 90))
    assert found is None
    assert "takes only connections that another listener hands over" in [trial.reason for trial in trials]
    assert "listens on 0.0.0.0:15001, not on 10.0.0.1:90" in [trial.reason for trial in trials]


def test_nothing_captures() -> None:
    """Without a capturing listener captured connections lead nowhere."""
    assert chosen((VIP,), Connection("10.0.0.1", 90, Capture.OUTBOUND)) is None


def test_http_is_sniffed() -> None:
    """The HTTP inspector tells the version of plain HTTP, but for ports that it is disabled on."""
    entry: dict[str, Any] = {"name": "envoy.filters.listener.http_inspector"}
    sniffing = listener(listener_filters=[entry])
    connection = Connection("10.0.0.1", 90)
    assert inspect(sniffing, connection, HttpVersion.HTTP11) == Inspected(application_protocols=("http/1.1",))
    assert inspect(sniffing, connection, None) == Inspected()
    ranges = [{"destination_port_range": {"start": port, "end": port + 1}} for port in (90, 91)]
    for predicate, off in (
        (ranges[0], True),
        (ranges[1], False),
        ({"or_match": {"rules": ranges}}, True),
        ({"and_match": {"rules": ranges}}, False),
        ({"not_match": ranges[0]}, False),
        ({"any_match": True}, True),
    ):
        limited = listener(listener_filters=[{**entry, "filter_disabled": predicate}])
        assert (inspect(limited, connection, HttpVersion.HTTP11) == Inspected()) is off


def test_tls_is_inspected_where_chains_need_it() -> None:
    """Envoy adds the TLS inspector itself where a chain could not match without it."""
    connection = Connection("10.0.0.1", 90, tls=True, server_name="A.com", alpn=("h2",))
    assert inspect(listener(filter_chains=[tcp_chain("a", {"server_names": ["a.com"]})]), connection, None) == Inspected(
        TLS, "a.com", ("h2",)
    )
    assert inspect(listener(filter_chains=[tcp_chain("a")]), connection, None) == Inspected()
