"""What decides a bootstrap."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from meshctl_operator.bootstrap.nodes import JsonValue
from meshctl_operator.model.proxies import Proxy, ProxyRole

DEFAULT_ADMIN_PORT: Final = 15000
DEFAULT_XDS_PORT: Final = 15010
MAX_CONNECTIONS: Final = 2**31 - 1
"""Downstream connections, as in Istio; stating the limit also silences Envoy's warning that there is none."""
GATEWAY_HEAP_BYTES: Final = 1024**3


class XdsVariant(StrEnum):
    """How resources are fetched; the values are those of ``envoy.config.core.v3.ApiConfigSource.ApiType``."""

    DELTA = "DELTA_GRPC"
    SOTW = "GRPC"


STATUS_PORT: Final = 15021
PROMETHEUS_PORT: Final = 15090
PROBES_PORT: Final = 15020
"""Where a proxy in a pod answers for itself: readiness, metrics, probes of the applications beside it."""


@dataclass(frozen=True, slots=True)
class AppProbe:
    """A probe of an application by HTTP, as a path under which Envoy answers for it.

    ``path`` is the one that the kubelet asks for, ``target`` what the application is asked for at its ``port``, a query included.
    """

    path: str
    port: int
    target: str = "/"
    headers: tuple[tuple[str, str], ...] = ()
    host: str = ""
    tls: bool = False


@dataclass(frozen=True, slots=True)
class StatsOptions:
    """Which statistics there are. Without inclusions there are all; with some, those and what says how Envoy itself is.

    ``extra_tags`` are names of tags; ``buckets`` upper bounds by the prefix of histograms. Intervals are in seconds; 0 leaves it to Envoy.
    """

    inclusion_prefixes: tuple[str, ...] = ()
    inclusion_suffixes: tuple[str, ...] = ()
    inclusion_regexps: tuple[str, ...] = ()
    extra_tags: tuple[str, ...] = ()
    buckets: tuple[tuple[str, tuple[float, ...]], ...] = ()
    flush_seconds: float = 0
    eviction_seconds: float = 0

    @property
    def selects(self) -> bool:
        """Whether some statistics are chosen."""
        return bool(self.inclusion_prefixes or self.inclusion_suffixes or self.inclusion_regexps)


ALL_STATS: Final = StatsOptions()


@dataclass(frozen=True, slots=True)
class BootstrapOptions:
    """The facts of one bootstrap.

    ``xds_host`` may be a name, which is then resolved by DNS. ``admin_port`` 0 lets the kernel pick. ``metadata`` is merged over the
    node metadata that the proxy gives. ``max_heap_bytes`` is the memory near which a proxy refuses requests rather than being killed; 0
    sets no limit, None the one of its role: 1 GiB for gateways, which is what Istio's charts give them, and none for sidecars.
    ``status_port`` (readiness), ``prometheus_port`` and ``probes_port`` are for proxies with a network of their own; 0 leaves the listener
    out, and so does the absence of probes. ``runtime`` values lie over ours; an empty one takes ours away.
    """

    proxy: Proxy
    xds_host: str = "127.0.0.1"
    xds_port: int = DEFAULT_XDS_PORT
    admin_address: str = "127.0.0.1"
    admin_port: int = DEFAULT_ADMIN_PORT
    variant: XdsVariant = XdsVariant.DELTA
    max_heap_bytes: int | None = None
    metadata: Mapping[str, JsonValue] = field(default_factory=dict)
    status_port: int = 0
    prometheus_port: int = 0
    probes_port: int = PROBES_PORT
    probes: tuple[AppProbe, ...] = ()
    stats: StatsOptions = ALL_STATS
    compress_stats: bool = True
    max_connections: int = MAX_CONNECTIONS
    runtime: Mapping[str, str] = field(default_factory=dict)
    ipv6: bool | None = None

    @property
    def is_ipv6(self) -> bool:
        """Whether the proxy is reached by IPv6: as stated, or as its first address is, which may be known later only."""
        return ":" in self.proxy.ips[0] if self.ipv6 is None else self.ipv6

    @property
    def heap_limit(self) -> int:
        """The limit of memory in bytes; 0 where there is none."""
        if self.max_heap_bytes is not None:
            return self.max_heap_bytes
        return 0 if self.proxy.role is ProxyRole.SIDECAR else GATEWAY_HEAP_BYTES
