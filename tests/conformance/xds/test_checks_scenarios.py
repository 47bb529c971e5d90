"""The scenarios that every xDS server is tried by, in both variants: the same story, and what each variant is told of it.

They are those of xds-test-harness (features of its SotW and incremental suites), for all types and not only for those it has them for.
"""

from __future__ import annotations

import pytest

from tests.support.dialogue_servers import StateMachine, socket
from tests.support.dialogues import Check, cases, hold

LISTS = ("CDS", "LDS")
"""Types whose SotW responses list everything."""

NAMED = ("EDS", "RDS", "SDS")
"""Types of which each name is asked for."""

ALL = (*LISTS, *NAMED)
PAIRS = ("LDS", "RDS", "SDS")
"""Types that stand beside clusters without being sent for their sake."""

SOTW = (
    Check(
        "the wildcard returns all in one response",
        LISTS,
        """
        = T a b c
        > T
        < T a b c
        > T ack
        """,
    ),
    Check(
        "an update under the wildcard brings all",
        LISTS,
        """
        = T a b c
        > T
        < T a b c
        > T ack
        = T a b=2 c
        < T a b=2 c
        > T ack
        """,
    ),
    Check(
        "an addition under the wildcard brings old and new",
        LISTS,
        """
        = T a b
        > T
        < T a b
        > T ack
        = T a b c
        < T a b c
        > T ack
        """,
    ),
    Check(
        "a subscription returns exactly its subset",
        ALL,
        """
        = T a b c d
        > T b d
        < T b d
        > T ack
        = T a=2 b c=2 d
        """,
    ),
    Check(
        "an update of a subscribed name is told, a list as a whole",
        ALL,
        """
        = T a b c
        > T a c
        < T a c
        > T ack
        = T a b c=2
        < T {a} c=2
        > T ack
        """,
    ),
    Check(
        "a missing name follows when it is created",
        ALL,
        """
        = T a b
        > T a b late
        < T a b
        > T ack
        = T a b late
        < T {a b} late
        > T ack
        """,
    ),
    Check(
        "subscriptions of two types do not touch each other",
        PAIRS,
        """
        = CDS a b, T a b
        > CDS
        < CDS a b
        > CDS ack
        > T a
        < T a
        > T ack
        = CDS a b=2, T a b=2
        < CDS a b=2
        > CDS ack
        = CDS a b=2, T a=2 b=2
        < T a=2
        > T ack
        """,
    ),
    Check(
        "dropped names are told no more",
        ALL,
        """
        = T a b c
        > T a b
        < T a b
        > T ack
        > T a
        = T a b=2 c
        = T a=2 b=2 c=2
        < T a=2
        """,
    ),
    Check(
        "after all names were dropped nothing is told, and the wildcard does not revive",
        ALL,
        """
        = T a b
        > T a
        < T a
        > T ack
        > T nothing
        = T a=2 b=2
        = T a=2 b=2 c
        =
        """,
    ),
    Check(
        "equal state, however often it is set, is told once",
        ALL,
        """
        = T a b
        > T a b
        < T a b
        > T ack
        = T a b
        = T a b
        = T a b
        """,
    ),
)

DELTA = (
    Check(
        "the wildcard returns all in one response",
        LISTS,
        """
        = T a b c
        > T
        < T a b c
        > T ack
        """,
    ),
    Check(
        "an update and an addition under the wildcard are told alone",
        LISTS,
        """
        = T a b c
        > T
        < T a b c
        > T ack
        = T a b=2 c
        < T b=2
        > T ack
        = T a b=2 c d
        < T d
        > T ack
        """,
    ),
    Check(
        "a subscription returns exactly its subset",
        ALL,
        """
        = T a b c d
        > T b d
        < T b d
        > T ack
        = T a=2 b c=2 d
        """,
    ),
    Check(
        "of two subscriptions the second is answered with the new name only",
        ALL,
        """
        = T a b
        > T a
        < T a
        > T ack
        > T b
        < T b
        > T ack
        """,
    ),
    Check(
        "update, creation, removal and creation anew are told alone",
        ALL,
        """
        = T a b
        > T a b late
        < T a b -late
        > T ack
        = T a=2 b
        < T a=2
        > T ack
        = T a=2 b late
        < T late
        > T ack
        = T a=2 late
        < T -b
        > T ack
        = T a=2 b late
        < T b
        > T ack
        """,
    ),
    Check(
        "subscriptions of two types do not touch each other",
        PAIRS,
        """
        = CDS a b, T a b
        > CDS
        < CDS a b
        > CDS ack
        > T a
        < T a
        > T ack
        = CDS a b=2, T a b=2
        < CDS b=2
        > CDS ack
        = CDS a b=2, T a=2 b=2
        < T a=2
        > T ack
        """,
    ),
    Check(
        "names that are dropped one by one are told no more",
        ALL,
        """
        = T a b c
        > T a b c
        < T a b c
        > T ack
        > T -a
        = T a=2 b c
        > T -b
        = T a=3 b=3 c=3
        < T c=3
        > T ack
        > T -c
        = T a=4 b=4 c=4
        =
        """,
    ),
    Check(
        "equal state, however often it is set, is told once",
        ALL,
        """
        = T a b
        > T a b
        < T a b
        > T ack
        = T a b
        = T a b
        = T a b
        """,
    ),
)


@pytest.mark.parametrize("dialogue", cases(*SOTW, full=LISTS))
async def test_sotw_on_the_state_machine(dialogue: str) -> None:
    """The SotW state machine says what is written down."""
    await hold(dialogue, "sotw", StateMachine("sotw"))


@pytest.mark.parametrize("dialogue", cases(*SOTW, full=LISTS, sayable=True))
async def test_sotw_over_a_socket(dialogue: str) -> None:
    """So does a server behind a socket."""
    async with socket("sotw") as server:
        await hold(dialogue, "sotw", server)


@pytest.mark.parametrize("dialogue", cases(*DELTA))
async def test_delta_on_the_state_machine(dialogue: str) -> None:
    """The Delta state machine says what is written down."""
    await hold(dialogue, "delta", StateMachine("delta"))


@pytest.mark.parametrize("dialogue", cases(*DELTA, sayable=True))
async def test_delta_over_a_socket(dialogue: str) -> None:
    """So does a server behind a socket."""
    async with socket("delta") as server:
        await hold(dialogue, "delta", server)


@pytest.mark.parametrize(
    "dialogue",
    [
        "= CDS a\n> CDS",
        "= CDS a\n> CDS\n< CDS b",
        "= CDS a\n> CDS\n< CDS a=2",
        "= CDS a\n> CDS\n< CDS a\n> CDS ack\n< CDS a",
        "= CDS a\n> CDS\nx INVALID_ARGUMENT",
    ],
    ids=["nothing-expected", "another-name", "another-content", "too-much-expected", "end-expected"],
)
async def test_a_dialogue_that_goes_another_way_fails(dialogue: str) -> None:
    """What is not written down, and what is and does not come, are both noticed."""
    with pytest.raises(AssertionError):
        await hold(dialogue, "delta", StateMachine("delta"))
