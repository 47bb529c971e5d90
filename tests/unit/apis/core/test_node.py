"""The view of Node."""

from __future__ import annotations

from meshctl_operator.apis.core.node import NodeSpec


def test_addresses() -> None:
    """Addresses keep their type."""
    spec = NodeSpec.model_validate({"status": {"addresses": [{"type": "ExternalIP", "address": "192.0.2.1"}]}})
    assert [(a.type, a.address) for a in spec.status.addresses] == [("ExternalIP", "192.0.2.1")]
