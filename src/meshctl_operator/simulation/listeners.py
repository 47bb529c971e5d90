"""Which listener takes a connection, and what its listener filters find out."""

from __future__ import annotations

from collections.abc import Iterable

from envoy.config.core.v3 import base_pb2
from envoy.config.listener.v3 import listener_components_pb2, listener_pb2

from meshctl_operator.simulation.filter_chains import RAW_BUFFER, TLS, Inspected
from meshctl_operator.simulation.requests import Capture, Connection, HttpVersion
from meshctl_operator.simulation.traces import Stage, Trial

_ORIGINAL_DST = "envoy.filters.listener.original_dst"
_TLS_INSPECTOR = "envoy.filters.listener.tls_inspector"
_HTTP_INSPECTOR = "envoy.filters.listener.http_inspector"


def select_listener(
    listeners: Iterable[listener_pb2.Listener], connection: Connection
) -> tuple[listener_pb2.Listener | None, tuple[Trial, ...]]:
    """Return the listener that serves the connection, or None; and what was tried.

    A captured connection is accepted by the listener that interception leads to. One with ``use_original_dst`` hands it over to the
    listener of the address that was dialled, bound or not, and keeps it where there is none.
    """
    known = tuple(listeners)
    trials: list[Trial] = []
    if connection.capture is Capture.NONE:
        bound = [listener for listener in known if not listener.HasField("bind_to_port") or listener.bind_to_port.value]
        accepting = _at(bound, connection)
        if accepting is None:
            trials += [Trial(Stage.LISTENER, listener.name, _elsewhere(listener, connection)) for listener in known]
            return None, tuple(trials)
    else:
        accepting = next((listener for listener in known if _captures(listener, connection.capture)), None)
        if accepting is None:
            return None, (Trial(Stage.LISTENER, "", f"no listener takes captured {connection.capture.value} connections"),)
    if not accepting.use_original_dst.value:
        return accepting, (Trial(Stage.LISTENER, accepting.name),)
    handed = _at(known, connection)
    if handed is None or handed is accepting:
        note = f"no listener for {connection.address}:{connection.port}, so it stays where it was accepted"
        return accepting, (Trial(Stage.LISTENER, accepting.name, note=note),)
    return handed, (Trial(Stage.LISTENER, handed.name, note=f"handed over by {accepting.name}"),)


def inspect(listener: listener_pb2.Listener, connection: Connection, version: HttpVersion | None) -> Inspected:
    """Return what the listener filters find out about the connection; ``version`` is the HTTP that it speaks in plain text, if any."""
    active = {
        entry.name for entry in listener.listener_filters if not _disabled(entry.filter_disabled, connection.port)
    } | _implied_filters(listener)
    if connection.tls:
        if _TLS_INSPECTOR not in active:
            return Inspected()
        return Inspected(TLS, connection.server_name.lower(), connection.alpn)
    if _HTTP_INSPECTOR in active and version is not None:
        return Inspected(RAW_BUFFER, "", (version.value,))
    return Inspected()


def _at(listeners: Iterable[listener_pb2.Listener], connection: Connection) -> listener_pb2.Listener | None:
    """Return the listener of the very address and port, else the one of all addresses of the port."""
    anything = "::" if ":" in connection.address else "0.0.0.0"  # noqa: S104  (compared with, not listened on)
    found: dict[tuple[str, int], listener_pb2.Listener] = {}
    for listener in listeners:
        for address in _addresses(listener):
            found.setdefault(address, listener)
    return found.get((connection.address, connection.port)) or found.get((anything, connection.port))


def _addresses(listener: listener_pb2.Listener) -> list[tuple[str, int]]:
    every = [listener.address, *(more.address for more in listener.additional_addresses)]
    return [(each.socket_address.address, each.socket_address.port_value) for each in every if each.HasField("socket_address")]


def _elsewhere(listener: listener_pb2.Listener, connection: Connection) -> str:
    if listener.HasField("bind_to_port") and not listener.bind_to_port.value:
        return "takes only connections that another listener hands over"
    places = ", ".join(f"{address}:{port}" for address, port in _addresses(listener))
    return f"listens on {places or 'a socket'}, not on {connection.address}:{connection.port}"


def _captures(listener: listener_pb2.Listener, capture: Capture) -> bool:
    if capture is Capture.OUTBOUND:
        return bool(listener.traffic_direction == base_pb2.OUTBOUND and listener.use_original_dst.value)
    restores = any(entry.name == _ORIGINAL_DST for entry in listener.listener_filters)
    return listener.traffic_direction == base_pb2.INBOUND and (restores or bool(listener.use_original_dst.value))


def _implied_filters(listener: listener_pb2.Listener) -> set[str]:
    """Return the filters that Envoy adds by itself because a chain could not match without them."""
    matches = [chain.filter_chain_match for chain in listener.filter_chains]
    needs_tls = any(
        match.transport_protocol == TLS or (not match.transport_protocol and (match.server_names or match.application_protocols))
        for match in matches
    )
    return {_TLS_INSPECTOR} if needs_tls else set()


def _disabled(predicate: listener_components_pb2.ListenerFilterChainMatchPredicate, port: int) -> bool:
    """Tell whether a listener filter is off for a destination port."""
    match predicate.WhichOneof("rule"):
        case "or_match":
            return any(_disabled(rule, port) for rule in predicate.or_match.rules)
        case "and_match":
            return all(_disabled(rule, port) for rule in predicate.and_match.rules)
        case "not_match":
            return not _disabled(predicate.not_match, port)
        case "any_match":
            return bool(predicate.any_match)
        case "destination_port_range":
            return bool(predicate.destination_port_range.start <= port < predicate.destination_port_range.end)
        case _:
            return False
