"""Texts of Gateway."""

from __future__ import annotations

from typing import Final

FIELDS: Final = {
    "Gateway": {
        "servers": "Ports to open, with the hosts that are served there.",
        "selector": "Labels of the gateway's Pods, in any namespace. Without labels every gateway of the mesh is meant.",
    },
    "Server": {
        "port": "The port that is opened.",
        "bind": "IP address or Unix socket to listen on. Without it, every address.",
        "hosts": "Hosts that are served: names, wildcards such as *.example.com, or *; namespace/host takes VirtualServices of that "
        "namespace only.",
        "tls": "How TLS is treated on this port.",
        "defaultEndpoint": "Never acted on.",
        "name": "A name for statistics.",
    },
    "Port": {
        "number": "Port of the gateway's Service. Where no Service maps it, the proxy listens on it itself.",
        "protocol": "HTTP, HTTPS, HTTP2, GRPC, GRPC-WEB, TLS, TCP, MONGO, MYSQL or REDIS.",
        "name": "Name of the port, once in a Gateway.",
        "targetPort": "Deprecated; must not be set.",
    },
}
