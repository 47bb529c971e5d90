"""The view of EndpointSlice."""

from __future__ import annotations

from meshctl_operator.apis.core.endpoint_slice import EndpointSliceSpec


def test_endpoints_and_ports() -> None:
    """Conditions that are not given are unknown, not false."""
    spec = EndpointSliceSpec.model_validate(
        {
            "addressType": "IPv4",
            "endpoints": [
                {"addresses": ["10.0.0.1"], "conditions": {"ready": False}, "targetRef": {"kind": "Pod", "name": "p"}},
                {"addresses": ["10.0.0.2"]},
            ],
            "ports": [{"name": "http", "port": 80}],
        }
    )
    assert [(e.addresses, e.conditions.ready) for e in spec.endpoints] == [(("10.0.0.1",), False), (("10.0.0.2",), None)]
    assert spec.endpoints[0].target_ref is not None
    assert spec.endpoints[0].target_ref.name == "p"
    assert spec.ports[0].port == 80
