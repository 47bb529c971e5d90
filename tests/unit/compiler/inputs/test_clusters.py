"""Tests of the facts of a cluster."""

from __future__ import annotations

import pytest

from meshctl_operator.base.durations import Duration
from meshctl_operator.compiler.inputs.clusters import BalancingInput, ClusterInput, Discovery, LbPolicy


@pytest.mark.parametrize("discovery", Discovery)
def test_only_eds_clusters_ask_for_endpoints(discovery: Discovery) -> None:
    """The endpoint resource of a cluster has the cluster's name; other types carry or find their endpoints."""
    cluster = ClusterInput("c", discovery, BalancingInput(LbPolicy.RANDOM), Duration.of(seconds=1))
    assert cluster.eds_name == ("c" if discovery is Discovery.EDS else "")


def test_equal_facts_are_one_key() -> None:
    """Inputs are compared and hashed by value."""
    one, other = (ClusterInput("c", Discovery.EDS, BalancingInput(LbPolicy.RANDOM), Duration.of(seconds=1)) for _ in range(2))
    assert one == other
    assert hash(one) == hash(other)
