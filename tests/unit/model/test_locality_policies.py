"""Tests of which locality policy holds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from meshctl_operator.apis.kinds import Kind
from meshctl_operator.apis.networking.destination_rule import TrafficPolicy
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.model.locality_policies import LocalityPolicy, ZoneAware, locality_policy
from meshctl_operator.model.services import Resolution, Service, ServiceRegistry, TrafficDistribution
from tests.support.mesh_text import TextMesh

SERVICE = Service("h", "h", "default", ServiceRegistry.KUBERNETES, Resolution.CLIENT_SIDE_LB, (), ObjectKey(Kind.SERVICE, "default", "h"))
NEAR = replace(SERVICE, distribution=TrafficDistribution.SAME_ZONE)
FAILOVER = {"failover": [{"from": "a", "to": "b"}]}
SAME_ZONE = ("topology.istio.io/network", "topology.kubernetes.io/region", "topology.kubernetes.io/zone")


@pytest.mark.parametrize(
    ("policy", "service", "mesh", "expected"),
    [
        ({}, SERVICE, {}, None),
        ({"outlierDetection": {}}, SERVICE, {}, LocalityPolicy(fails_over=True)),
        ({"outlierDetection": {}, "loadBalancer": {"localityLbSetting": {"enabled": False}}}, NEAR, {"localityLbSetting": FAILOVER}, None),
        (
            {"outlierDetection": {}, "loadBalancer": {"localityLbSetting": FAILOVER}},
            NEAR,
            {},
            LocalityPolicy(failover=(("a", "b"),), fails_over=True),
        ),
        ({"loadBalancer": {"localityLbSetting": FAILOVER}}, SERVICE, {}, None),
        ({}, NEAR, {"localityLbSetting": FAILOVER}, LocalityPolicy(failover_priority=SAME_ZONE, fails_over=True)),
        ({"outlierDetection": {}}, SERVICE, {"localityLbSetting": FAILOVER}, LocalityPolicy(failover=(("a", "b"),), fails_over=True)),
        (
            {},
            SERVICE,
            {"localityLbSetting": {"distribute": [{"from": "a", "to": {"b": 60, "a": 40}}]}},
            LocalityPolicy(distribute=(("a", (("a", 40), ("b", 60))),)),
        ),
        (
            {"loadBalancer": {"zoneAwareLbSetting": {"minClusterSize": 4}, "localityLbSetting": FAILOVER}},
            SERVICE,
            {},
            LocalityPolicy(zone_aware=ZoneAware(min_cluster_size=4)),
        ),
        ({}, SERVICE, {"zoneAwareLbSetting": {"enabled": False}}, LocalityPolicy(zone_aware=ZoneAware(enabled=False))),
    ],
)
def test_which_policy_holds(policy: dict[str, Any], service: Service, mesh: dict[str, Any], expected: LocalityPolicy | None) -> None:
    """The rule's setting comes first, switched off or not, then the preference of the service, then the mesh's setting."""
    assert TextMesh("", **mesh).evaluate(locality_policy, TrafficPolicy.model_validate(policy), service) == expected


def test_what_of_the_client_matters() -> None:
    """Locality and labels of the client count only where they decide."""
    assert LocalityPolicy(fails_over=True).by_locality
    by_labels = LocalityPolicy(fails_over=True, failover_priority=("b", "a=1", "c"))
    assert (by_labels.by_locality, by_labels.label_keys) == (False, ("b", "c"))
    assert replace(by_labels, failover=(("a", "b"),)).by_locality
    assert replace(by_labels, distribute=(("a", (("b", 100),)),)).label_keys == ()
