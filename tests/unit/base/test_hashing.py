"""A value that is hashed often is hashed once."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from meshctl_operator.base.hashing import hash_once


class Counting:
    """A value that counts how often it is hashed."""

    def __init__(self) -> None:
        self.hashed = 0

    def __hash__(self) -> int:
        self.hashed += 1
        return 7


@hash_once
@dataclass(frozen=True, slots=True)
class Remembering:
    """A frozen value that keeps its hash."""

    part: object
    _hash: int = field(init=False, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Plain:
    """The same, hashed each time."""

    part: object


def test_parts_are_hashed_once() -> None:
    """The second look into a dict costs no hashing of the parts."""
    part = Counting()
    value = Remembering(part)
    assert {value: 1}[value] == 1
    assert hash(value) == hash(value)
    assert part.hashed == 1


def test_equality_and_text_are_those_of_a_plain_value() -> None:
    """The hash that is kept is no part of the value, whether it was asked for or not."""
    hashed, fresh = Remembering(("a", 1)), Remembering(("a", 1))
    assert hash(hashed) == hash(Plain(("a", 1)))
    assert hashed == fresh
    assert hash(hashed) == hash(fresh)
    assert repr(hashed) == "Remembering(part=('a', 1))"


def test_a_copy_has_a_hash_of_its_own() -> None:
    """A value with another part does not inherit the hash of the one that it was made from."""
    first = Remembering("a")
    hash(first)
    other = replace(first, part="b")
    assert hash(other) == hash(Remembering("b"))
    assert other != first
