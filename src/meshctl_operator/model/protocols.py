"""Application protocols of service ports, and how they are found out (Istio ``protocol.Instance`` and ``kube.ConvertProtocol``)."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Protocol(StrEnum):
    """Application protocol of a port (Istio ``protocol.Instance``); UNSUPPORTED means that it is sniffed."""

    TCP = "TCP"
    UDP = "UDP"
    HTTP = "HTTP"
    HTTP_PROXY = "HTTP_PROXY"
    HTTP2 = "HTTP2"
    HTTPS = "HTTPS"
    GRPC = "GRPC"
    GRPC_WEB = "GRPC-Web"
    TLS = "TLS"
    MONGO = "Mongo"
    REDIS = "Redis"
    MYSQL = "MySQL"
    UNSUPPORTED = "UnsupportedProtocol"

    @property
    def is_http(self) -> bool:
        """Whether the connection manager handles it: HTTP, HTTP2, gRPC, gRPC-Web, HTTP_PROXY."""
        return self in {Protocol.HTTP, Protocol.HTTP_PROXY, Protocol.HTTP2, Protocol.GRPC, Protocol.GRPC_WEB}

    @property
    def is_http2(self) -> bool:
        """Whether upstream connections speak HTTP/2."""
        return self in {Protocol.HTTP2, Protocol.GRPC, Protocol.GRPC_WEB}

    @property
    def is_tcp(self) -> bool:
        """Whether it is carried as opaque TCP: TCP, HTTPS, TLS, Mongo, Redis, MySQL."""
        return self in {Protocol.TCP, Protocol.HTTPS, Protocol.TLS, Protocol.MONGO, Protocol.REDIS, Protocol.MYSQL}


_BY_NAME: Final = {protocol.value.lower(): protocol for protocol in Protocol if protocol is not Protocol.UNSUPPORTED}
_APP_PROTOCOLS: Final = {
    "kubernetes.io/h2c": Protocol.HTTP2,
    "kubernetes.io/ws": Protocol.HTTP,
    "kubernetes.io/wss": Protocol.HTTPS,
}
_SERVER_FIRST_PORTS: Final = frozenset({25, 53, 3306, 27017})
"""Ports of protocols in which the server speaks first (SMTP, MySQL...) or that are never HTTP: sniffing would stall them."""
_GRPC_WEB: Final = "grpc-web"


def parse_protocol(text: str) -> Protocol:
    """Return the protocol that a Gateway or ServiceEntry port names, in any case; empty or unknown text is UNSUPPORTED."""
    return _BY_NAME.get(text.lower(), Protocol.UNSUPPORTED)


def kubernetes_protocol(port_number: int, name: str, app_protocol: str | None, transport: str) -> Protocol:
    """Return the protocol of a Kubernetes service port.

    ``app_protocol`` decides where it is set, known or not; otherwise the port name up to its first ``-``. A port that declares nothing
    known is sniffed, unless its number belongs to a protocol that cannot be.
    """
    if transport.upper() == "UDP":
        return Protocol.UDP
    declared = (app_protocol or name).lower()
    if declared in _APP_PROTOCOLS:
        return _APP_PROTOCOLS[declared] if app_protocol else Protocol.UNSUPPORTED
    found = Protocol.GRPC_WEB if declared.startswith(_GRPC_WEB) else _BY_NAME.get(declared.partition("-")[0])
    if found is not None:
        return found
    return Protocol.TCP if port_number in _SERVER_FIRST_PORTS else Protocol.UNSUPPORTED
