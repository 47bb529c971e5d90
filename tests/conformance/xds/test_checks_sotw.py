"""What a SotW request means, check by check: each rule with the dialogue that shows it, on the state machine and over a socket."""

from __future__ import annotations

import pytest

from tests.support.dialogue_servers import StateMachine, socket
from tests.support.dialogues import Check, cases, hold

LISTS = ("CDS", "LDS")
"""Types whose responses list everything."""

NAMED = ("EDS", "RDS", "SDS")
"""Types of which each name is asked for."""

ALL = (*LISTS, *NAMED)
AWAITED = ("LDS", *NAMED)
"""Types of which the next response waits for the answer to the last one."""

CHECKS = (
    # the first request
    Check(
        "the first request is answered in full, whatever version and nonce it has",
        ALL,
        """
        = T a b c
        > T version:7 nonce:7 a b
        < T a b
        """,
    ),
    Check(
        "what does not exist is left out, and comes when it exists",
        ALL,
        """
        = T a
        > T a late
        < T a
        > T ack
        = T a late
        < T {a} late
        """,
    ),
    Check(
        "of a list type there is an answer even if nothing of it exists",
        LISTS,
        """
        > T a
        < T
        > T ack
        = T a
        < T a
        """,
    ),
    Check(
        "of a named type nothing is said while nothing of it exists",
        NAMED,
        """
        > T a
        = T b
        = T a b
        < T a
        """,
    ),
    Check(
        "a named type with an empty first list is not watched",
        NAMED,
        """
        = T a
        > T nothing
        = T a=2
        > T a
        < T a=2
        """,
    ),
    Check(
        "what was not asked for is never sent",
        ALL,
        """
        = CDS a, EDS a, LDS a, RDS a, SDS a
        > T a
        < T a
        > T ack
        = CDS a=2, EDS a=2, LDS a=2, RDS a=2, SDS a=2
        < T a=2
        """,
    ),
    # answers
    Check(
        "an ACK is not answered, however often it comes back with the same",
        ALL,
        """
        = T a b
        > T a b
        < T a b
        > T ack
        = T a b
        = T a b c
        """,
    ),
    Check(
        "a rejection is not answered, and what was rejected is not repeated until it changes",
        ALL,
        """
        = T a=bad
        > T a
        < T a=bad
        > T nack
        = T a=bad
        = T a=good
        < T a=good
        > T ack
        """,
    ),
    Check(
        "content from before a rejection is sent again when it is back",
        ALL,
        """
        = T a
        > T a
        < T a
        > T ack
        = T a=bad
        < T a=bad
        > T nack
        = T a
        < T a
        """,
    ),
    Check(
        "beside a rejected resource others are updated",
        ALL,
        """
        = T a=bad b
        > T a b
        < T a=bad b
        > T nack
        = T a=bad b=2
        < T b=2
        """,
    ),
    Check(
        "names in a rejection count",
        ALL,
        """
        = T a=bad b
        > T a
        < T a=bad
        > T nack a b
        < T b
        """,
    ),
    # nonces
    Check(
        "a request with an outdated nonce is no answer",
        AWAITED,
        """
        = T a
        > T a
        < T a
        > T ack
        = T a=2
        < T a=2
        = T a=3
        > T ack#1
        > T ack#2
        < T a=3
        """,
    ),
    Check(
        "the names of a request with an outdated nonce do not count",
        ALL,
        """
        = T a b
        > T a
        < T a
        > T ack
        = T a=2 b
        < T a=2
        > T ack#1 a b
        > T ack#2 a
        """,
    ),
    Check(
        "a nonce of nobody is ignored, with an error too",
        ALL,
        """
        = T a b
        > T a
        < T a
        > T ack
        > T nonce:x b
        > T nack nonce:x b
        = T a b=2
        = T a=2 b=2
        < T a=2
        """,
    ),
    Check(
        "a client that has answered and sends no nonce has forgotten all, and is answered in full",
        ALL,
        """
        = T a b
        > T a b
        < T a b
        > T ack
        > T nonce: a b
        < T a b
        """,
    ),
    Check(
        "the same with other names than before",
        ALL,
        """
        = T a b c
        > T a b
        < T a b
        > T ack
        > T nonce: b c
        < T b c
        """,
    ),
    Check(
        "names that are added before the first answer arrived come after its ACK",
        AWAITED,
        """
        = T a b
        > T a
        < T a
        > T nonce: a b
        > T ack
        < T {a} b
        """,
    ),
    Check(
        "a name that is asked for again with the nonce of an ACK is sent again",
        NAMED,
        """
        = T a b
        > T a b
        < T a b
        > T ack
        > T ack
        < T a b
        """,
    ),
    Check(
        "a list is never asked for again with the nonce of an ACK",
        LISTS,
        """
        = T a b
        > T a b
        < T a b
        > T ack
        > T ack
        """,
    ),
    # other names
    Check(
        "further names are answered alone where the protocol allows it",
        ALL,
        """
        = T a b c
        > T a
        < T a
        > T ack
        > T a c
        < T {a} c
        """,
    ),
    Check(
        "an ACK may bring further names",
        ALL,
        """
        = T a b
        > T a
        < T a
        > T ack a b
        < T {a} b
        """,
    ),
    Check(
        "fewer names are not answered, and no more told",
        ALL,
        """
        = T a b
        > T a b
        < T a b
        > T ack a
        = T a b=2
        = T a
        = T a=2
        < T a=2
        """,
    ),
    Check(
        "names may come and go in one request",
        ALL,
        """
        = T a b c
        > T a b
        < T a b
        > T ack b c
        < T {b} c
        > T ack
        = T a=2 b=2 c
        < T b=2 {c}
        """,
    ),
    Check(
        "an empty list ends the subscription, and the client may begin again",
        ALL,
        """
        = T a
        > T a
        < T a
        > T ack nothing
        = T a=2
        > T a
        < T a=2
        """,
    ),
    Check(
        "a name that was left out and is wanted again is sent again, equal or not",
        ALL,
        """
        = T a b
        > T a b
        < T a b
        > T ack a
        > T a b
        < T {a} b
        """,
    ),
    Check(
        "a name that was left out while a response was on its way is sent again as well",
        NAMED,
        """
        = T a b
        > T a b
        < T a b
        > T ack
        = T a=2 b
        < T a=2
        > T ack#1 a
        > T ack#2 a b
        < T b
        """,
    ),
    # changes
    Check(
        "a change of a named type is told alone, a list is told whole",
        ALL,
        """
        = T a b c
        > T a b c
        < T a b c
        > T ack
        = T a b=2 c
        < T {a} b=2 {c}
        """,
    ),
    Check(
        "a list tells removals by what it leaves out, also the last one",
        LISTS,
        """
        = T a b
        > T a b
        < T a b
        > T ack
        = T a
        < T a
        > T ack
        =
        < T
        """,
    ),
    Check(
        "removals of a named type are not told; what comes back is",
        NAMED,
        """
        = T a b
        > T a b
        < T a b
        > T ack
        = T a
        = T a b
        < T b
        """,
    ),
    Check(
        "while an answer is awaited the newest state replaces older ones",
        AWAITED,
        """
        = T a
        > T a
        < T a
        = T a=2
        = T a=3
        > T ack
        < T a=3
        """,
    ),
    Check(
        "content that is back before the answer is not told again",
        AWAITED,
        """
        = T a
        > T a
        < T a
        = T a=2
        = T a
        > T ack
        """,
    ),
    Check(
        "clusters are not awaited: Envoy withholds their ACK while they warm",
        ("CDS",),
        """
        = T a
        > T a
        < T a
        = T a=2
        < T a=2
        = T a=3
        < T a=3
        > T ack#1
        > T ack#2
        > T ack#3
        """,
    ),
    # several types
    Check(
        "clusters that are asked for after endpoints have these sent once more",
        ("CDS",),
        """
        = CDS a, EDS a b
        > EDS a b
        < EDS a b
        > EDS ack
        > CDS
        < CDS a
        < EDS a
        > CDS ack
        > EDS ack
        """,
    ),
    Check(
        "answers come in the order of references, in whatever order it was asked",
        ("CDS",),
        """
        = CDS a, EDS a, LDS a, RDS a, SDS a
        >> SDS a
        >> RDS a
        >> LDS
        >> EDS a
        > CDS
        < CDS a
        < EDS a
        < LDS a
        < RDS a
        < SDS a
        """,
    ),
    Check(
        "what one type is told touches no other",
        ("RDS", "SDS"),
        """
        = T x=bad, CDS x, LDS x
        > CDS
        < CDS x
        > LDS
        < LDS x
        > T x
        < T x=bad
        > T nack
        > CDS ack
        > LDS nonce:z
        = T x=bad, CDS x=2, LDS x
        < CDS x=2
        """,
    ),
    # the stream
    Check(
        "the first request must say who the client is",
        ALL,
        """
        = T a
        > T anonymous a
        x INVALID_ARGUMENT
        """,
    ),
    Check(
        "a new stream begins anew",
        ALL,
        """
        = T a b
        > T a b
        < T a b
        ~
        > T version:1 a
        < T a
        """,
    ),
)


@pytest.mark.parametrize("dialogue", cases(*CHECKS, full=LISTS))
async def test_on_the_state_machine(dialogue: str) -> None:
    """The state machine says what is written down."""
    await hold(dialogue, "sotw", StateMachine("sotw"))


@pytest.mark.parametrize("dialogue", cases(*CHECKS, full=LISTS, sayable=True))
async def test_over_a_socket(dialogue: str) -> None:
    """So does a server behind a socket."""
    async with socket("sotw") as server:
        await hold(dialogue, "sotw", server)
