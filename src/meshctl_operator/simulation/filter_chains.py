"""Which filter chain of a listener takes a connection (Envoy ``FilterChainManagerImpl``).

Criteria are looked at one after the other, each narrows down the chains to those with its most specific value, and nothing is taken back:
a chain that loses at an early criterion never gets another chance when the winner fails at a later one.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from envoy.config.core.v3 import address_pb2
from envoy.config.listener.v3 import listener_components_pb2, listener_pb2

from meshctl_operator.simulation.requests import Connection
from meshctl_operator.simulation.traces import Stage, Trial

TLS = "tls"
RAW_BUFFER = "raw_buffer"

_ANYTHING = ("", 0)  # what a chain has as its value where it asks for nothing

_Chain: TypeAlias = listener_components_pb2.FilterChain
_Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Inspected:
    """What the listener filters found out: ``tls`` or ``raw_buffer``, the server name and the application protocols."""

    transport_protocol: str = RAW_BUFFER
    server_name: str = ""
    application_protocols: tuple[str, ...] = ()


def select_chain(listener: listener_pb2.Listener, connection: Connection, seen: Inspected) -> tuple[_Chain | None, tuple[Trial, ...]]:
    """Return the chain that takes the connection, the default chain if none does, None without one; and why the others do not."""
    left = list(listener.filter_chains)
    trials: list[Trial] = []
    for keys, best, wants in _criteria(connection, seen):
        winner = best(left)
        kept = [] if winner is None else [chain for chain in left if winner in keys(chain)]
        trials += [Trial(Stage.FILTER_CHAIN, _name(chain), wants(chain, winner)) for chain in left if chain not in kept]
        left = kept
        if not left:
            break
    if left:
        return left[0], (*trials, Trial(Stage.FILTER_CHAIN, _name(left[0])))
    if listener.HasField("default_filter_chain"):
        chain = listener.default_filter_chain
        return chain, (*trials, Trial(Stage.FILTER_CHAIN, _name(chain), note="the default chain"))
    return None, tuple(trials)


_Keys: TypeAlias = Callable[[_Chain], Sequence[Hashable]]
_Best: TypeAlias = Callable[[list[_Chain]], Hashable | None]
_Wants: TypeAlias = Callable[[_Chain, Hashable | None], str]
_Criterion: TypeAlias = tuple[_Keys, _Best, _Wants]


def _criteria(connection: Connection, seen: Inspected) -> tuple[_Criterion, ...]:
    """Return for each criterion: the values of a chain, the best value among chains, and the reason why a chain loses."""
    address = _ip(connection.address)
    source = _ip(connection.source_address)
    local = source is not None and (source.is_loopback or source == address)
    match = _match
    return (
        _one(lambda chain: [match(chain).destination_port.value], [connection.port, 0], f"port {connection.port}"),
        _addressed(lambda chain: match(chain).prefix_ranges, connection.address),
        _one(_server_names, _domain_chain(seen.server_name), f'server name "{seen.server_name}"'),
        _one(lambda chain: [match(chain).transport_protocol], [seen.transport_protocol, ""], f"transport {seen.transport_protocol}"),
        _one(
            lambda chain: list(match(chain).application_protocols) or [""],
            [*seen.application_protocols, ""],
            f"application protocols {', '.join(seen.application_protocols) or 'unknown'}",
        ),
        _addressed(lambda chain: match(chain).direct_source_prefix_ranges, connection.source_address),
        _one(lambda chain: [match(chain).source_type], [1 if local else 2, 0], f"source {connection.source_address}"),
        _addressed(lambda chain: match(chain).source_prefix_ranges, connection.source_address),
        _one(lambda chain: list(match(chain).source_ports) or [0], [connection.source_port, 0], f"source port {connection.source_port}"),
    )


def _one(keys: _Keys, candidates: Sequence[Hashable], shown: str) -> _Criterion:
    """Return a criterion whose best value is the first of the candidates that any chain has."""

    def best(chains: list[_Chain]) -> Hashable | None:
        present = {key for chain in chains for key in keys(chain)}
        return next((candidate for candidate in candidates if candidate in present), None)

    def wants(chain: _Chain, winner: Hashable | None) -> str:
        wanted = ", ".join(str(key) for key in keys(chain) if key not in _ANYTHING)
        if winner is None or (wanted and not set(keys(chain)) & set(candidates)):
            return f"wants {wanted or 'anything else'}, the connection has {shown}"
        return f"another chain asks more closely for {shown}"

    return keys, best, wants


def _addressed(ranges: Callable[[_Chain], Sequence[address_pb2.CidrRange]], address: str) -> _Criterion:
    """Return a criterion whose best value is the longest prefix with the address in it."""
    ip = _ip(address)

    def keys(chain: _Chain) -> Sequence[Hashable]:
        return [_network(found) for found in ranges(chain)] or [""]

    def best(chains: list[_Chain]) -> Hashable | None:
        networks = {key for chain in chains for key in keys(chain) if isinstance(key, _Network) and _contains(key, ip)}
        if networks:
            return max(networks, key=lambda network: network.prefixlen)
        return "" if any("" in keys(chain) for chain in chains) else None

    def wants(chain: _Chain, winner: Hashable | None) -> str:
        shown = ", ".join(str(key) for key in keys(chain) if key not in _ANYTHING)
        if isinstance(winner, _Network):
            return f"another chain has {winner}, which is closer to {address}"
        return f"wants {shown}, the connection has {address}"

    return keys, best, wants


def _server_names(chain: _Chain) -> Sequence[Hashable]:
    names = [name.lower() for name in _match(chain).server_names]
    return [name[1:] if name.startswith("*.") else name for name in names] or [""]


def _domain_chain(name: str) -> list[str]:
    """Return the names under which a server name is looked up: itself, ``.`` with each of its parents, nothing."""
    name = name.lower()
    found = [name] if name else []
    position = name.find(".", 1)
    while 0 <= position < len(name) - 1:
        found.append(name[position:])
        position = name.find(".", position + 1)
    return [*found, ""]


def _match(chain: _Chain) -> listener_components_pb2.FilterChainMatch:
    return chain.filter_chain_match


def _name(chain: _Chain) -> str:
    """Return the name of a chain; one without a name is known by what it asks for."""
    if chain.name:
        return str(chain.name)
    names = ", ".join(chain.filter_chain_match.server_names)
    return f"for {names}" if names else "unnamed"


def _ip(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(address)
    except ValueError:
        return None


def _network(found: address_pb2.CidrRange) -> _Network:
    return ipaddress.ip_network(f"{found.address_prefix}/{found.prefix_len.value}", strict=False)


def _contains(network: _Network, ip: ipaddress.IPv4Address | ipaddress.IPv6Address | None) -> bool:
    return ip is not None and ip.version == network.version and ip in network
