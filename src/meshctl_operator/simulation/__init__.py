"""Walk connections and requests through emitted listeners and routes as Envoy does, and tell what was tried, what fitted and why not.

Knows Envoy's messages and nothing of meshes: whatever a proxy would be served can be walked, also what another control plane made. Sends
nothing, reads no clock and draws no numbers: chance comes in with ``Draws``. It stops where the proxy would send, so health, load
balancing and answers of upstreams are out of its sight. Where it disagrees with a real Envoy, Envoy is right.
"""

from __future__ import annotations

from meshctl_operator.simulation.config import ProxyConfig, config_from_bytes, config_from_json
from meshctl_operator.simulation.requests import Capture, Connection, Draws, HttpVersion, Request
from meshctl_operator.simulation.traces import (
    Answered,
    Answerer,
    Closed,
    Forwarded,
    NotSimulated,
    Outcome,
    Proxied,
    Redirected,
    RouteFacts,
    Stage,
    Trace,
    Trial,
)
from meshctl_operator.simulation.walk import simulate, simulate_request

__all__ = [
    "Answered",
    "Answerer",
    "Capture",
    "Closed",
    "Connection",
    "Draws",
    "Forwarded",
    "HttpVersion",
    "NotSimulated",
    "Outcome",
    "Proxied",
    "ProxyConfig",
    "Redirected",
    "Request",
    "RouteFacts",
    "Stage",
    "Trace",
    "Trial",
    "config_from_bytes",
    "config_from_json",
    "simulate",
    "simulate_request",
]
