"""Facts of a proxy in their text forms."""

from __future__ import annotations

import pytest

from meshctl_operator.model.proxies import NOWHERE, Locality, Proxy, ProxyRole


@pytest.mark.parametrize(
    ("text", "locality"), [("", NOWHERE), ("eu", Locality("eu")), ("eu/a/1", Locality("eu", "a", "1")), ("eu/a", Locality("eu", "a"))]
)
def test_localities(text: str, locality: Locality) -> None:
    """A locality reads as it is written, with later parts optional."""
    assert Locality.parse(text) == locality
    assert str(locality) == text


def test_id() -> None:
    """People know a proxy by name and namespace."""
    assert Proxy(ProxyRole.SIDECAR, "web-1", "shop").id == "web-1.shop"
