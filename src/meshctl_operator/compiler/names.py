"""Names of clusters, as Istio writes them: users read them in dashboards and logs."""

from __future__ import annotations

from typing import Final

BLACK_HOLE: Final = "BlackHoleCluster"
PASSTHROUGH: Final = "PassthroughCluster"
ANY_HOST: Final = "AllowAnyDynamicDNSCluster"
INBOUND_PASSTHROUGH: Final = "InboundPassthroughCluster"


def outbound_cluster(port: int, subset: str, host: str) -> str:
    """Return ``outbound|<service port>|<subset or empty>|<fqdn>``."""
    return f"outbound|{port}|{subset}|{host}"


def sni_cluster(port: int, subset: str, host: str) -> str:
    """Return ``outbound_.<service port>_.<subset or empty>_.<fqdn>``: a server name that a gateway sends on by, and the cluster it is sent to."""
    return f"outbound_.{port}_.{subset}_.{host}"


def inbound_cluster(port: int) -> str:
    """Return ``inbound|<target port>||``."""
    return f"inbound|{port}||"


def split_outbound_cluster(name: str) -> tuple[int, str, str] | None:
    """Return (port, subset, host) of an outbound cluster name, or None for any other name."""
    parts = name.split("|")
    if len(parts) != 4 or parts[0] != "outbound" or not parts[1].isdigit():  # noqa: PLR2004  (direction, port, subset, host)
        return None
    return int(parts[1]), parts[2], parts[3]
