"""The address ranges out of which hosts without an address of their own get one (Istio ``ipallocate``), numbered place by place.

A place is one address of IPv4 (240.240.0.0/16) and one of IPv6 (2001:2::/48) with the same number: a host gets both.
"""

from __future__ import annotations

import ipaddress
import zlib
from collections.abc import Iterator
from typing import Final

from meshctl_operator.base.shards import SHARDS

_V4: Final = ipaddress.ip_network("240.240.0.0/16")
_V6: Final = ipaddress.ip_network("2001:2::/48")
_ENDS: Final = frozenset({0, _V4.num_addresses - 1})  # the network itself and its broadcast address belong to nobody


def place_of(address: str) -> int | None:
    """Return the number of an address within its range; None for one of neither range."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return None
    network: ipaddress.IPv4Network | ipaddress.IPv6Network = _V6 if isinstance(found, ipaddress.IPv6Address) else _V4
    place = int(found) - int(network.network_address)
    return place if 0 <= place < _V4.num_addresses else None


def addresses_at(place: int) -> tuple[str, str]:
    """Return the addresses of both families at a place."""
    return str(_V4[place]), str(_V6[place])


def places(shard: int, text: str) -> Iterator[int]:
    """Yield every place of a shard once, from one on that a text decides: in every process the same one."""
    count = _V4.num_addresses // SHARDS
    start = zlib.crc32(text.encode())
    for step in range(count):
        place = (start + step) % count * SHARDS + shard
        if place not in _ENDS:
            yield place
