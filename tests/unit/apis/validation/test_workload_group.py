"""Rules of WorkloadGroup."""

from __future__ import annotations

import pytest

from tests.support.documents import errors_of, warnings_of

ACCEPTED = {
    "template": "{template: {}}",
    "metadata": "{metadata: {labels: {a: b}, annotations: {c: d}}, template: {serviceAccount: sa}}",
    "http probe": "{template: {}, probe: {httpGet: {port: 80, path: /, scheme: HTTPS, httpHeaders: [{name: a, value: b}]}}}",
    "tcp probe": "{template: {}, probe: {tcpSocket: {port: 80}, periodSeconds: 0}}",
    "command probe": "{template: {}, probe: {exec: {command: [true-ish]}}}",
}
REJECTED = {
    "no template": ("{metadata: {}}", "MC1510", "spec.template"),
    "label": ("{metadata: {labels: {a: 'b c'}}, template: {}}", "MC1025", "spec.metadata.labels.a"),
    "address of the template": ("{template: {address: 'a b'}}", "MC1501", "spec.template.address"),
    "probe of nothing": ("{template: {}, probe: {periodSeconds: 5}}", "MC1511", "spec.probe"),
    "probe by gRPC": ("{template: {}, probe: {grpc: {port: 80}}}", "MC1511", "spec.probe.grpc"),
    "two probes": ("{template: {}, probe: {tcpSocket: {port: 80}, exec: {command: [a]}}}", "MC1008", "spec.probe"),
    "negative time": ("{template: {}, probe: {tcpSocket: {port: 80}, timeoutSeconds: -1}}", "MC1511", "spec.probe.timeoutSeconds"),
    "port": ("{template: {}, probe: {tcpSocket: {port: 0}}}", "MC1021", "spec.probe.tcpSocket.port"),
    "scheme": ("{template: {}, probe: {httpGet: {port: 80, scheme: ftp}}}", "MC1511", "spec.probe.httpGet.scheme"),
    "header": (
        "{template: {}, probe: {httpGet: {port: 80, httpHeaders: [{name: 'a b'}]}}}",
        "MC1511",
        "spec.probe.httpGet.httpHeaders[0].name",
    ),
    "command": ("{template: {}, probe: {exec: {}}}", "MC1511", "spec.probe.exec.command"),
}

REJECTED["too many annotations"] = (
    f"{{metadata: {{annotations: {{{', '.join(f'a{number}: b' for number in range(257))}}}}}, template: {{}}}}",
    "MC1510",
    "spec.metadata.annotations",
)


@pytest.mark.parametrize("spec", ACCEPTED.values(), ids=ACCEPTED)
def test_accepted(spec: str) -> None:
    """What the API server and Istio's admission accept, we accept; that no entries follow from it is said."""
    assert errors_of("WorkloadGroup", spec) == []
    assert ("MC1902", "spec.template") in warnings_of("WorkloadGroup", spec)


@pytest.mark.parametrize(("spec", "code", "path"), REJECTED.values(), ids=REJECTED)
def test_rejected(spec: str, code: str, path: str) -> None:
    """Each mistake gives one error, at the field that is wrong."""
    assert errors_of("WorkloadGroup", spec) == [(code, path)]
