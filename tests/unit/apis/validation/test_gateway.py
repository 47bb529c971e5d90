"""Rules of Gateway."""

from __future__ import annotations

import pytest

from meshctl_operator.apis.validation.tls_parameters import CIPHER_SUITES
from tests.support.documents import document, errors_of, warnings_of

HTTP = "port: {number: 80, protocol: HTTP, name: http}"
HTTPS = "port: {number: 443, protocol: HTTPS, name: https}"
FILES = "serverCertificate: /c, privateKey: /k"


def gateway(*servers: str) -> str:
    """Return the spec of a Gateway with these servers, in YAML."""
    return "{servers: [" + ", ".join(f"{{{server}}}" for server in servers) + "]}"


ACCEPTED = {
    "http": f"{HTTP}, hosts: ['*']",
    "redirect": f"{HTTP}, hosts: ['*'], tls: {{httpsRedirect: true}}",
    "simple with a Secret": f"{HTTPS}, hosts: [a.com], tls: {{mode: SIMPLE, credentialName: c}}",
    "two Secrets": f"{HTTPS}, hosts: [a.com], tls: {{mode: SIMPLE, credentialNames: [c, d]}}",
    "simple with files": f"{HTTPS}, hosts: [a.com], tls: {{mode: SIMPLE, {FILES}}}",
    "mutual with files": f"{HTTPS}, hosts: [a.com], tls: {{mode: MUTUAL, {FILES}, caCertificates: /ca, caCrl: /crl}}",
    "pairs of files": f"{HTTPS}, hosts: [a.com], tls: {{mode: SIMPLE, tlsCertificates: [{{{FILES}}}]}}",
    "pass-through": f"{HTTPS}, hosts: [a.com], tls: {{}}",
    "mesh certificates": f"{HTTPS}, hosts: [a.com], tls: {{mode: ISTIO_MUTUAL}}",
    "tcp": "port: {number: 1, protocol: TCP, name: t}, hosts: ['*']",
    "protocol in lower case": "port: {number: 1, protocol: grpc-web, name: t}, hosts: ['*']",
    "unix socket": "port: {number: 0, protocol: HTTP, name: t}, bind: unix:///run/s, hosts: ['*']",
    "abstract socket": "port: {number: 0, protocol: HTTP, name: t}, bind: unix://@s, hosts: ['*']",
    "bind": f"{HTTP}, bind: 127.0.0.1, hosts: ['*']",
    "hosts with namespaces": f"{HTTP}, hosts: [shop/a.com, ./b.com, '*/c.com', '*/*', 'shop/*.d.com', 10.0.0.1, '*.com']",
}
REJECTED = {
    "no port": ("hosts: ['*']", "MC1021", ".port"),
    "port 0": ("port: {number: 0, protocol: HTTP, name: h}, hosts: ['*']", "MC1021", ".port.number"),
    "port too large": ("port: {number: 65536, protocol: HTTP, name: h}, hosts: ['*']", "MC1021", ".port.number"),
    "port beside a socket": ("port: {number: 80, protocol: HTTP, name: h}, bind: unix:///s, hosts: ['*']", "MC1021", ".port.number"),
    "target port": ("port: {number: 80, protocol: HTTP, name: h, targetPort: 8080}, hosts: ['*']", "MC1021", ".port.targetPort"),
    "no port name": ("port: {number: 80, protocol: HTTP}, hosts: ['*']", "MC1105", ".port.name"),
    "unknown protocol": ("port: {number: 80, protocol: HTTP3, name: h}, hosts: ['*']", "MC1028", ".port.protocol"),
    "no protocol": ("port: {number: 80, name: h}, hosts: ['*']", "MC1028", ".port.protocol"),
    "bind to a name": (f"{HTTP}, bind: localhost, hosts: ['*']", "MC1027", ".bind"),
    "bind to a folder": ("port: {number: 0, protocol: HTTP, name: h}, bind: unix:///run/, hosts: ['*']", "MC1027", ".bind"),
    "no hosts": (f"{HTTP}, hosts: []", "MC1102", ".hosts"),
    "short host": (f"{HTTP}, hosts: [reviews]", "MC1102", ".hosts[0]"),
    "partial wildcard": (f"{HTTP}, hosts: ['*foo.com']", "MC1102", ".hosts[0]"),
    "dashed wildcard": (f"{HTTP}, hosts: ['*-foo.com']", "MC1102", ".hosts[0]"),
    "empty namespace": (f"{HTTP}, hosts: [/a.com]", "MC1102", ".hosts[0]"),
    "empty name": (f"{HTTP}, hosts: [shop/]", "MC1102", ".hosts[0]"),
    "ipv6 host": (f"{HTTP}, hosts: ['::1']", "MC1102", ".hosts[0]"),
    "https without tls": (f"{HTTPS}, hosts: ['*']", "MC1103", ".tls"),
    "http that terminates": (f"{HTTP}, hosts: ['*'], tls: {{mode: SIMPLE, credentialName: c}}", "MC1103", ".tls"),
    "http with files": (f"{HTTP}, hosts: ['*'], tls: {{{FILES}}}", "MC1103", ".tls"),
    "tcp with tls": ("port: {number: 1, protocol: TCP, name: t}, hosts: ['*'], tls: {}", "MC1103", ".tls"),
    "simple without certificate": (f"{HTTPS}, hosts: ['*'], tls: {{mode: SIMPLE}}", "MC1104", ".tls"),
    "mutual without ca": (f"{HTTPS}, hosts: ['*'], tls: {{mode: MUTUAL, {FILES}}}", "MC1104", ".tls.caCertificates"),
    "crl with simple": (f"{HTTPS}, hosts: ['*'], tls: {{mode: SIMPLE, {FILES}, caCrl: /c}}", "MC1104", ".tls.caCrl"),
    "two sources": (f"{HTTPS}, hosts: ['*'], tls: {{mode: SIMPLE, credentialName: c, {FILES}}}", "MC1104", ".tls"),
    "name and names": (f"{HTTPS}, hosts: ['*'], tls: {{mode: SIMPLE, credentialName: c, credentialNames: [d]}}", "MC1104", ".tls"),
    "three names": (f"{HTTPS}, hosts: ['*'], tls: {{mode: SIMPLE, credentialNames: [a, b, c]}}", "MC1104", ".tls.credentialNames"),
    "half a pair": (
        f"{HTTPS}, hosts: ['*'], tls: {{mode: SIMPLE, tlsCertificates: [{{privateKey: /k}}]}}",
        "MC1104",
        ".tls.tlsCertificates[0]",
    ),
    "mesh with credential": (
        f"{HTTPS}, hosts: ['*'], tls: {{mode: ISTIO_MUTUAL, credentialName: c}}",
        "MC1104",
        ".tls.credentialName",
    ),
    "crl and credential passed through": (
        f"{HTTPS}, hosts: ['*'], tls: {{caCrl: /c, credentialName: c}}",
        "MC1104",
        ".tls.caCrl",
    ),
}
WARNED = {
    "redirect of https": (f"{HTTPS}, hosts: ['*'], tls: {{httpsRedirect: true}}", "MC1106", ".tls.httpsRedirect"),
    "credential passed through": (f"{HTTPS}, hosts: ['*'], tls: {{credentialName: c}}", "MC1106", ".tls.credentialName"),
    "old tls": (
        f"{HTTPS}, hosts: ['*'], tls: {{mode: SIMPLE, credentialName: c, minProtocolVersion: TLSV1_0}}",
        "MC1107",
        ".tls.minProtocolVersion",
    ),
    "minimum above maximum": (
        f"{HTTPS}, hosts: ['*'], tls: {{mode: SIMPLE, credentialName: c, minProtocolVersion: TLSV1_3, maxProtocolVersion: TLSV1_2}}",
        "MC1107",
        ".tls.minProtocolVersion",
    ),
    "unknown cipher": (
        f"{HTTPS}, hosts: ['*'], tls: {{mode: SIMPLE, credentialName: c, cipherSuites: [ROT13]}}",
        "MC1107",
        ".tls.cipherSuites[0]",
    ),
    "cipher twice": (
        f"{HTTPS}, hosts: ['*'], tls: {{mode: SIMPLE, credentialName: c, cipherSuites: [AES128-SHA, AES128-SHA]}}",
        "MC1107",
        ".tls.cipherSuites[1]",
    ),
}


@pytest.mark.parametrize("server", ACCEPTED.values(), ids=ACCEPTED)
def test_accepted(server: str) -> None:
    """What Istio's admission accepts, we accept."""
    assert errors_of("Gateway", gateway(server)) == []


@pytest.mark.parametrize(("server", "code", "path"), REJECTED.values(), ids=REJECTED)
def test_rejected(server: str, code: str, path: str) -> None:
    """Each mistake gives one error, at the field that is wrong."""
    assert errors_of("Gateway", gateway(server)) == [(code, f"spec.servers[0]{path}")]


@pytest.mark.parametrize(("server", "code", "path"), WARNED.values(), ids=WARNED)
def test_warned(server: str, code: str, path: str) -> None:
    """What has no effect is accepted with a warning at the field."""
    assert errors_of("Gateway", gateway(server)) == []
    assert (code, f"spec.servers[0]{path}") in warnings_of("Gateway", gateway(server))


@pytest.mark.parametrize("suite", ["", "ALL", "-X", "+X", "[a|b]", *sorted(CIPHER_SUITES)])
def test_known_cipher_suites(suite: str) -> None:
    """Suites that Envoy knows, and its operators on suites, pass without a word."""
    spec = gateway(f"{HTTPS}, hosts: ['*'], tls: {{mode: SIMPLE, credentialName: c, cipherSuites: ['{suite}']}}")
    assert warnings_of("Gateway", spec) == []


def test_no_servers() -> None:
    """A Gateway without servers is refused."""
    assert errors_of("Gateway", {"selector": {"istio": "ingressgateway"}}) == [("MC1101", "spec.servers")]


def test_port_names_are_unique() -> None:
    """Two servers of a Gateway cannot share a port name; the second one is the culprit."""
    assert errors_of("Gateway", gateway(f"{HTTP}, hosts: [a.com]", f"{HTTP}, hosts: [b.com]")) == [("MC1105", "spec.servers[1].port.name")]


CREDENTIAL = "tls: {mode: SIMPLE, credentialName: c}"
SECURE = "port: {number: 443, protocol: HTTPS, name: second}"
CONFLICTS = {
    "same host": ((f"{HTTPS}, hosts: [a.com], {CREDENTIAL}", f"{SECURE}, hosts: [b.com, a.com], {CREDENTIAL}"), "spec.servers[1].hosts[1]"),
    "same host in another namespace": (
        (f"{HTTPS}, hosts: [x/a.com], {CREDENTIAL}", f"{SECURE}, hosts: [a.com], {CREDENTIAL}"),
        "spec.servers[1].hosts[0]",
    ),
    "plain beside TLS": (
        (f"{HTTPS}, hosts: [a.com], {CREDENTIAL}", "port: {number: 443, protocol: HTTP, name: p}, hosts: [b.com]"),
        "spec.servers[1]",
    ),
    "tcp beside tcp": (
        ("port: {number: 1, protocol: TCP, name: a}, hosts: [a.com]", "port: {number: 1, protocol: TCP, name: b}, hosts: [b.com]"),
        "spec.servers[1]",
    ),
}
PEACE = {
    "other hosts": (f"{HTTPS}, hosts: [a.com], {CREDENTIAL}", f"{SECURE}, hosts: [b.com], {CREDENTIAL}"),
    "other bind": (f"{HTTPS}, hosts: [a.com], {CREDENTIAL}", f"{SECURE}, bind: 10.0.0.1, hosts: [a.com], {CREDENTIAL}"),
    "plain on one port": (f"{HTTP}, hosts: [a.com]", "port: {number: 80, protocol: GRPC, name: g}, hosts: [a.com]"),
    "passed through beside terminated": (
        f"{HTTPS}, hosts: [a.com], {CREDENTIAL}",
        "port: {number: 443, protocol: TLS, name: t}, hosts: [b.com], tls: {}",
    ),
}


@pytest.mark.parametrize(("servers", "path"), CONFLICTS.values(), ids=CONFLICTS)
def test_conflicting_servers(servers: tuple[str, ...], path: str) -> None:
    """Servers that cannot share a listener are accepted, as Istio does, with a warning on the one that is skipped."""
    assert errors_of("Gateway", gateway(*servers)) == []
    assert warnings_of("Gateway", gateway(*servers)) == [("MC1108", path)]


@pytest.mark.parametrize("servers", PEACE.values(), ids=PEACE)
def test_servers_that_share_a_port(servers: tuple[str, ...]) -> None:
    """Servers that can share a port are not warned about."""
    assert warnings_of("Gateway", gateway(*servers)) == []


def test_all_findings_in_one_pass() -> None:
    """Mistakes in several servers are reported together."""
    spec = gateway(f"{HTTP}, hosts: []", "port: {number: 0, protocol: TCP, name: t}, hosts: [x]")
    assert [path for _, path in errors_of("Gateway", spec)] == [
        "spec.servers[1].port.number",
        "spec.servers[0].hosts",
        "spec.servers[1].hosts[0]",
    ]


def test_name_is_one_label() -> None:
    """The name of a Gateway becomes part of names of route configurations and has no dots."""
    from meshctl_operator.apis.changes import Rejected
    from meshctl_operator.apis.decode import decode

    decoded = decode(document("Gateway", gateway(f"{HTTP}, hosts: ['*']"), name="my.gateway"))
    assert isinstance(decoded, Rejected)
    assert [d.path for d in decoded.diagnostics] == ["metadata.name"]
