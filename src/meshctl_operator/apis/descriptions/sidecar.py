"""Texts of Sidecar."""

from __future__ import annotations

from typing import Final

_POOL: Final = "Limits and time-outs of connections to the workload."

FIELDS: Final = {
    "Sidecar": {
        "workloadSelector": "Workloads of this namespace that the Sidecar is for. Without it, all that no other Sidecar selects.",
        "ingress": "Listeners for traffic to the workload, in place of those of its services.",
        "egress": "What the workload can reach.",
        "outboundTrafficPolicy": "What happens to traffic for hosts that are not known.",
        "inboundConnectionPool": _POOL,
    },
    "IngressListener": {
        "port": "The port.",
        "bind": "IP address to listen on.",
        "captureMode": "How traffic reaches the listener.",
        "defaultEndpoint": "Where the traffic goes, such as 127.0.0.1:8080 or unix:///path. Unset means where it was going.",
        "tls": "TLS that the listener terminates.",
        "connectionPool": _POOL,
    },
    "EgressListener": {
        "port": "The port. The entry without port is for all the rest.",
        "bind": "IP address or Unix socket to listen on.",
        "captureMode": "How traffic reaches the listener.",
        "hosts": "Services that can be reached, as namespace/host; the namespace may be *, . or ~, the host * or a wildcard.",
    },
    "SidecarPort": {
        "number": "Number of the port.",
        "protocol": "HTTP, HTTPS, HTTP2, GRPC, GRPC-WEB, TLS, TCP, MONGO, MYSQL or REDIS.",
        "name": "Name of the port.",
        "targetPort": "Deprecated; must not be set.",
    },
    "OutboundTrafficPolicy": {
        "mode": "REGISTRY_ONLY answers 502, ALLOW_ANY sends it on. A policy without mode means REGISTRY_ONLY.",
        "egressProxy": "Service that traffic for unknown hosts goes through.",
    },
}
