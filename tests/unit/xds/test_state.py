"""Unit tests of the state of a view."""

from __future__ import annotations

from meshctl_operator.xds.resources import TypeUrl, make_resource
from meshctl_operator.xds.state import view_state


def test_resources_are_found_by_type_and_name() -> None:
    """A state files resources by type and name; a type without resources is empty."""
    cluster, later = make_resource(TypeUrl.CLUSTER, "a", b"1"), make_resource(TypeUrl.CLUSTER, "a", b"2")
    state = view_state(3, [cluster, later])
    assert state.revision == 3
    assert state.of(TypeUrl.CLUSTER) == {"a": later}
    assert state.of(TypeUrl.ROUTE) == {}


def test_endpoints_have_the_name_of_their_cluster_unless_it_says_otherwise() -> None:
    """Clusters discover endpoints under their own name or under the one that they name."""
    state = view_state(1, [make_resource(TypeUrl.CLUSTER, "a", b"1", eds_name="shared"), make_resource(TypeUrl.CLUSTER, "b", b"1")])
    assert [state.eds_name(name) for name in ("a", "b", "gone")] == ["shared", "b", "gone"]


def test_repr_has_no_resources() -> None:
    """A state in a log line is its revision, not thousands of resources."""
    assert repr(view_state(7, [make_resource(TypeUrl.CLUSTER, "a", b"1")])) == "ViewState(revision=7)"
