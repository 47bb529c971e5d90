"""Rules of Sidecar."""

from __future__ import annotations

import pytest

from tests.support.documents import errors_of, warnings_of

HOSTS = "hosts: ['./*', istio-system/*]"
PORT = "port: {number: 80, protocol: HTTP, name: http}"
FILES = "serverCertificate: /c, privateKey: /k"

ACCEPTED = {
    "hosts": f"{{egress: [{{{HOSTS}}}]}}",
    "all kinds of hosts": "{egress: [{hosts: ['*/*.a.com', ~/*, ~shop/b.com, shop/c.shop.svc.cluster.local]}]}",
    "selector": f"{{workloadSelector: {{labels: {{app: x}}}}, egress: [{{{HOSTS}}}]}}",
    "policy": "{outboundTrafficPolicy: {mode: REGISTRY_ONLY}}",
    "policy without mode": "{outboundTrafficPolicy: {}}",
    "egress proxy": "{outboundTrafficPolicy: {mode: ALLOW_ANY, egressProxy: {host: p.com, port: {number: 80}}}}",
    "ports and a catch-all": f"{{egress: [{{{PORT}, {HOSTS}}}, {{{HOSTS}}}]}}",
    "unix socket": f"{{egress: [{{port: {{number: 0, protocol: HTTP}}, bind: unix:///s, {HOSTS}}}]}}",
    "ingress": f"{{ingress: [{{{PORT}, defaultEndpoint: '127.0.0.1:8080', bind: 10.0.0.1}}]}}",
    "ingress to a socket": f"{{ingress: [{{{PORT}, defaultEndpoint: unix:///s}}]}}",
    "ingress by ipv6": f"{{ingress: [{{{PORT}, defaultEndpoint: '[::1]:80'}}]}}",
    "ingress with tls": f"{{ingress: [{{port: {{number: 443, protocol: HTTPS}}, tls: {{mode: SIMPLE, {FILES}}}}}]}}",
    "sniffed ports": f"{{ingress: [{{port: {{number: 80}}}}], egress: [{{port: {{number: 81}}, {HOSTS}}}]}}",
    "inbound pool": "{inboundConnectionPool: {http: {maxRetries: 1}}}",
}
REJECTED = {
    "empty": ("{}", "MC1601", "spec"),
    "selector alone": ("{workloadSelector: {labels: {a: b}}}", "MC1601", "spec"),
    "target port of egress": (
        f"{{egress: [{{port: {{number: 80, protocol: HTTP, targetPort: 8080}}, {HOSTS}}}]}}",
        "MC1604",
        "spec.egress[0].port.targetPort",
    ),
    "no hosts": ("{egress: [{}]}", "MC1603", "spec.egress[0].hosts"),
    "host without namespace": ("{egress: [{hosts: [reviews]}]}", "MC1603", "spec.egress[0].hosts[0]"),
    "short host": ("{egress: [{hosts: [./reviews]}]}", "MC1603", "spec.egress[0].hosts[0]"),
    "partial wildcard": ("{egress: [{hosts: ['./*a.com']}]}", "MC1603", "spec.egress[0].hosts[0]"),
    "namespace": ("{egress: [{hosts: ['a b/*']}]}", "MC1603", "spec.egress[0].hosts[0]"),
    "two catch-alls": (f"{{egress: [{{{HOSTS}}}, {{{PORT}, {HOSTS}}}, {{{HOSTS}}}]}}", "MC1604", None),
    "catch-all first": (f"{{egress: [{{{HOSTS}}}, {{{PORT}, {HOSTS}}}]}}", "MC1604", "spec.egress[0]"),
    "port twice": (f"{{egress: [{{{PORT}, {HOSTS}}}, {{{PORT}, {HOSTS}}}]}}", "MC1604", "spec.egress[1].port.number"),
    "port 0": (f"{{egress: [{{port: {{number: 0, protocol: HTTP}}, {HOSTS}}}]}}", "MC1021", "spec.egress[0].port.number"),
    "port beside a socket": (f"{{egress: [{{{PORT}, bind: unix:///s, {HOSTS}}}]}}", "MC1604", "spec.egress[0].port.number"),
    "captured socket": (
        f"{{egress: [{{port: {{number: 0, protocol: HTTP}}, bind: unix:///s, captureMode: IPTABLES, {HOSTS}}}]}}",
        "MC1604",
        "spec.egress[0].captureMode",
    ),
    "bind": (f"{{egress: [{{{PORT}, bind: localhost, {HOSTS}}}]}}", "MC1027", "spec.egress[0].bind"),
    "egress protocol": (f"{{egress: [{{port: {{number: 1, protocol: X}}, {HOSTS}}}]}}", "MC1028", "spec.egress[0].port.protocol"),
    "star in a selector": (
        f"{{workloadSelector: {{labels: {{a: '*'}}}}, egress: [{{{HOSTS}}}]}}",
        "MC1031",
        "spec.workloadSelector.labels.a",
    ),
    "mode of the mesh": ("{outboundTrafficPolicy: {mode: ALLOW_ANY_DYNAMIC_DNS}}", "MC1605", "spec.outboundTrafficPolicy.mode"),
    "proxy for known hosts": (
        "{outboundTrafficPolicy: {mode: REGISTRY_ONLY, egressProxy: {host: p.com, port: {number: 80}}}}",
        "MC1605",
        "spec.outboundTrafficPolicy.egressProxy",
    ),
    "proxy without port": (
        "{outboundTrafficPolicy: {mode: ALLOW_ANY, egressProxy: {host: p.com}}}",
        "MC1605",
        "spec.outboundTrafficPolicy.egressProxy.port",
    ),
    "proxy host": (
        "{outboundTrafficPolicy: {mode: ALLOW_ANY, egressProxy: {host: '*.com', port: {number: 80}}}}",
        "MC1605",
        "spec.outboundTrafficPolicy.egressProxy.host",
    ),
    "ingress without port": ("{ingress: [{bind: 10.0.0.1}]}", "MC1602", "spec.ingress[0].port"),
    "ingress port twice": (f"{{ingress: [{{{PORT}}}, {{{PORT}}}]}}", "MC1602", "spec.ingress[1].port.number"),
    "ingress target port": (
        "{ingress: [{port: {number: 80, protocol: HTTP, targetPort: 8080}}]}",
        "MC1602",
        "spec.ingress[0].port.targetPort",
    ),
    "ingress bind": (f"{{ingress: [{{{PORT}, bind: unix:///s}}]}}", "MC1027", "spec.ingress[0].bind"),
    "foreign endpoint": (f"{{ingress: [{{{PORT}, defaultEndpoint: '10.0.0.1:80'}}]}}", "MC1602", "spec.ingress[0].defaultEndpoint"),
    "endpoint port": (f"{{ingress: [{{{PORT}, defaultEndpoint: '127.0.0.1:65536'}}]}}", "MC1602", "spec.ingress[0].defaultEndpoint"),
    "tls passed through": ("{ingress: [{port: {number: 443, protocol: HTTPS}, tls: {}}]}", "MC1602", "spec.ingress[0].tls.mode"),
    "tls of http": (f"{{ingress: [{{{PORT}, tls: {{mode: SIMPLE, {FILES}}}}}]}}", "MC1602", "spec.ingress[0].tls"),
    "tls with names": (
        f"{{ingress: [{{port: {{number: 443, protocol: HTTPS}}, tls: {{mode: SIMPLE, {FILES}, subjectAltNames: [a]}}}}]}}",
        "MC1602",
        "spec.ingress[0].tls.subjectAltNames",
    ),
    "mutual tls without ca": (
        f"{{ingress: [{{port: {{number: 443, protocol: HTTPS}}, tls: {{mode: MUTUAL, {FILES}}}}}]}}",
        "MC1602",
        "spec.ingress[0].tls.caCertificates",
    ),
    "empty pool": (f"{{ingress: [{{{PORT}, connectionPool: {{}}}}]}}", "MC1303", "spec.ingress[0].connectionPool"),
}
WARNED = {
    "everything and more": ("{egress: [{hosts: ['*/*', ./*]}]}", "MC1603", "spec.egress[0].hosts"),
    "host twice": ("{egress: [{hosts: [./*, ./*]}]}", "MC1603", "spec.egress[0].hosts[1]"),
    "selector of everything": (f"{{workloadSelector: {{}}, egress: [{{{HOSTS}}}]}}", "MC1031", "spec.workloadSelector.labels"),
    "http pool on tcp": (
        "{ingress: [{port: {number: 1, protocol: TCP}, connectionPool: {http: {maxRetries: 1}}}]}",
        "MC1602",
        "spec.ingress[0].connectionPool.http",
    ),
    "bind without port": (f"{{egress: [{{bind: 10.0.0.1, {HOSTS}}}]}}", "MC1604", "spec.egress[0].bind"),
}


@pytest.mark.parametrize("spec", ACCEPTED.values(), ids=ACCEPTED)
def test_accepted(spec: str) -> None:
    """What the API server and Istio's admission accept, we accept."""
    assert errors_of("Sidecar", spec) == []


@pytest.mark.parametrize(("spec", "code", "path"), REJECTED.values(), ids=REJECTED)
def test_rejected(spec: str, code: str, path: str | None) -> None:
    """Each mistake gives one error, at the field that is wrong."""
    errors = errors_of("Sidecar", spec)
    assert {found for found, _ in errors} == {code}
    if path is not None:
        assert [place for _, place in errors] == [path]


@pytest.mark.parametrize(("spec", "code", "path"), WARNED.values(), ids=WARNED)
def test_warned(spec: str, code: str, path: str) -> None:
    """What does less than it seems is accepted with a warning."""
    assert errors_of("Sidecar", spec) == []
    assert (code, path) in warnings_of("Sidecar", spec)
