"""Proxies are projected to what matters, so that what does not matter cannot split a view."""

from __future__ import annotations

from dataclasses import replace

from meshctl_operator.base.labels import freeze
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.model import projection
from meshctl_operator.model.proxies import LocalBinding, Locality, Proxy, ProxyRole
from tests.support.mesh_text import TextMesh

LABELS = freeze({"app": "web", "pod-template-hash": "abc"})
SIDECAR = Proxy(ProxyRole.SIDECAR, "web-1", "shop", ("10.0.0.1",), LABELS, dns_domain="shop.svc.cluster.local")
MENTIONS = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: a, namespace: other}
spec:
  hosts: [a.example.org]
  http: [{match: [{sourceLabels: {app: web}}], route: [{destination: {host: a.example.org}}]}]
"""
SCOPE = """
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: default, namespace: shop}
spec: {egress: [{hosts: ["./*"]}]}
"""


def test_pods_of_a_deployment_share_a_view() -> None:
    """Name, address, locality and labels that nothing mentions do not tell proxies apart."""
    mesh = TextMesh(MENTIONS)
    other = replace(
        SIDECAR, name="web-2", ips=("10.0.0.2",), locality=Locality("eu"), labels=freeze({"app": "web", "pod-template-hash": "xyz"})
    )
    assert projection.outbound_view(_context(mesh), SIDECAR) == projection.outbound_view(_context(mesh), other)
    assert projection.outbound_view(_context(mesh), SIDECAR).labels == (("app", "web"),)


def test_labels_that_nothing_mentions_are_left_behind() -> None:
    """Without an object that tells proxies apart, labels are no part of the view."""
    assert projection.outbound_view(_context(TextMesh("")), SIDECAR).labels == ()


def test_the_matched_sidecar_is_part_of_the_view() -> None:
    """A Sidecar object decides the scope of sidecars, not of gateways."""
    mesh = TextMesh(SCOPE)
    key = ObjectKey("Sidecar", "shop", "default")
    assert projection.outbound_view(_context(mesh), SIDECAR).sidecar == key
    assert projection.inbound_view(_context(mesh), SIDECAR).sidecar == key
    assert projection.outbound_view(_context(mesh), replace(SIDECAR, role=ProxyRole.ROUTER)).sidecar is None


def test_the_http_proxy_port_of_the_mesh_holds_for_sidecars() -> None:
    """A proxy's own port wins over MeshConfig, and gateways have none."""
    mesh = TextMesh("", proxyHttpPort=15002)
    assert projection.outbound_view(_context(mesh), SIDECAR).http_proxy_port == 15002
    assert projection.outbound_view(_context(mesh), replace(SIDECAR, http_proxy_port=7)).http_proxy_port == 7
    assert projection.outbound_view(_context(mesh), replace(SIDECAR, role=ProxyRole.ROUTER)).http_proxy_port == 0


def test_gateways_keep_their_labels_and_binding() -> None:
    """Selectors of Gateways and Services look at all labels; IPv6 counts when there is nothing else."""
    binding = LocalBinding("127.0.0.1")
    view = projection.gateway_view(replace(SIDECAR, role=ProxyRole.ROUTER, ips=("::1",), local=binding))
    assert (view.labels, view.ipv6, view.local) == (LABELS, True, binding)


def test_where_a_proxy_stands() -> None:
    """Endpoints are ordered by locality, and some are for one node only."""
    proxy = replace(SIDECAR, locality=Locality("eu"), node_name="n1")
    assert projection.endpoint_view(proxy).locality == Locality("eu")
    assert projection.endpoint_view(proxy).node_name == "n1"


def _context(mesh: TextMesh) -> _Direct:
    return _Direct(mesh)


class _Direct:
    """A context that answers from a mesh and records nothing."""

    def __init__(self, mesh: TextMesh) -> None:
        self._mesh = mesh
        self.derive = mesh.evaluate

    def fetch(self, cell: object) -> tuple[object, ...]:
        """Return what the cell holds."""
        return self._mesh._snapshot.fetch(cell)
