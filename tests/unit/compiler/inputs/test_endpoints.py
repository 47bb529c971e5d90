"""Tests of the facts of endpoints."""

from __future__ import annotations

from meshctl_operator.compiler.inputs.endpoints import LbEndpointInput, LocalityInput


def test_a_locality_weighs_what_its_endpoints_weigh() -> None:
    """The weights are added up, without exceeding what Envoy can count; an empty locality weighs nothing."""
    assert LocalityInput((LbEndpointInput("10.0.0.1", 1, weight=3), LbEndpointInput("10.0.0.2", 1))).weight == 4
    assert LocalityInput(tuple(LbEndpointInput("10.0.0.1", port, weight=2**31) for port in (1, 2, 3))).weight == 2**32 - 1
    assert LocalityInput(()).weight == 0
