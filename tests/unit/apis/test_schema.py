"""Shapes of the models."""

from __future__ import annotations

from meshctl_operator.apis.networking.gateway import GatewaySpec
from meshctl_operator.apis.networking.virtual_service import VirtualServiceSpec
from meshctl_operator.apis.networking.workload_group import WorkloadGroupSpec
from meshctl_operator.apis.schema import Shape, node_of, resolve


def test_shapes() -> None:
    """Steps lead through fields, lists and maps to a place of the right shape."""
    node = node_of(VirtualServiceSpec)
    for steps, shape in (
        (("http", 0, "route", 0, "weight"), Shape.INTEGER),
        (("http", 0, "timeout"), Shape.DURATION),
        (("http", 0, "match", 0, "headers", "x", "exact"), Shape.TEXT),
        (("http", 0, "corsPolicy", "allowCredentials"), Shape.FLAG),
        (("http", 0, "directResponse", "body", "bytes"), Shape.BYTES),
        (("http", 0, "mirrorPercentage", "value"), Shape.NUMBER),
        (("http", 0, "redirect", "derivePort"), Shape.ENUM),
        (("exportTo",), Shape.LIST),
        (("http", 0, "match", 0, "sourceLabels"), Shape.MAP),
    ):
        place = resolve(node, steps)
        assert place is not None
        assert place.shape is shape, steps


def test_unknown_places() -> None:
    """A step that no model has leads nowhere."""
    assert resolve(node_of(VirtualServiceSpec), ("http", 0, "nope", "x")) is None


def test_both_names_lead_to_a_field() -> None:
    """A field is found by its YAML name and by its protobuf name."""
    node = node_of(VirtualServiceSpec)
    assert resolve(node, ("exportTo",)) == resolve(node, ("export_to",))


def test_names_are_those_of_the_kind() -> None:
    """A message is named as its kind, for people."""
    assert node_of(GatewaySpec).name == "Gateway"
    assert node_of(GatewaySpec).field_names == ("servers", "selector")


def test_markers_are_found_from_above() -> None:
    """A message knows whether anything below is marked, so that unmarked parts need no walk."""
    fields = node_of(GatewaySpec).fields or {}
    assert fields["servers"].marked
    assert not fields["selector"].marked
    assert (node_of(WorkloadGroupSpec).fields or {})["template"].marker is not None
