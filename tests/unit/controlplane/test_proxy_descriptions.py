"""Proxies as people describe them."""

from __future__ import annotations

import pytest

from meshctl_operator.base.errors import SettingsError
from meshctl_operator.controlplane.proxy_descriptions import parse_proxy, read_proxy, to_json
from meshctl_operator.model.proxies import Locality, ProxyRole


@pytest.mark.parametrize(
    ("text", "role", "name", "namespace"),
    [
        ("sidecar:reviews-v1.default", ProxyRole.SIDECAR, "reviews-v1", "default"),
        ("router:gw.istio-system", ProxyRole.ROUTER, "gw", "istio-system"),
        ("sidecar:web.0.shop", ProxyRole.SIDECAR, "web.0", "shop"),
        ("sidecar:reviews-v1", ProxyRole.SIDECAR, "reviews-v1", "own"),
    ],
    ids=["sidecar", "router", "name with a dot", "default namespace"],
)
def test_flag(text: str, role: ProxyRole, name: str, namespace: str) -> None:
    """``TYPE:NAME.NAMESPACE`` names a workload; the namespace follows the last dot."""
    description = parse_proxy(text, default_namespace="own")
    assert (description.role, description.name, description.namespace, description.must_exist) == (role, name, namespace, True)


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("reviews", '"reviews" is not a proxy', "write TYPE:NAME"),
        ("sidecar:", '"sidecar:" is not a proxy', "write TYPE:NAME"),
        ("sidecar:.default", "empty name or namespace", "write TYPE:NAME"),
        ("sidecars:a.b", '"sidecars" is no type of proxy', 'did you mean "sidecar"?'),
        ("waypoint:a.b", '"waypoint" is no type of proxy', "it is one of sidecar, router"),
    ],
)
def test_flag_mistakes(text: str, message: str, hint: str) -> None:
    """Each mistake names the value and the form."""
    with pytest.raises(SettingsError, match=message) as caught:
        parse_proxy(text)
    assert (caught.value.hint or "").startswith(hint)


def test_only_the_type_is_required() -> None:
    """Everything else has a default."""
    proxy = read_proxy({"type": "sidecar"}).as_proxy()
    assert (proxy.name, proxy.namespace, proxy.ips, proxy.labels) == ("proxy", "default", ("127.0.0.1",), ())
    assert proxy.dns_domain == "default.svc.cluster.local"


def test_every_field() -> None:
    """What is written is what the proxy is, and it can be written again."""
    raw = {
        "type": "router",
        "name": "gw",
        "namespace": "edge",
        "ips": ["10.1.0.7", "fd00::1"],
        "labels": {"istio": "ingressgateway"},
        "service_account": "gw-sa",
        "dns_domain": "edge.svc.example.org",
        "locality": {"region": "eu", "zone": "eu-1", "sub_zone": "a"},
        "metadata": {"HTTP10": "1"},
    }
    description = read_proxy(raw)
    proxy = description.as_proxy()
    assert proxy.locality == Locality("eu", "eu-1", "a")
    assert to_json(proxy, description.metadata) == raw


def test_what_is_not_said_is_left_open() -> None:
    """Labels that were not given may come from the registry; an empty map means none."""
    assert read_proxy({"type": "sidecar"}).labels is None
    assert read_proxy({"type": "sidecar", "labels": {}}).labels == ()


@pytest.mark.parametrize(
    ("raw", "message", "hint"),
    [
        ([], "described by a mapping", "only the field type"),
        ({}, '"" is no type of proxy', "it is one of"),
        ({"type": 1}, "type: 1 is not text", ""),
        ({"type": "sidecar", "label": {}}, '"label" is not a field', 'did you mean "labels"?'),
        ({"type": "sidecar", "xyz": {}}, '"xyz" is not a field', "the fields are type"),
        ({"type": "sidecar", "ips": "10.0.0.1"}, "is not a list of addresses", "write ips"),
        ({"type": "sidecar", "ips": ["here"]}, "ips: 'here' is not an IP address", ""),
        ({"type": "sidecar", "labels": ["a"]}, "is not a mapping", ""),
        ({"type": "sidecar", "labels": {"version": 1}}, "is not a pair of texts", "quote numbers"),
        ({"type": "sidecar", "locality": "eu"}, "locality: 'eu' is not a mapping", "write locality"),
        ({"type": "sidecar", "locality": {"regoin": "eu"}}, '"locality.regoin" is not a field', 'did you mean "region"?'),
        ({"type": "sidecar", "metadata": ["x"]}, "metadata: .* is not a mapping", ""),
    ],
)
def test_file_mistakes(raw: object, message: str, hint: str) -> None:
    """Each mistake names the field, the value and the way out."""
    with pytest.raises(SettingsError, match=message) as caught:
        read_proxy(raw)
    assert (caught.value.hint or "").startswith(hint)
