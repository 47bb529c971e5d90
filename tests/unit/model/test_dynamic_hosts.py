"""Tests of wildcard hosts that are resolved while a request is there."""

from __future__ import annotations

from meshctl_operator.model.dynamic_hosts import dynamic_hosts, visible_dynamic_hosts
from meshctl_operator.model.proxies import ProxyRole
from meshctl_operator.model.views import OutboundView
from tests.support.mesh_text import TextMesh

TEXT = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: dynamic, namespace: default}
spec:
  hosts: ["*.b.com", "*.a.com"]
  resolution: DYNAMIC_DNS
  exportTo: ["."]
  ports: [{number: 80, name: http, protocol: HTTP}, {number: 443, name: tls, protocol: TLS}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: other, namespace: default}
spec: {hosts: [c.com], resolution: DNS, ports: [{number: 80, name: http, protocol: HTTP}]}
"""


def test_hosts_with_their_ports() -> None:
    """Hosts are in order, with their ports of HTTP alone, for those who see them."""
    mesh = TextMesh(TEXT)
    expected = (("*.a.com", (80,)), ("*.b.com", (80,)))
    assert mesh.evaluate(dynamic_hosts, OutboundView(ProxyRole.SIDECAR, "default", "")) == expected
    assert mesh.evaluate(visible_dynamic_hosts, "default") == expected
    assert mesh.evaluate(visible_dynamic_hosts, "elsewhere") == ()
