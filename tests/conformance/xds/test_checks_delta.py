"""What a Delta request means, check by check: each rule with the dialogue that shows it, on the state machine and over a socket."""

from __future__ import annotations

import pytest

from tests.support.dialogue_servers import StateMachine, socket
from tests.support.dialogues import Check, cases, hold

LISTS = ("CDS", "LDS")
"""Types of which an empty first request means everything."""

NAMED = ("EDS", "RDS", "SDS")
"""Types of which each name is asked for."""

ALL = (*LISTS, *NAMED)
AWAITED = ("LDS", *NAMED)
"""Types of which the next response waits for the answer to the last one."""

CLAIMED = ("CDS", "LDS", "RDS", "SDS")
"""Types of which what the client holds is believed on the first request of a stream: endpoints may be waited for all the same."""

CHECKS = (
    # the first request
    Check(
        "each name of the first request is answered, those that do not exist as removed",
        ALL,
        """
        = T a c
        > T a b c
        < T a c -b
        > T ack
        = T a b c
        < T b
        """,
    ),
    Check(
        "an empty first request to a list type means everything, and is answered even if there is nothing",
        LISTS,
        """
        > T
        < T
        > T ack
        = T a b
        < T a b
        """,
    ),
    Check(
        "an empty first request to a named type asks for nothing",
        NAMED,
        """
        = T a
        > T
        = T a=2
        > T a
        < T a=2
        """,
    ),
    Check(
        "a stream may begin with nothing: everything, and nothing of it",
        ALL,
        """
        = T a b
        > T * -*
        = T a=2 b
        > T b
        < T b
        """,
    ),
    Check(
        "a name in both lists is not wanted",
        ALL,
        """
        = T a b
        > T a b -b
        < T a
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
    # what the client holds
    Check(
        "what the client holds is not sent again",
        CLAIMED,
        """
        = T a b
        > T a b has:a has:b
        = T a b=2
        < T b=2
        """,
    ),
    Check(
        "other versions, unknown ones and names that it does not hold are sent, what vanished is removed",
        CLAIMED,
        """
        = T a b=2 c d
        > T a b c d e has:a has:b has:c=? has:e
        < T b=2 c d -e
        """,
    ),
    Check(
        "the same for one that wants everything",
        LISTS,
        """
        = T a b=2 c d
        > T has:a has:b has:c=? has:e
        < T b=2 c d -e
        """,
    ),
    Check(
        "one that wants everything, and holds all there is, is not answered",
        LISTS,
        """
        = T a b
        > T has:a has:b
        > T ghost
        < T -ghost
        """,
    ),
    Check(
        "holding a name does not ask for it",
        CLAIMED,
        """
        = T a b
        > T a has:b=?
        < T a
        > T ack
        = T a
        """,
    ),
    Check(
        "endpoints that are asked for first are answered whatever the client holds: a cluster may be warming",
        ("EDS",),
        """
        = CDS a, EDS a b
        > EDS a b c has:a has:b=? has:c
        < EDS a b -c
        > EDS ack
        > CDS has:a
        """,
    ),
    Check(
        "endpoints that are asked for after clusters are not sent again",
        ("EDS",),
        """
        = CDS a, EDS a b
        > CDS has:a
        > EDS a b has:a has:b=2
        < EDS b
        """,
    ),
    # rejections
    Check(
        "a rejection is not answered, and what was rejected is not repeated until it changes",
        ALL,
        """
        = T a=bad b
        > T a b
        < T a=bad b
        > T nack
        = T a=bad b
        = T a=bad b=2
        < T b=2
        > T ack
        = T a=good b=2
        < T a=good
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
        "what a rejected response had is removed when it vanishes: the client may have applied it",
        ALL,
        """
        = T a=bad b
        > T a b
        < T a=bad b
        > T nack
        =
        < T -a -b
        """,
    ),
    Check(
        "names in a rejection count",
        ALL,
        """
        = T a=bad b
        > T a
        < T a=bad
        > T nack b
        < T b
        """,
    ),
    # nonces
    Check(
        "an ACK is not answered",
        ALL,
        """
        = T a b
        > T a b
        < T a b
        > T ack
        > T ack
        = T a b
        """,
    ),
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
        "the names of a request with an outdated nonce count, for they are changes",
        ALL,
        """
        = T a b c
        > T a b
        < T a b
        > T ack
        > T nonce:x c -b
        < T c
        > T ack
        = T a b=2 c=2
        < T c=2
        """,
    ),
    # other names
    Check(
        "further names are answered alone",
        ALL,
        """
        = T a b
        > T a
        < T a
        > T ack
        > T b
        < T b
        > T ack
        > T ghost
        < T -ghost
        """,
    ),
    Check(
        "an ACK may bring further names, and drop some",
        ALL,
        """
        = T a b
        > T a
        < T a
        > T ack b -a
        < T b
        > T ack
        = T a=2 b=2
        < T b=2
        """,
    ),
    Check(
        "names that are added while an answer is awaited come after it",
        AWAITED,
        """
        = T a b
        > T a
        < T a
        > T b
        > T ack
        < T b
        """,
    ),
    Check(
        "a name that is asked for again is answered again, though the client holds it",
        ALL,
        """
        = T a b
        > T a b
        < T a b
        > T ack
        > T a
        < T a
        """,
    ),
    Check(
        "a request that changes nothing is not answered",
        ALL,
        """
        = T a
        > T a
        < T a
        > T ack
        > T
        > T -ghost
        """,
    ),
    Check(
        "what is not wanted any more is not told, nor removed",
        ALL,
        """
        = T a b
        > T a b
        < T a b
        > T ack
        > T -b
        = T a b=2
        = T a
        > T -a
        = T a=2
        """,
    ),
    Check(
        "a name that was not wanted for a while is sent again, equal or not",
        ALL,
        """
        = T a b
        > T a b
        < T a b
        > T ack
        > T -b
        > T b
        < T b
        """,
    ),
    Check(
        "a name that is dropped and wanted again while an answer is awaited is sent again",
        AWAITED,
        """
        = T a b
        > T a b
        < T a b
        > T -b
        > T b
        > T ack
        < T b
        """,
    ),
    Check(
        "the absence of a name is told once for each time that it is asked for",
        ALL,
        """
        > T a
        < T -a
        > T ack
        = T b
        > T a
        < T -a
        """,
    ),
    # changes
    Check(
        "a change is told alone",
        ALL,
        """
        = T a b c
        > T a b c
        < T a b c
        > T ack
        = T a b=2 c
        < T b=2
        """,
    ),
    Check(
        "a removal is told, once, and so is what comes back",
        ALL,
        """
        = T a b
        > T a b
        < T a b
        > T ack
        = T a
        < T -b
        > T ack
        = T a=2
        < T a=2
        > T ack
        = T a=2 b
        < T b
        """,
    ),
    Check(
        "while an answer is awaited the newest state replaces older ones",
        AWAITED,
        """
        = T a b
        > T a b
        < T a b
        = T a=2 b
        = T a=3 c
        > T ack
        < T a=3 -b
        """,
    ),
    Check(
        "what is back before the answer is not told",
        AWAITED,
        """
        = T a b
        > T a b
        < T a b
        = T a=2
        = T a b
        > T ack
        """,
    ),
    Check(
        "clusters are not awaited: Envoy withholds their ACK while they warm",
        ("CDS",),
        """
        = T a b
        > T
        < T a b
        = T a=2 b
        < T a=2
        = T a=2
        < T -b
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
        = CDS a b=2, EDS a b
        > EDS a b
        < EDS a b
        > EDS ack
        > CDS has:a has:b
        < CDS b=2
        < EDS b
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
        > T a
        < T a
        """,
    ),
)


@pytest.mark.parametrize("dialogue", cases(*CHECKS))
async def test_on_the_state_machine(dialogue: str) -> None:
    """The state machine says what is written down."""
    await hold(dialogue, "delta", StateMachine("delta"))


@pytest.mark.parametrize("dialogue", cases(*CHECKS, sayable=True))
async def test_over_a_socket(dialogue: str) -> None:
    """So does a server behind a socket."""
    async with socket("delta") as server:
        await hold(dialogue, "delta", server)
