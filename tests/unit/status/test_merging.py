"""What replicas say together."""

from __future__ import annotations

from meshctl_operator.status.acknowledgements import Acknowledgements, Rejection
from meshctl_operator.status.merging import merged

A, B, C = "a.x", "b.x", "c.x"


def said(generation: int, expected: str = "", acknowledged: str = "", lost: str = "", *rejections: Rejection) -> Acknowledgements:
    """Return what a replica says; letters are proxies."""
    names = [frozenset(f"{letter}.x" for letter in letters) for letters in (expected, acknowledged, lost)]
    return Acknowledgements(generation, names[0], names[1], names[2], rejections)


def test_one_replica_is_the_whole_truth() -> None:
    """The very object."""
    own = said(1, "ab", "a")
    assert merged(own, ()) is own


def test_proxies_of_all_replicas_count() -> None:
    """Each for what it acknowledged to its own replica; rejections are put together."""
    refused = Rejection(C, "LDS x", "no")
    together = merged(said(2, "ab", "a"), [said(2, "c", "", "", refused)])
    assert together.should_have == {A, B, C}
    assert together.missing == {B, C}
    assert together.rejections == (refused,)
    assert together.complete


def test_nothing_is_complete_before_every_replica_has_spoken_of_this_generation() -> None:
    """A replica that has an older generation has proxies that should have this one."""
    assert not merged(said(2, "a", "a"), [None]).complete
    behind = merged(said(2, "a", "a"), [said(1, "b", "b")])
    assert not behind.complete
    assert behind.missing == {B}


def test_a_proxy_that_went_to_another_replica_is_not_lost() -> None:
    """What the connected replica says of it counts."""
    moved = merged(said(1, "ab", "b", "a"), [said(1, "a", "a")])
    assert (moved.lost, moved.missing) == (frozenset(), frozenset())
    still = merged(said(1, "ab", "ab", "a"), [said(1, "a", "")])
    assert still.missing == {A}


def test_a_proxy_that_is_lost_to_all_is_lost() -> None:
    """And waited for."""
    together = merged(said(1, "a", "", "a"), [said(1, "b", "b")])
    assert together.lost == {A}
    assert together.missing == {A}
