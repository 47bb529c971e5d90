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
NO_MESH_IDENTITY: Final = define(
    "MC2105",
    "Workloads have no certificates of the mesh",
    cause=(
        "The mode ISTIO_MUTUAL (and the credential builtin://) uses the certificate that an authority of the mesh gives to each workload."
        " Such an authority does not exist here, so nobody could connect."
    ),
    example="tls: {mode: ISTIO_MUTUAL}",
    fix="Use MUTUAL with a credentialName. translate takes the certificates to exist and only warns.",
)
CERTIFICATE_MISSING: Final = define(
    "MC2106",
    "A server names no certificate",
    cause="A server that terminates TLS needs credentialName, credentialNames, tlsCertificates, or serverCertificate and privateKey.",
    example="tls: {mode: SIMPLE}",
    fix="Put certificate and key into a Secret in the namespace of the gateway workload and name it in credentialName.",
)
CREDENTIAL_MISSING: Final = define(
    "MC2107",
    "The Secret of a server does not exist",
    cause=(
        "credentialName is looked up in the namespace of the gateway workload, not in that of the Gateway object. Where clients are checked,"
        " the authority is in the Secret <name>-cacert, or in <name> itself."
    ),
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
    cause=(
        "The Secret lacks a certificate or a key, one of them is not PEM, or the key does not belong to the certificate. Where clients are"
        " checked: it lacks the certificate of the authority."
    ),
    example="Secret shop-cert: data: {tls.crt: ...}   # no tls.key",
    fix=(
        "Store a PEM certificate chain as tls.crt and its private key as tls.key (or as cert and key), an authority as ca.crt (or cacert),"
        " a list of revoked certificates as ca.crl (or crl)."
    ),
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
CURVE_UNKNOWN: Final = define(
    "MC2116",
    "A curve is left out",
    cause="Not every supported Envoy knows the curve. An unknown one would make it reject the listener.",
    example="ecdhCurves: [brainpoolP256r1]",
    fix="Use X25519, X25519MLKEM768, P-256, P-384 or P-521.",
)
CLIENT_CHECK_UNUSABLE: Final = define(
    "MC2117",
    "Clients cannot be checked as asked for",
    cause="A pin is no SHA-256 digest, or the certificates of an authority are not named. Serving without the check would let everybody in.",
    example="tls: {mode: MUTUAL, credentialName: shop-cert, verifyCertificateHash: [abc]}",
    fix="Give the SHA-256 of the certificate in hex, that of the public key in base64, or the certificates of the authority.",
)
