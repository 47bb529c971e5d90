"""Rules of ServiceEntry."""

from __future__ import annotations

import pytest

from meshctl_operator.apis.decode import decode
from tests.support.documents import document, errors_of, findings_of, warnings_of

HTTP = "ports: [{number: 80, name: http, protocol: HTTP}]"
TCP = "ports: [{number: 9, name: tcp, protocol: TCP}]"

ACCEPTED = {
    "external name": f"{{hosts: [a.com], {HTTP}, resolution: DNS}}",
    "nothing resolved": f"{{hosts: ['*.a.com'], {HTTP}}}",
    "static": f"{{hosts: [a.com], {HTTP}, resolution: STATIC, endpoints: [{{address: 10.0.0.1, ports: {{http: 8080}}}}]}}",
    "unix socket": f"{{hosts: [a.com], {HTTP}, resolution: STATIC, endpoints: [{{address: unix:///s}}]}}",
    "range of addresses": f"{{hosts: [a.com], {TCP}, addresses: [10.0.0.0/8, '2001:db8::/32'], resolution: NONE}}",
    "wildcard with endpoints": f"{{hosts: ['*.a.com'], {HTTP}, resolution: DNS, endpoints: [{{address: a.com}}]}}",
    "round robin": f"{{hosts: [a.com], {HTTP}, resolution: DNS_ROUND_ROBIN, endpoints: [{{address: a.com}}]}}",
    "selector": f"{{hosts: [a.com], {HTTP}, location: MESH_INTERNAL, resolution: STATIC, workloadSelector: {{labels: {{app: x}}}}}}",
    "several tls hosts": "{hosts: [a.com, b.com], ports: [{number: 443, name: tls, protocol: TLS}], resolution: DNS}",
    "several tcp hosts, not resolved": f"{{hosts: [a.com, b.com], {TCP}, addresses: [10.0.0.1]}}",
    "sniffed port": "{hosts: [a.com], ports: [{number: 80, name: x}], resolution: DNS}",
    "exported to nobody": f"{{hosts: [a.com], {HTTP}, exportTo: ['~']}}",
    "dynamic": f"{{hosts: ['*.a.com'], {HTTP}, resolution: DYNAMIC_DNS}}",
}
REJECTED = {
    "no hosts": ("{hosts: []}", "MC1401", "spec.hosts"),
    "too many hosts": (f"{{hosts: [{', '.join(f'h{n}.com' for n in range(257))}]}}", "MC1401", "spec.hosts"),
    "star": ("{hosts: ['*']}", "MC1401", "spec.hosts[0]"),
    "address as a host": ("{hosts: [10.0.0.1]}", "MC1401", "spec.hosts[0]"),
    "address that is none": ("{hosts: [a.com], addresses: [x]}", "MC1402", "spec.addresses[0]"),
    "range with dns": ("{hosts: [a.com], addresses: [10.0.0.0/8], resolution: DNS}", "MC1402", "spec.addresses[0]"),
    "port 0": ("{hosts: [a.com], ports: [{number: 0, name: a, protocol: HTTP}]}", "MC1021", "spec.ports[0].number"),
    "port number twice": (
        "{hosts: [a.com], ports: [{number: 80, name: a, protocol: HTTP}, {number: 80, name: b, protocol: HTTP}]}",
        "MC1403",
        "spec.ports[1].number",
    ),
    "port name twice": (
        "{hosts: [a.com], ports: [{number: 80, name: a, protocol: HTTP}, {number: 81, name: a, protocol: HTTP}]}",
        "MC1403",
        "spec.ports[1].name",
    ),
    "port without a name": ("{hosts: [a.com], ports: [{number: 80, protocol: HTTP}]}", "MC1403", "spec.ports[0].name"),
    "unknown protocol": ("{hosts: [a.com], ports: [{number: 80, name: a, protocol: HTTP3}]}", "MC1028", "spec.ports[0].protocol"),
    "target port": (
        "{hosts: [a.com], ports: [{number: 80, name: a, protocol: HTTP, targetPort: 65536}]}",
        "MC1021",
        "spec.ports[0].targetPort",
    ),
    "wildcard with a selector": (
        f"{{hosts: ['*.a.com'], {HTTP}, resolution: DNS, workloadSelector: {{labels: {{a: b}}}}}}",
        "MC1405",
        "spec.hosts[0]",
    ),
    "wildcard without endpoints": (f"{{hosts: ['*.a.com'], {HTTP}, resolution: DNS}}", "MC1405", "spec.hosts[0]"),
    "endpoints beside a selector": (
        f"{{hosts: [a.com], {HTTP}, resolution: STATIC, endpoints: [], workloadSelector: {{labels: {{a: b}}}}}}",
        "MC1404",
        "spec.endpoints",
    ),
    "no endpoints that are not used": (f"{{hosts: [a.com], {HTTP}, endpoints: []}}", "MC1404", "spec.endpoints"),
    "dns endpoint of a network": (
        f"{{hosts: [a.com], {HTTP}, resolution: DNS, endpoints: [{{network: n}}]}}",
        "MC1404",
        "spec.endpoints[0].address",
    ),
    "endpoints that are not used": (f"{{hosts: [a.com], {HTTP}, endpoints: [{{address: 10.0.0.1}}]}}", "MC1404", "spec.endpoints"),
    "two endpoints in turn": (
        f"{{hosts: [a.com], {HTTP}, resolution: DNS_ROUND_ROBIN, endpoints: [{{address: a.com}}, {{address: b.com}}]}}",
        "MC1404",
        "spec.endpoints",
    ),
    "static name": (
        f"{{hosts: [a.com], {HTTP}, resolution: STATIC, endpoints: [{{address: b.com}}]}}",
        "MC1404",
        "spec.endpoints[0].address",
    ),
    "endpoint without address": (
        f"{{hosts: [a.com], {HTTP}, resolution: STATIC, endpoints: [{{}}]}}",
        "MC1404",
        "spec.endpoints[0].address",
    ),
    "unknown port of an endpoint": (
        f"{{hosts: [a.com], {HTTP}, resolution: STATIC, endpoints: [{{address: 10.0.0.1, ports: {{grpc: 1}}}}]}}",
        "MC1404",
        "spec.endpoints[0].ports.grpc",
    ),
    "socket for two ports": (
        (
            "{hosts: [a.com], ports: [{number: 1, name: a, protocol: HTTP}, {number: 2, name: b, protocol: HTTP}], resolution: STATIC, "
            "endpoints: [{address: unix:///s}]}"
        ),
        "MC1404",
        "spec.endpoints[0].address",
    ),
    "socket by dns": (
        f"{{hosts: [a.com], {HTTP}, resolution: DNS, endpoints: [{{address: unix:///s}}]}}",
        "MC1404",
        "spec.endpoints[0].address",
    ),
    "several tcp hosts": (f"{{hosts: [a.com, b.com], {TCP}, addresses: [10.0.0.1], resolution: DNS}}", "MC1401", "spec.ports[0].protocol"),
    "exported to nobody and all": (f"{{hosts: [a.com], {HTTP}, exportTo: [shop, '~']}}", "MC1024", "spec.exportTo[1]"),
    "star in a selector": (
        f"{{hosts: [a.com], {HTTP}, resolution: STATIC, workloadSelector: {{labels: {{a: '*'}}}}}}",
        "MC1031",
        "spec.workloadSelector.labels.a",
    ),
    "dynamic name": (f"{{hosts: [a.com], {HTTP}, resolution: DYNAMIC_DNS}}", "MC1405", "spec.hosts[0]"),
    "dynamic address": (f"{{hosts: ['*.a.com'], {HTTP}, addresses: [10.0.0.1], resolution: DYNAMIC_DNS}}", "MC1405", "spec.addresses"),
    "dynamic https": (
        "{hosts: ['*.a.com'], ports: [{number: 443, name: a, protocol: HTTPS}], resolution: DYNAMIC_DNS}",
        "MC1405",
        "spec.ports[0].protocol",
    ),
}
WARNED = {
    "partial wildcard": (f"{{hosts: ['*foo.com'], {HTTP}}}", "MC1401", "spec.hosts[0]"),
    "tcp without address": (f"{{hosts: [a.com], {TCP}, resolution: DNS}}", "MC1406", "spec.addresses"),
    "selector without effect": (f"{{hosts: [a.com], {HTTP}, workloadSelector: {{labels: {{a: b}}}}}}", "MC1406", "spec.workloadSelector"),
    "several hosts at one address": (
        "{hosts: [a.com, b.com], addresses: [10.0.0.1], ports: [{number: 443, name: a, protocol: TLS}], resolution: DNS}",
        "MC1406",
        "spec.addresses",
    ),
    "selector of everything": (
        f"{{hosts: [a.com], {HTTP}, resolution: STATIC, workloadSelector: {{}}}}",
        "MC1031",
        "spec.workloadSelector.labels",
    ),
}


@pytest.mark.parametrize("spec", ACCEPTED.values(), ids=ACCEPTED)
def test_accepted(spec: str) -> None:
    """What the API server and Istio's admission accept, we accept."""
    assert errors_of("ServiceEntry", spec) == []


@pytest.mark.parametrize(("spec", "code", "path"), REJECTED.values(), ids=REJECTED)
def test_rejected(spec: str, code: str, path: str) -> None:
    """Each mistake gives one error, at the field that is wrong."""
    assert errors_of("ServiceEntry", spec) == [(code, path)]


@pytest.mark.parametrize(("spec", "code", "path"), WARNED.values(), ids=WARNED)
def test_warned(spec: str, code: str, path: str) -> None:
    """What does less than it seems is accepted with a warning."""
    assert errors_of("ServiceEntry", spec) == []
    assert warnings_of("ServiceEntry", spec) == [(code, path)]


def test_a_plain_entry_gives_no_findings() -> None:
    """A usual ServiceEntry is accepted without a word."""
    assert findings_of("ServiceEntry", ACCEPTED["external name"]) == ()


@pytest.mark.parametrize(("location", "errors"), [("MESH_INTERNAL", [("MC1405", "spec.location")]), ("MESH_EXTERNAL", [])])
def test_a_waypoint_resolves_no_hosts_of_the_mesh(location: str, errors: list[tuple[str, str]]) -> None:
    """A label counts as well."""
    raw = document("ServiceEntry", f"{{hosts: ['*.a.com'], {HTTP}, resolution: DYNAMIC_DNS, location: {location}}}")
    raw["metadata"]["labels"] = {"istio.io/use-waypoint": "w"}
    assert [(finding.code, finding.path) for finding in decode(raw).diagnostics] == errors
