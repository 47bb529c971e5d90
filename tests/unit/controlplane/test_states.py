"""Compiled resources become states; equal content is one object."""

from __future__ import annotations

from meshctl_operator.compiler.resources import CompiledProxy, CompiledResource
from meshctl_operator.controlplane.states import StateBuilder, differences
from meshctl_operator.xds.resources import TypeUrl

C, R = TypeUrl.CLUSTER, TypeUrl.ROUTE


def compiled(**resources: bytes) -> CompiledProxy:
    """Return a proxy whose clusters are named c..., routes r...; a cluster's EDS name is its own but for ``c9``."""
    by_type: dict[str, dict[str, CompiledResource]] = {str(C): {}, str(R): {}}
    for name, body in resources.items():
        kind = C if name.startswith("c") else R
        eds = "shared" if name == "c9" else name if kind is C else ""
        by_type[kind][name] = CompiledResource(kind, name, body, (), eds)
    return CompiledProxy(by_type, ())


def test_equal_resources_are_shared_by_all_proxies() -> None:
    """The same bytes under the same name are one object with one version."""
    builder = StateBuilder()
    one, two = builder.state(1, compiled(c1=b"x"), None), builder.state(1, compiled(c1=bytes([120])), None)
    assert one.of(C)["c1"] is two.of(C)["c1"]


def test_an_equal_state_is_the_earlier_one() -> None:
    """So that no stream wakes up."""
    builder, before = StateBuilder(), compiled(c1=b"x", r1=b"y")
    state = builder.state(1, before, None)
    assert builder.state(2, compiled(c1=b"x", r1=b"y"), (before, state)) is state


def test_a_type_that_does_not_differ_keeps_its_mapping() -> None:
    """So that streams skip it without a look inside."""
    builder, before = StateBuilder(), compiled(c1=b"x", r1=b"y")
    old = builder.state(1, before, None)
    new = builder.state(2, compiled(c1=b"x", r1=b"z"), (before, old))
    assert new.of(C) is old.of(C)
    assert new.of(R) is not old.of(R)
    assert new.revision == 2
    assert differences(old, new) == {(R, "r1", new.of(R)["r1"].version)}


def test_differences_tell_new_and_gone_resources() -> None:
    """Against no state, everything is new."""
    builder, before = StateBuilder(), compiled(c1=b"x", c2=b"x")
    old = builder.state(1, before, None)
    new = builder.state(2, compiled(c2=b"x", c3=b"x"), (before, old))
    assert {(name, version != "") for _, name, version in differences(old, new)} == {("c1", False), ("c3", True)}
    assert {name for _, name, _ in differences(None, old)} == {"c1", "c2"}


def test_eds_names_other_than_the_clusters_are_told() -> None:
    """The stream resends endpoints by them."""
    state = StateBuilder().state(1, compiled(c1=b"x", c9=b"x"), None)
    assert state.eds_names == {"c9": "shared"}
