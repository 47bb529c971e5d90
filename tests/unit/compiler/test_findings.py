"""Findings between objects do not wait for a proxy that sees them."""

from __future__ import annotations

from meshctl_operator.compiler.findings import mesh_findings
from tests.support.mesh_text import TextMesh

RULE = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: lonely, namespace: shop}
spec:
  hosts: [a.example.org]
  gateways: [nowhere]
  http: [{route: [{destination: {host: nobody}}]}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: aimless, namespace: shop}
spec: {host: nothing-there}
"""


def test_objects_that_no_proxy_sees_are_reported() -> None:
    """A VirtualService on an unknown gateway with an unknown host, and a DestinationRule for no service, are told of with no proxy around."""
    mesh = TextMesh(RULE)
    found = {(finding.subject.name, finding.path) for finding in mesh.evaluate(mesh_findings)}
    assert ("lonely", "spec.http[0].route[0].destination.host") in found
    assert ("lonely", "spec.gateways[0]") in found
    assert ("aimless", "spec.host") in found


def test_a_mesh_in_order_has_none() -> None:
    """Nothing is reported of an empty mesh."""
    assert TextMesh("").evaluate(mesh_findings) == ()
