"""Structure of Sidecar."""

from __future__ import annotations

from meshctl_operator.apis.networking.sidecar import CaptureMode, OutboundMode, SidecarSpec
from tests.support.documents import spec_of


def test_policy_without_mode() -> None:
    """An outbound policy that is given without mode means REGISTRY_ONLY; no policy means the one of the mesh."""
    spec: SidecarSpec = spec_of("Sidecar", "{outboundTrafficPolicy: {}}")
    assert spec.outbound_traffic_policy is not None
    assert spec.outbound_traffic_policy.mode is OutboundMode.REGISTRY_ONLY
    other: SidecarSpec = spec_of("Sidecar", "{egress: [{hosts: ['*/*']}]}")
    assert other.outbound_traffic_policy is None
    assert other.egress[0].capture_mode is CaptureMode.DEFAULT
