"""Rules of WorkloadEntry."""

from __future__ import annotations

import pytest

from tests.support.documents import errors_of, warnings_of

ACCEPTED = {
    "address": "{address: 10.0.0.1, ports: {http: 8080}, labels: {app: x}, locality: r/z, weight: 5, serviceAccount: sa}",
    "ipv6": "{address: '2001:db8::1'}",
    "name": "{address: db.example.com}",
    "unix socket": "{address: unix:///run/db}",
    "abstract socket": "{address: unix://@db}",
}
REJECTED = {
    "nothing": ("{}", "MC1501", "spec.address"),
    "url": ("{address: http://a}", "MC1501", "spec.address"),
    "folder": ("{address: unix:///run/}", "MC1501", "spec.address"),
    "relative socket": ("{address: unix://run/db}", "MC1501", "spec.address"),
    "socket with ports": ("{address: unix:///s, ports: {http: 80}}", "MC1502", "spec.ports"),
    "port 0": ("{address: 10.0.0.1, ports: {http: 0}}", "MC1502", "spec.ports.http"),
    "port name": ("{address: 10.0.0.1, ports: {a_b: 80}}", "MC1502", "spec.ports.a_b"),
    "long port name": (f"{{address: 10.0.0.1, ports: {{{'a' * 63}: 80}}}}", "MC1502", f"spec.ports.{'a' * 63}"),
    "many labels": (f"{{address: 10.0.0.1, labels: {{{', '.join(f'l{index}: x' for index in range(257))}}}}}", "MC1025", "spec.labels"),
    "label": ("{address: 10.0.0.1, labels: {app: 'a b'}}", "MC1025", "spec.labels.app"),
    "long account": (f"{{address: 10.0.0.1, serviceAccount: {'a' * 254}}}", "MC1020", "spec.serviceAccount"),
    "negative weight": ("{address: 10.0.0.1, weight: -1}", "MC1005", "spec.weight"),
}


@pytest.mark.parametrize("spec", ACCEPTED.values(), ids=ACCEPTED)
def test_accepted(spec: str) -> None:
    """What the API server and Istio's admission accept, we accept."""
    assert errors_of("WorkloadEntry", spec) == []


@pytest.mark.parametrize(("spec", "code", "path"), REJECTED.values(), ids=REJECTED)
def test_rejected(spec: str, code: str, path: str) -> None:
    """Each mistake gives one error, at the field that is wrong."""
    assert errors_of("WorkloadEntry", spec) == [(code, path)]


def test_network_instead_of_an_address() -> None:
    """A workload of another network needs no address, which is worth a warning."""
    assert errors_of("WorkloadEntry", "{network: n}") == []
    assert warnings_of("WorkloadEntry", "{network: n}") == [("MC1501", "spec.address")]
