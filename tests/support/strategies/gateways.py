"""Gateways: HTTP, HTTPS with a Secret, TCP and TLS that is passed through."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.support.strategies.alphabet import CREDENTIALS, PORTS, JsonObject, JsonStrategy, few, routing, some

SERVER_HOSTS = ("*", "api.example.com", "*.example.com", "default/www.example.com", "./*", "*/db.example.org")


@st.composite
def _server(draw: st.DrawFn, number: int) -> JsonObject:
    """Draw a server; its number gives its port a name of its own."""
    protocol = draw(st.sampled_from(("HTTP", "HTTP", "HTTP2", "GRPC", "HTTPS", "HTTPS", "TLS", "TCP")))
    port = {"number": draw(st.sampled_from((*PORTS, 8080))), "name": f"port-{number}", "protocol": protocol}
    server: JsonObject = {"port": port, "hosts": draw(few(st.sampled_from(SERVER_HOSTS), least=1, unique=True))}
    server |= draw(some({"name": st.just("front"), "bind": st.sampled_from(("0.0.0.0", "127.0.0.1"))}, most=1))
    if protocol in {"HTTPS", "TLS"}:
        passing = st.sampled_from(("PASSTHROUGH", "AUTO_PASSTHROUGH")).map(lambda mode: {"mode": mode})
        server["tls"] = draw(st.one_of(_terminating(), _terminating(), passing, st.just({"mode": "ISTIO_MUTUAL"})))
    elif protocol == "HTTP" and draw(st.booleans()):
        server["tls"] = {"httpsRedirect": True}
    return server


def _terminating() -> JsonStrategy:
    credential = st.one_of(
        st.sampled_from(CREDENTIALS).map(lambda name: {"credentialName": name}), st.just({"credentialNames": list(CREDENTIALS)})
    )
    versions = st.sampled_from(("TLS_AUTO", "TLSV1_2", "TLSV1_3"))
    optional = some(
        {
            "minProtocolVersion": versions,
            "maxProtocolVersion": versions,
            "cipherSuites": st.just(["ECDHE-RSA-AES128-GCM-SHA256", "RC4-SHA"]),
            "ecdhCurves": st.just(["P-256", "nope", "X25519"]),
            "subjectAltNames": st.just(["client.example.com"]),
            "verifyCertificateHash": st.sampled_from((["ab" * 32], ["ab" * 32, "nope"], ["nope"])),
            "caCertCredentialName": st.sampled_from(CREDENTIALS),
        }
    )
    modes = st.sampled_from(("SIMPLE", "SIMPLE", "MUTUAL", "OPTIONAL_MUTUAL"))
    return st.builds(lambda mode, source, extra: {"mode": mode} | source | extra, modes, credential, optional)


@st.composite
def _spec(draw: st.DrawFn) -> JsonObject:
    """Draw the spec of a Gateway that usually selects the ingress gateway."""
    selector = draw(st.sampled_from(({"istio": "ingressgateway"}, {"istio": "ingressgateway"}, {}, {"istio": "egressgateway"})))
    return {"selector": selector, "servers": [draw(_server(number)) for number in range(draw(st.integers(1, 3)))]}


def gateways() -> JsonStrategy:
    """Draw a Gateway."""
    return routing("Gateway", st.sampled_from(("gw", "gw", "gw-2")), _spec())
