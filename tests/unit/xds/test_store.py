"""Unit tests of the intern table."""

from __future__ import annotations

import gc

from meshctl_operator.xds.resources import TypeUrl
from meshctl_operator.xds.store import ResourceStore


def test_equal_content_is_one_object() -> None:
    """The same type, name and body give the same object; anything else another one."""
    store = ResourceStore()
    one = store.intern(TypeUrl.CLUSTER, "a", b"1")
    assert store.intern(TypeUrl.CLUSTER, "a", b"1") is one
    others = (
        store.intern(TypeUrl.CLUSTER, "a", b"2"),
        store.intern(TypeUrl.CLUSTER, "b", b"1"),
        store.intern(TypeUrl.ENDPOINT, "a", b"1"),
    )
    assert one not in others
    assert len(store) == 4


def test_unused_resources_go_away() -> None:
    """The table does not keep what nobody holds."""
    store = ResourceStore()
    held = store.intern(TypeUrl.CLUSTER, "a", b"1")
    store.intern(TypeUrl.CLUSTER, "b", b"2")
    gc.collect()
    assert len(store) == 1
    assert held.name == "a"


def test_given_version_is_the_key() -> None:
    """With a version given by the caller the body is not hashed: equal versions are one object."""
    store = ResourceStore()
    one = store.intern(TypeUrl.ROUTE, "a", b"1", version="parts")
    assert store.intern(TypeUrl.ROUTE, "a", b"1", version="parts") is one
    assert one.version == "parts"
