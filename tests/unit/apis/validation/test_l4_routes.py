"""Rules of TLS and TCP rules."""

from __future__ import annotations

import pytest

from tests.support.documents import errors_of, warnings_of

ROUTE = "route: [{destination: {host: a}}]"

ACCEPTED = {
    "server name": f"{{hosts: [a.com], tls: [{{match: [{{sniHosts: [a.com], port: 443}}], {ROUTE}}}]}}",
    "server name below a wildcard": f"{{hosts: ['*.a.com'], tls: [{{match: [{{sniHosts: [b.a.com]}}], {ROUTE}}}]}}",
    "generated server name": (f"{{hosts: ['*'], gateways: [gw], tls: [{{match: [{{sniHosts: [outbound_.80_.v1_.a.com]}}], {ROUTE}}}]}}"),
    "tcp without match": f"{{hosts: [a.com], tcp: [{{{ROUTE}}}]}}",
    "tcp": (
        "{hosts: [a.com], tcp: [{match: [{port: 1, destinationSubnets: [10.0.0.0/8, 10.0.0.1, '::/0'], sourceLabels: {a: b}, "
        f"gateways: [mesh], sourceNamespace: 'not checked'}}], {ROUTE}}}]}}"
    ),
}
REJECTED = {
    "no match": (f"{{hosts: [a.com], tls: [{{{ROUTE}}}]}}", "MC1216", "spec.tls[0].match"),
    "no server names": (f"{{hosts: [a.com], tls: [{{match: [{{port: 1}}], {ROUTE}}}]}}", "MC1216", "spec.tls[0].match[0].sniHosts"),
    "other server name": (
        f"{{hosts: [a.com], tls: [{{match: [{{sniHosts: [b.com]}}], {ROUTE}}}]}}",
        "MC1216",
        "spec.tls[0].match[0].sniHosts[0]",
    ),
    "server name that is none": (
        f"{{hosts: [a.com], tls: [{{match: [{{sniHosts: ['a b']}}], {ROUTE}}}]}}",
        "MC1216",
        "spec.tls[0].match[0].sniHosts[0]",
    ),
    "generated server name in the mesh": (
        f"{{hosts: [a.com], tls: [{{match: [{{sniHosts: [outbound_.80_.v1_.a.com]}}], {ROUTE}}}]}}",
        "MC1216",
        "spec.tls[0].match[0].sniHosts[0]",
    ),
    "subnet": (
        f"{{hosts: [a.com], tcp: [{{match: [{{destinationSubnets: [10.0.0.0/33]}}], {ROUTE}}}]}}",
        "MC1027",
        "spec.tcp[0].match[0].destinationSubnets[0]",
    ),
    "port": (f"{{hosts: [a.com], tcp: [{{match: [{{port: 65536}}], {ROUTE}}}]}}", "MC1021", "spec.tcp[0].match[0].port"),
    "label": (
        f"{{hosts: [a.com], tcp: [{{match: [{{sourceLabels: {{a: 'b c'}}}}], {ROUTE}}}]}}",
        "MC1025",
        "spec.tcp[0].match[0].sourceLabels.a",
    ),
    "gateway": (f"{{hosts: [a.com], tcp: [{{match: [{{gateways: [./a]}}], {ROUTE}}}]}}", "MC1202", "spec.tcp[0].match[0].gateways[0]"),
    "no route": ("{hosts: [a.com], tcp: [{match: [{port: 1}]}]}", "MC1204", "spec.tcp[0].route"),
}


@pytest.mark.parametrize("spec", ACCEPTED.values(), ids=ACCEPTED)
def test_accepted(spec: str) -> None:
    """What Istio's admission accepts, we accept."""
    assert errors_of("VirtualService", spec) == []


@pytest.mark.parametrize(("spec", "code", "path"), REJECTED.values(), ids=REJECTED)
def test_rejected(spec: str, code: str, path: str) -> None:
    """Each mistake gives one error, at the field that is wrong."""
    assert errors_of("VirtualService", spec) == [(code, path)]


@pytest.mark.parametrize(("host", "sni"), [("10.0.0.1", "10.0.0.1"), ("*-a.com", "*-a.com")], ids=["address", "partial wildcard"])
def test_server_names_that_never_match(host: str, sni: str) -> None:
    """Server names that no client sends or that Envoy refuses are warned about."""
    spec = f"{{hosts: ['{host}'], tls: [{{match: [{{sniHosts: ['{sni}']}}], {ROUTE}}}]}}"
    assert errors_of("VirtualService", spec) == []
    assert warnings_of("VirtualService", spec) == [("MC1216", "spec.tls[0].match[0].sniHosts[0]")]
