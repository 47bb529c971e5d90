"""Secrets are read where certificates are needed, and nowhere else."""

from __future__ import annotations

from typing import Any

import pytest

from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.kube.secret_namespaces import SecretNamespaces, names_credential

GATEWAY = ObjectKey("Gateway", "config", "gw")


def gateway(credential: str = "cert", **selector: str) -> dict[str, Any]:
    """Return a Gateway with a credential."""
    return {"metadata": {}, "spec": {"selector": selector, "servers": [{"tls": {"credentialName": credential}}]}}


def pod(**labels: str) -> dict[str, Any]:
    """Return a Pod."""
    return {"metadata": {"labels": labels}}


def test_the_namespace_of_the_pods_counts_whichever_comes_first() -> None:
    """A proxy reads Secrets of its own namespace only."""
    for order in (0, 1):
        found = SecretNamespaces()
        told = [(ObjectKey("Pod", "edge", "p"), pod(app="gw", x="y")), (GATEWAY, gateway(app="gw"))]
        for key, raw in told if order else reversed(told):
            found.take(key, raw)
        assert found.wanted == {"config", "edge"}
        found.take(ObjectKey("Pod", "other", "q"), pod(app="web"))
        assert found.wanted == {"config", "edge"}


def test_what_is_gone_is_not_wanted_any_more() -> None:
    """Pods, Gateways, and credentials of Gateways."""
    found = SecretNamespaces()
    found.take(GATEWAY, gateway(app="gw"))
    found.take(ObjectKey("Pod", "edge", "p"), pod(app="gw"))
    found.take(ObjectKey("Pod", "edge", "p"), None)
    assert found.wanted == {"config"}
    found.take(ObjectKey("Pod", "edge", "p"), pod(app="gw"))
    found.take(GATEWAY, gateway("", app="gw"))
    assert found.wanted == frozenset()
    found.take(GATEWAY, gateway(app="gw"))
    found.take(ObjectKey("Pod", "edge", "p"), pod(app="web"))
    found.take(GATEWAY, None)
    assert found.wanted == frozenset()


def test_destination_rules_count_too() -> None:
    """At any depth."""
    found = SecretNamespaces()
    spec = {"host": "a", "subsets": [{"trafficPolicy": {"portLevelSettings": [{"tls": {"credentialName": "c"}}]}}]}
    found.take(ObjectKey("DestinationRule", "shop", "a"), {"metadata": {}, "spec": spec})
    assert found.wanted == {"shop"}
    found.take(ObjectKey("VirtualService", "other", "a"), {"metadata": {}, "spec": {"credentialName": "x"}})
    assert found.wanted == {"shop"}


@pytest.mark.parametrize(
    ("spec", "expected"), [({"a": [{"credentialNames": ["x"]}]}, True), ({"credentialName": ""}, False), ({"a": "credentialName"}, False)]
)
def test_only_fields_with_a_value_name_a_credential(spec: object, *, expected: bool) -> None:
    """A text that looks like one does not."""
    assert names_credential(spec) is expected
