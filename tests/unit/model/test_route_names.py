"""Completing names of a VirtualService."""

from __future__ import annotations

from meshctl_operator.apis.networking.virtual_service import VirtualServiceSpec
from meshctl_operator.model.route_names import with_full_names

SPEC = VirtualServiceSpec.model_validate(
    {
        "hosts": ["reviews", "reviews.prod", "*", "10.0.0.1", "*.example.com"],
        "gateways": ["gw", "./own", "ns/gw", "old.ns.svc.cluster.local", "mesh", "gw"],
        "http": [
            {
                "match": [{"gateways": ["gw", "mesh"]}, {"port": 80}],
                "route": [{"destination": {"host": "a", "subset": "v1"}}],
                "mirror": {"host": "m"},
                "mirrors": [{"destination": {"host": "n"}}, {}],
            }
        ],
        "tcp": [{"match": [{"gateways": ["gw"]}], "route": [{"destination": {"host": "t"}}]}],
        "tls": [{"match": [{"sniHosts": ["short"], "gateways": ["./gw"]}], "route": [{"destination": {"host": ""}}]}],
    }
)


def test_every_name_is_completed() -> None:
    """Short hosts get the namespace of the VirtualService; anything with a dot, addresses and SNI hosts stay."""
    found = with_full_names(SPEC, "shop", "cluster.local")
    assert found.hosts == ("reviews.shop.svc.cluster.local", "reviews.prod", "*", "10.0.0.1", "*.example.com")
    assert found.gateways == ("shop/gw", "shop/own", "ns/gw", "ns/old", "mesh")
    (http,), (tcp,), (tls,) = found.http, found.tcp, found.tls
    assert [block.gateways for block in http.match] == [("shop/gw", "mesh"), ()]
    assert (http.route[0].destination.host, http.route[0].destination.subset) == ("a.shop.svc.cluster.local", "v1")
    assert http.mirror is not None
    assert http.mirror.host == "m.shop.svc.cluster.local"
    assert [mirror.destination.host if mirror.destination else None for mirror in http.mirrors] == ["n.shop.svc.cluster.local", None]
    assert (tcp.match[0].gateways, tcp.route[0].destination.host) == (("shop/gw",), "t.shop.svc.cluster.local")
    assert (tls.match[0].sni_hosts, tls.match[0].gateways, tls.route[0].destination.host) == (("short",), ("shop/gw",), "")


def test_delegate_is_bound_to_nothing() -> None:
    """Without hosts there is nothing to bind."""
    assert with_full_names(VirtualServiceSpec(), "shop", "cluster.local").gateways == ()
    assert with_full_names(VirtualServiceSpec(hosts=("a.b",)), "shop", "cluster.local").gateways == ("mesh",)
