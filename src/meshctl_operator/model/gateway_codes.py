"""Codes of findings about gateways: servers that had to be left out, and why."""

from __future__ import annotations

from typing import Final

from meshctl_operator.base.codes import define

SERVER_UNUSABLE: Final = define(
    "MC2101",
    "A server of a Gateway cannot be served",
    cause="The port, protocol, bind address or TLS block of the server is missing or contradicts the others, so no listener can be made of it.",
    example="servers:\n- port: {number: 443, name: https, protocol: HTTPS}\n  hosts: [shop.example.com]   # no tls block",
    fix="Complete the server as the message says. The other servers of the Gateway are not affected.",
)
HOST_TAKEN: Final = define(
    "MC2102",
    "A host is already served by an older server on the same port",
    cause="Two servers that use TLS claim the same host on one port and address. A connection can belong to one of them only; the oldest Gateway wins.",
    example="Gateway a: port 443, hosts [shop.example.com]\nGateway b: port 443, hosts [shop.example.com]",
    fix="Remove the host from one of the servers, or give one of them a port or bind address of its own.",
    istio_code="IST0145",
)
PORT_TAKEN: Final = define(
    "MC2103",
    "A port is already used with another protocol",
    cause="Only HTTP servers share a port with HTTP servers, and TLS servers with TLS servers. The oldest Gateway wins.",
    example="Gateway a: port 8080 protocol HTTP\nGateway b: port 8080 protocol TCP",
    fix="Use another port number, or another bind address.",
    istio_code="IST0145",
)
PORT_NAME_TAKEN: Final = define(
    "MC2104",
    "Two HTTPS servers of a Gateway have the same port name",
    cause="The routes of a terminating HTTPS server are named after its port number, port name and Gateway. Two servers with the same name would share them.",
    example="servers:\n- port: {number: 443, name: https, protocol: HTTPS}\n- port: {number: 443, name: https, protocol: HTTPS}",
    fix="Give each server of a Gateway a port name of its own.",
)
TLS_MODE_UNSUPPORTED: Final = define(
    "MC2105",
    "A TLS mode is not supported yet",
    cause="The server asks for MUTUAL, OPTIONAL_MUTUAL, ISTIO_MUTUAL or AUTO_PASSTHROUGH. Serving it without asking clients for a certificate would open it.",
    example="tls: {mode: MUTUAL, credentialName: shop-cert}",
    fix="Use SIMPLE or PASSTHROUGH. The server is left out until then.",
)
CERTIFICATE_SOURCE_UNSUPPORTED: Final = define(
    "MC2106",
    "A certificate source is not supported yet",
    cause="The certificate comes from files of the proxy or from another SDS server. Only Secrets (credentialName, credentialNames) are read.",
    example="tls: {mode: SIMPLE, serverCertificate: /etc/certs/tls.crt, privateKey: /etc/certs/tls.key}",
    fix="Put certificate and key into a Secret in the namespace of the gateway workload and name it in credentialName.",
)
CREDENTIAL_MISSING: Final = define(
    "MC2107",
    "The Secret of a server does not exist",
    cause="credentialName is looked up in the namespace of the gateway workload, not in that of the Gateway object.",
    example="tls: {mode: SIMPLE, credentialName: shop-cert}   # no Secret shop-cert in istio-system",
    fix=(
        "Create the Secret in the namespace that the message names; the server is served as soon as it is there. translate, whose inputs"
        " seldom hold Secrets, takes it to exist and only warns."
    ),
    istio_code="IST0161",
)
CREDENTIAL_UNUSABLE: Final = define(
    "MC2108",
    "The Secret of a server holds no usable certificate",
    cause="The Secret lacks a certificate or a key, one of them is not PEM, or the key does not belong to the certificate.",
    example="Secret shop-cert: data: {tls.crt: ...}   # no tls.key",
    fix="Store a PEM certificate chain as tls.crt and its private key as tls.key (or as cert and key).",
    istio_code="IST0161",
)
PRIVILEGED_PORT: Final = define(
    "MC2109",
    "The gateway may not open a port below 1024",
    cause="The gateway workload declares itself unprivileged, and the port is not translated by any Service that selects it.",
    example="servers:\n- port: {number: 80, name: http, protocol: HTTP}",
    fix="Give the Service of the gateway a targetPort of 1024 or more, as in 80 to 8080.",
)
SNI_UNUSABLE: Final = define(
    "MC2110",
    "A server name cannot be matched",
    cause="Envoy matches names and wildcards of whole labels (*.example.com). Partial wildcards would make it reject the listener.",
    example="sniHosts: ['*-eu.example.com']",
    fix="List the names one by one or use a wildcard of a whole label.",
)
SNI_TAKEN: Final = define(
    "MC2111",
    "A server name is already routed on this port",
    cause="Two TLS routes, or a TLS route and a server that terminates TLS, claim one server name on the same port. The first wins.",
    example="VirtualService a: tls match sniHosts [db.example.com]\nVirtualService b: tls match sniHosts [db.example.com]",
    fix="Remove the name from one of them.",
)
NO_TCP_ROUTE: Final = define(
    "MC2112",
    "No route for a TCP server",
    cause="A TCP server opens only with a VirtualService that is bound to the Gateway, covers a host of the server and has a tcp rule for its port.",
    example="servers:\n- port: {number: 9000, name: tcp, protocol: TCP}\n  hosts: ['*']",
    fix="Add a VirtualService with gateways: [<the gateway>] and a tcp rule.",
)
NO_TLS_ROUTE: Final = define(
    "MC2113",
    "No route for a pass-through server",
    cause="A PASSTHROUGH server opens only for server names that a tls rule of a VirtualService bound to the Gateway lists.",
    example="servers:\n- port: {number: 443, name: tls, protocol: TLS}\n  hosts: [db.example.com]\n  tls: {mode: PASSTHROUGH}",
    fix="Add a VirtualService with gateways: [<the gateway>] and a tls rule with sniHosts.",
)
CIPHER_UNKNOWN: Final = define(
    "MC2114",
    "A cipher suite is left out",
    cause="Envoy does not know the cipher suite, or it is named twice. An unknown one would make it reject the listener.",
    example="cipherSuites: [RC4-SHA]",
    fix="Use names of the reference table, for example ECDHE-RSA-AES128-GCM-SHA256.",
)
TLS_VERSIONS_EMPTY: Final = define(
    "MC2115",
    "No TLS version is left",
    cause="minProtocolVersion is above maxProtocolVersion, so no client could ever connect.",
    example="tls: {minProtocolVersion: TLSV1_3, maxProtocolVersion: TLSV1_2}",
    fix="Raise maxProtocolVersion or lower minProtocolVersion.",
)
