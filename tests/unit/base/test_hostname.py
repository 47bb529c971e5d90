"""The host algebra is Istio's."""

from __future__ import annotations

import pytest

from meshctl_operator.base import hostname


@pytest.mark.parametrize(
    ("host", "other", "expected"),
    [
        ("a.b.foo.com", "*.foo.com", True),
        ("foo.com", "*.foo.com", False),
        ("*.b.foo.com", "*.foo.com", True),
        ("*.foo.com", "*.b.foo.com", False),
        ("*", "*", True),
        ("anything", "*", True),
        ("*", "anything", False),
        ("a.com", "a.com", True),
        ("a.com", "b.com", False),
    ],
)
def test_subset(host: str, other: str, *, expected: bool) -> None:
    """A name is covered by itself and by wildcards of its suffixes, never by its own parent domain."""
    assert hostname.subset_of(host, other) is expected


def test_matches_is_symmetric() -> None:
    """Two names match when one covers the other."""
    assert hostname.matches("*.com", "a.com")
    assert hostname.matches("a.com", "*.com")
    assert not hostname.matches("*.org", "a.com")


def test_intersection_keeps_the_more_specific_once() -> None:
    """Each matching pair gives its more specific name, in the order of the first list."""
    assert hostname.intersection(["*.com", "a.org"], ["b.com", "*", "b.com"]) == ("b.com", "*.com", "a.org")


def test_specificity_order() -> None:
    """Exact names come before wildcards, longer before shorter, then the alphabet decides."""
    names = ["*", "*.com", "b.com", "a.com", "*.a.com", "long.a.com"]
    assert sorted(names, key=hostname.specificity_key) == ["long.a.com", "a.com", "b.com", "*.a.com", "*.com", "*"]


@pytest.mark.parametrize(
    ("host", "expected"),
    [("reviews", "reviews.shop.svc.cluster.local"), ("reviews.prod", "reviews.prod"), ("*", "*"), ("10.0.0.1", "10.0.0.1"), ("::1", "::1")],
)
def test_short_names(host: str, expected: str) -> None:
    """Only a name without a dot is completed."""
    assert hostname.resolve_short_name(host, "shop", "cluster.local") == expected


def test_parent_wildcards() -> None:
    """The chain of covering wildcards goes from the longest to ``*``; a wildcard starts with itself."""
    assert hostname.parent_wildcards("a.b.c") == ("*.b.c", "*.c", "*")
    assert hostname.parent_wildcards("*.b.c") == ("*.b.c", "*.c", "*")
    assert hostname.parent_wildcards("*") == ("*",)


@pytest.mark.parametrize(
    ("address", "expected"),
    [("10.0.0.1", "10.0.0.1"), ("fd00:0:0::1", "fd00::1"), ("FD00::1", "fd00::1"), ("::ffff:10.0.0.1", "10.0.0.1"), ("::", "::")],
)
def test_canonical_ip(address: str, expected: str) -> None:
    """Spellings of one address are one; IPv4 within IPv6 is IPv4."""
    assert hostname.canonical_ip(address) == expected
