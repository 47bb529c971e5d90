"""istiod's feature switches: which of them we honour, and which we only know.

A migration keeps the environment of its istiod: what is honoured keeps its name, what is known and not honoured is said.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

SUPPORTED: Final[Mapping[str, str]] = {
    "PILOT_SCOPE_GATEWAY_TO_NAMESPACE": "a Gateway selects only gateway workloads of its own namespace",
    "ISTIO_DUAL_STACK": "proxies and endpoints with addresses of both families use both",
    "PILOT_ENABLE_IP_AUTOALLOCATE": "hosts of ServiceEntries without addresses get some, for sidecars that answer DNS (true unless set)",
    "PILOT_DEBOUNCE_AFTER": "quiet time before a change is compiled",
    "PILOT_DEBOUNCE_MAX": "longest time that a change waits for others",
}
"""The switches that are honoured, with what they do."""

KNOWN: Final = frozenset(
    {
        "DISABLE_SHADOW_HOST_SUFFIX",
        "DISABLE_TRACK_REMAINING_CB_METRICS",
        "ENABLE_ENHANCED_DESTINATIONRULE_MERGE",
        "ENABLE_LOCALITY_WEIGHTED_LB_CONFIG",
        "ENABLE_MCS_HOST",
        "ENABLE_NATIVE_SIDECARS",
        "ISTIO_DELTA_XDS",
        "ISTIO_GPRC_MAXRECVMSGSIZE",
        "ISTIO_GPRC_MAXSTREAMS",
        "ISTIO_MULTIROOT_MESH",
        "PILOT_ALLOW_SIDECAR_SERVICE_INBOUND_LISTENER_MERGE",
        "PILOT_AUTO_SEND_UNHEALTHY_ENDPOINTS",
        "PILOT_DNS_CARES_UDP_MAX_QUERIES",
        "PILOT_DNS_JITTER_DURATION",
        "PILOT_DRAINING_LABEL",
        "PILOT_ENABLE_AMBIENT",
        "PILOT_ENABLE_ANALYSIS",
        "PILOT_ENABLE_EDS_DEBOUNCE",
        "PILOT_ENABLE_EDS_FOR_HEADLESS_SERVICES",
        "PILOT_ENABLE_HEADLESS_FILTER_CHAIN_LISTENER",
        "PILOT_ENABLE_K8S_SELECT_WORKLOAD_ENTRIES",
        "PILOT_ENABLE_METADATA_EXCHANGE",
        "PILOT_ENABLE_REDIS_FILTER",
        "PILOT_ENABLE_TELEMETRY_LABEL",
        "PILOT_ENABLE_WORKLOAD_ENTRY_HEALTHCHECKS",
        "PILOT_ENABLE_XDS_CACHE",
        "PILOT_ENDPOINT_TELEMETRY_LABEL",
        "PILOT_FILTER_GATEWAY_CLUSTER_CONFIG",
        "PILOT_GATEWAY_TRANSPORT_SOCKET_CONNECT_TIMEOUT",
        "PILOT_MAX_REQUESTS_PER_SECOND",
        "PILOT_PERSISTENT_SESSION_HEADER_LABEL",
        "PILOT_PERSISTENT_SESSION_LABEL",
        "PILOT_PUSH_THROTTLE",
        "PILOT_SEND_UNHEALTHY_ENDPOINTS",
        "PILOT_SIDECAR_PICK_BEST_SERVICE_NAMESPACE",
        "PILOT_TRACE_SAMPLING",
        "PILOT_UNIFIED_SIDECAR_SCOPE",
        "PREFER_DESTINATIONRULE_TLS_FOR_EXTERNAL_SERVICES",
    }
)
"""Switches of istiod that change nothing here."""


def read_switches(environment: Mapping[str, str]) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...]]:
    """Return the honoured switches that are set, sorted, and a warning for each one that is set in vain."""
    found = tuple(sorted((name, environment[name]) for name in SUPPORTED if name in environment))
    warnings = tuple(
        f"{name}={environment[name]} is a switch of istiod that has no effect here; unset it to silence this warning"
        for name in sorted(KNOWN)
        if name in environment
    )
    return found, warnings
