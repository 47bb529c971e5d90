"""What of a mesh does not work on one machine."""

from __future__ import annotations

import pytest

from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.dev.limits import restart_needed, without_tcp
from meshctl_operator.dev.workloads import place
from tests.support.local_objects import decoded, deployment, service

ENTRY = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: db}
spec: {hosts: [db.example.org], resolution: DNS, ports: [{number: 27017, name: mongo, protocol: MONGO}, {number: 80, name: http, protocol: HTTP}]}
"""


@pytest.mark.parametrize(("name", "said"), [("http", False), ("grpc-x", False), ("", False), ("tcp-redis", True), ("https", True)])
def test_ports_that_are_not_http_are_said(name: str, said: bool) -> None:  # noqa: FBT001  (a column of the table)
    """HTTP and sniffed ports pass; TCP and TLS are named with their port and protocol."""
    findings = without_tcp(decoded(service("a", ports=f"[{{name: '{name}', port: 6379}}]")), [])
    assert [finding.code for finding in findings] == (["MC4103"] if said else [])
    assert all("port 6379" in finding.message and finding.path == "spec.ports[0]" for finding in findings)


def test_service_entries_count_as_well() -> None:
    """Hosts outside of the mesh are reached by the same proxy port."""
    (finding,) = without_tcp(decoded(ENTRY), [])
    assert (finding.subject.name, finding.path) == ("db", "spec.ports[0]")


def test_services_of_gateways_do_not_count() -> None:
    """People reach the HTTPS port of a gateway directly."""
    objects = decoded(
        deployment("gw", labels="{istio: ingressgateway}")
        + "---"
        + service("gw", selector="{istio: ingressgateway}", ports="[{name: https, port: 443}]")
    )
    assert without_tcp(objects, place(objects, []).workloads) == ()


def test_a_new_deployment_needs_a_restart() -> None:
    """A Deployment that was there at the start, or another kind, needs none."""
    old, new, other = ObjectKey("Deployment", "a", "old"), ObjectKey("Deployment", "a", "new"), ObjectKey("Service", "a", "new")
    (finding,) = restart_needed([old, new, other], [old])
    assert (finding.code, finding.subject) == ("MC4104", new)
