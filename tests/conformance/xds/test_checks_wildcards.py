"""What it means to ask for everything, by an empty list or by ``*``, check by check and in both variants."""

from __future__ import annotations

import pytest

from tests.support.dialogue_servers import StateMachine, socket
from tests.support.dialogues import Check, cases, hold

LISTS = ("CDS", "LDS")
"""Types of which an empty first list means everything."""

NAMED = ("EDS", "RDS", "SDS")
"""Types of which each name is asked for."""

ALL = (*LISTS, *NAMED)

SOTW = (
    Check(
        "empty lists mean everything as long as no name was sent",
        LISTS,
        """
        = T a b
        > T
        < T a b
        > T ack
        = T a b=2 c
        < T a b=2 c
        > T ack
        = T c
        < T c
        """,
    ),
    Check(
        "the first name ends that for good, and an empty list means nothing from then on",
        LISTS,
        """
        = T a b
        > T
        < T a b
        > T ack a
        < T a
        > T ack
        = T a b=2
        > T nothing
        = T a=2 b=2
        """,
    ),
    Check(
        "the same for a stream that began with names",
        LISTS,
        """
        = T a b
        > T a
        < T a
        > T ack nothing
        = T a=2 b
        """,
    ),
    Check(
        "an empty list of a named type means nothing",
        NAMED,
        """
        = T a
        > T nothing
        = T a=2
        """,
    ),
    Check(
        "a star means everything of every type, also beside names",
        ALL,
        """
        = T a b
        > T * a
        < T a b
        > T ack
        = T a b c
        < T {a b} c
        """,
    ),
    Check(
        "without the star names are left",
        ALL,
        """
        = T a b
        > T * a
        < T a b
        > T ack
        > T a
        = T a b=2
        = T a=2 b=2
        < T a=2
        """,
    ),
    Check(
        "a star that comes later has what is not held sent",
        ALL,
        """
        = T a b
        > T a
        < T a
        > T ack
        > T *
        < T {a} b
        """,
    ),
    Check(
        "a star that goes ends everything",
        ALL,
        """
        = T a
        > T *
        < T a
        > T ack nothing
        = T a=2
        """,
    ),
    Check(
        "names beside the empty list of another type do not touch it",
        ("CDS",),
        """
        = CDS a, LDS a b
        > CDS
        < CDS a
        > LDS a
        < LDS a
        > CDS ack
        = CDS a b, LDS a b
        < CDS a b
        """,
    ),
    Check(
        "a new stream may begin with an empty list again",
        LISTS,
        """
        = T a b
        > T a
        < T a
        ~
        > T
        < T a b
        """,
    ),
)

DELTA = (
    Check(
        "an empty first list means everything",
        LISTS,
        """
        = T a b
        > T
        < T a b
        > T ack
        = T a b=2 c
        < T b=2 c
        > T ack
        = T c
        < T -a -b
        """,
    ),
    Check(
        "names beside it do not end that; a star that is dropped does, and leaves the names",
        LISTS,
        """
        = T a b
        > T
        < T a b
        > T ack
        > T a
        < T a
        > T ack
        = T a b=2
        < T b=2
        > T ack
        > T -*
        = T a b=3
        = T a=2 b=3
        < T a=2
        """,
    ),
    Check(
        "an empty list on a stream that began with names changes nothing",
        LISTS,
        """
        = T a b
        > T a
        < T a
        > T ack
        > T
        > T -a
        > T
        = T a=2 b
        """,
    ),
    Check(
        "an empty first list of a named type means nothing",
        NAMED,
        """
        = T a
        > T
        = T a=2
        """,
    ),
    Check(
        "a star means everything of every type, also beside names",
        ALL,
        """
        = T a b
        > T * a
        < T a b
        > T ack
        = T a b c
        < T c
        """,
    ),
    Check(
        "a star that comes later has what is not held sent",
        ALL,
        """
        = T a b
        > T a
        < T a
        > T ack
        > T *
        < T b
        """,
    ),
    Check(
        "a star that comes later is answered even if there is nothing to tell",
        ALL,
        """
        = T a
        > T a
        < T a
        > T ack
        > T *
        < T
        """,
    ),
    Check(
        "a star that is dropped ends everything",
        ALL,
        """
        = T a
        > T *
        < T a
        > T ack
        > T -*
        = T a=2
        =
        """,
    ),
    Check(
        "a name that is dropped while everything is wanted is told again, or as removed if it does not exist",
        ALL,
        """
        = T a b
        > T *
        < T a b
        > T ack
        > T -a -ghost
        < T a -ghost
        """,
    ),
    Check(
        "the same for one that was wanted by name as well",
        ALL,
        """
        = T a b
        > T * a
        < T a b
        > T ack
        > T -a
        < T a
        > T ack
        = T a=2 b
        < T a=2
        """,
    ),
    Check(
        "a name that is dropped and wanted at once, while everything is wanted, is told once",
        ALL,
        """
        = T a b
        > T *
        < T a b
        > T ack
        > T a -a
        < T a
        """,
    ),
    Check(
        "a new stream may begin with an empty list again",
        LISTS,
        """
        = T a b
        > T a
        < T a
        ~
        > T has:a
        < T b
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
