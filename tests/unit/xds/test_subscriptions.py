"""Unit tests of subscriptions: names, wildcards and the legacy wildcard of both variants."""

from __future__ import annotations

import pytest

from meshctl_operator.xds.resources import TypeUrl
from meshctl_operator.xds.subscriptions import Subscription, SubscriptionChange


def wanted(subscription: Subscription) -> tuple[bool, list[str]]:
    """Return whether everything is wanted, and the names."""
    return subscription.wildcard, sorted(subscription.names)


@pytest.mark.parametrize(
    ("type_url", "lists", "expected"),
    [
        (TypeUrl.CLUSTER, [[]], (True, [])),
        (TypeUrl.LISTENER, [[]], (True, [])),
        (TypeUrl.CLUSTER, [[], []], (True, [])),
        (TypeUrl.CLUSTER, [["a"]], (False, ["a"])),
        (TypeUrl.CLUSTER, [[], ["a"]], (False, ["a"])),
        (TypeUrl.CLUSTER, [[], ["a"], []], (False, [])),
        (TypeUrl.CLUSTER, [["a"], []], (False, [])),
        (TypeUrl.CLUSTER, [["*", "a"]], (True, ["a"])),
        (TypeUrl.CLUSTER, [["*"], []], (False, [])),
        (TypeUrl.ENDPOINT, [[]], (False, [])),
        (TypeUrl.ENDPOINT, [["a", "b"], ["b", "c"]], (False, ["b", "c"])),
        (TypeUrl.ENDPOINT, [["*"]], (True, [])),
    ],
)
def test_sotw_lists_replace_each_other(type_url: TypeUrl, lists: list[list[str]], expected: tuple[bool, list[str]]) -> None:
    """The last list counts; an empty one means everything only for CDS and LDS, and only until a name was sent."""
    subscription = Subscription(type_url)
    for names in lists:
        subscription.replace(names)
    assert wanted(subscription) == expected


@pytest.mark.parametrize(
    ("type_url", "updates", "expected"),
    [
        (TypeUrl.CLUSTER, [([], [])], (True, [])),
        (TypeUrl.CLUSTER, [(["a"], [])], (False, ["a"])),
        (TypeUrl.CLUSTER, [([], []), (["a"], [])], (True, ["a"])),
        (TypeUrl.CLUSTER, [([], []), (["a"], []), ([], ["*"])], (False, ["a"])),
        (TypeUrl.CLUSTER, [(["a"], []), ([], [])], (False, ["a"])),
        (TypeUrl.CLUSTER, [(["a"], []), ([], ["a"])], (False, [])),
        (TypeUrl.CLUSTER, [(["*"], ["*"])], (False, [])),
        (TypeUrl.ENDPOINT, [([], [])], (False, [])),
        (TypeUrl.ENDPOINT, [(["a", "b"], []), (["c"], ["a"])], (False, ["b", "c"])),
        (TypeUrl.ENDPOINT, [(["a"], ["a"])], (False, [])),
    ],
)
def test_delta_lists_add_and_remove(
    type_url: TypeUrl, updates: list[tuple[list[str], list[str]]], expected: tuple[bool, list[str]]
) -> None:
    """Names add up; an empty first list means everything for CDS and LDS, and stays so until ``*`` is unsubscribed."""
    subscription = Subscription(type_url)
    for subscribe, unsubscribe in updates:
        subscription.update(subscribe, unsubscribe)
    assert wanted(subscription) == expected


def test_change_says_what_is_new() -> None:
    """A change names what came and went, and is true only if something did."""
    subscription = Subscription(TypeUrl.ENDPOINT)
    assert subscription.replace(["a", "b"]) == SubscriptionChange(added=frozenset("ab"))
    change = subscription.replace(["*", "b"])
    assert change == SubscriptionChange(removed=frozenset("a"), wildcard_begun=True)
    assert change
    assert not subscription.replace(["*", "b"])
    assert subscription.replace(["b"]) == SubscriptionChange(wildcard_ended=True)


def test_covers() -> None:
    """A name is covered by itself or by the wildcard."""
    subscription = Subscription(TypeUrl.CLUSTER)
    subscription.update(["a"], [])
    assert (subscription.covers("a"), subscription.covers("b")) == (True, False)
    subscription.update(["*"], [])
    assert subscription.covers("b")
