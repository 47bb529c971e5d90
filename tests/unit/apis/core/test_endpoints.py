"""The view of Endpoints."""

from __future__ import annotations

from meshctl_operator.apis.core.endpoints import EndpointsSpec


def test_subsets() -> None:
    """Ready and not ready addresses are kept apart."""
    spec = EndpointsSpec.model_validate(
        {"subsets": [{"addresses": [{"ip": "10.0.0.1"}], "notReadyAddresses": [{"ip": "10.0.0.2"}], "ports": [{"port": 80}]}]}
    )
    (subset,) = spec.subsets
    assert ([a.ip for a in subset.addresses], [a.ip for a in subset.not_ready_addresses]) == (["10.0.0.1"], ["10.0.0.2"])
