"""Keys name objects for good."""

from __future__ import annotations

from meshctl_operator.base.objects import ObjectKey


def test_text_and_order() -> None:
    """A key reads Kind/namespace/name, without the namespace for cluster-scoped kinds, and sorts by these."""
    assert str(ObjectKey("Service", "shop", "cart")) == "Service/shop/cart"
    assert str(ObjectKey("Node", "", "n1")) == "Node/n1"
    assert ObjectKey("A", "b", "c") < ObjectKey("A", "b", "d") < ObjectKey("B", "a", "a")
