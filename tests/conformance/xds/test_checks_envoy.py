"""What an Envoy says when it starts, when clusters warm, when it comes back and when something goes, and what it needs to hear.

The requests are those that Envoy 1.40 was seen to send; the suite of real Envoys has the same situations with all that happens in between.
"""

from __future__ import annotations

import pytest

from tests.support.dialogue_servers import StateMachine, socket
from tests.support.dialogues import Check, cases, hold

ONCE = ("",)
"""For dialogues that name their types."""

START = """
= CDS a b, EDS a b, LDS l, RDS r
> CDS
< CDS a b
> EDS a b
< EDS a b
> CDS ack
> EDS ack
> LDS
< LDS l
> RDS r
< RDS r
> LDS ack
> RDS ack
"""
"""It asks for what a response refers to before it ACKs that."""

WARMING = """
= CDS a, LDS l
> CDS
< CDS a
> EDS a
"""
"""A cluster whose endpoints are not there yet: the ACK of clusters is withheld."""

SOTW = (
    Check("it starts", ONCE, START),
    Check(
        "endpoints may come one after the other",
        ONCE,
        """
        = CDS a b, EDS a
        > CDS
        < CDS a b
        > EDS a b
        < EDS a
        > EDS ack
        = CDS a b, EDS a b
        < EDS b
        > EDS ack
        > CDS ack
        """,
    ),
    Check(
        "an updated cluster has its endpoints follow, and the question for them is answered once more",
        ONCE,
        f"""
        {START}
        = CDS a=2 b, EDS a b, LDS l, RDS r
        < CDS a=2 b
        < EDS a
        > EDS ack#1
        > EDS ack
        > CDS ack
        > EDS ack
        < EDS a b
        """,
    ),
    Check(
        "a cluster that warms is superseded",
        ONCE,
        f"""
        {WARMING}
        = CDS a=2, LDS l
        < CDS a=2
        = CDS a=2 b, LDS l
        < CDS a=2 b
        > EDS a b
        = CDS a=2 b, EDS a b, LDS l
        < EDS a b
        > EDS ack
        > CDS ack#1
        > CDS ack#2
        > CDS ack#3
        """,
    ),
    Check(
        "it comes back while a cluster warms: endpoints first, clusters when these are there",
        ONCE,
        f"""
        {START}
        ~
        > EDS a b
        < EDS a b
        > LDS version:1
        < LDS l
        > RDS r
        < RDS r
        > EDS ack
        > CDS version:1
        < CDS a b
        < EDS a b
        > CDS ack
        > EDS ack
        > LDS ack
        > RDS ack
        """,
    ),
    Check(
        "it comes back otherwise: each type is answered in full, once",
        ONCE,
        f"""
        {START}
        ~
        > CDS version:1
        < CDS a b
        > EDS version:1 a b
        < EDS a b
        > LDS version:1
        < LDS l
        > RDS version:1 r
        < RDS r
        > CDS ack
        > EDS ack
        > LDS ack
        > RDS ack
        """,
    ),
    Check(
        "a new cluster comes before the route that leads there, with its endpoints",
        ONCE,
        f"""
        {START}
        = CDS a b c, EDS a b c, LDS l, RDS r=c
        < CDS a b c
        > EDS ack a b c
        < EDS c
        < RDS r=c
        > EDS ack
        > CDS ack
        > RDS ack
        """,
    ),
    Check(
        "a removed cluster goes when the route that led elsewhere is ACKed",
        ONCE,
        f"""
        {START}
        = CDS a, EDS a, LDS l, RDS r=a
        < RDS r=a
        > RDS ack
        < CDS a
        > EDS ack a
        > CDS ack
        """,
    ),
    Check(
        "a removed cluster stays listed, also when another one changes before",
        ONCE,
        f"""
        {START}
        = CDS a=2, EDS a, LDS l, RDS r=a
        < CDS a=2 b
        < EDS a
        < RDS r=a
        > EDS ack
        > CDS ack
        > RDS ack
        < CDS a=2
        """,
    ),
    Check(
        "of a removed listener the routes are still asked for, also when it comes back",
        ONCE,
        f"""
        {START}
        = CDS a b, EDS a b, RDS r
        < LDS
        > LDS ack
        = CDS a b, EDS a b, RDS r=2
        < RDS r=2
        > RDS ack
        = CDS a b, EDS a b
        ~
        > LDS version:1
        < LDS
        > RDS version:1 r
        """,
    ),
    Check(
        "clusters that share endpoints have these sent once",
        ONCE,
        """
        = CDS a@e b@e, EDS e
        > CDS
        < CDS a b
        > EDS e
        < EDS e
        > CDS ack
        > EDS ack
        = CDS a=2@e b=2@e, EDS e
        < CDS a=2 b=2
        < EDS e
        > EDS ack
        > CDS ack
        """,
    ),
    Check(
        "a rejected update of clusters leaves the others as they are",
        ONCE,
        f"""
        {START}
        = CDS a=bad b=2, EDS a b, LDS l, RDS r
        < CDS a=bad b=2
        < EDS a b
        > EDS ack
        > CDS nack
        = CDS a=3 b=2, EDS a b, LDS l, RDS r
        < CDS a=3 b=2
        < EDS a
        """,
    ),
)

DELTA = (
    Check("it starts", ONCE, START),
    Check(
        "endpoints may come one after the other",
        ONCE,
        """
        = CDS a b, EDS a
        > CDS
        < CDS a b
        > EDS a b
        < EDS a -b
        > EDS ack
        = CDS a b, EDS a b
        < EDS b
        > EDS ack
        > CDS ack
        """,
    ),
    Check(
        "an updated cluster has its endpoints follow, for it does not ask again",
        ONCE,
        f"""
        {START}
        = CDS a=2 b, EDS a b, LDS l, RDS r
        < CDS a=2
        < EDS a
        > EDS ack
        > CDS ack
        """,
    ),
    Check(
        "endpoints follow that change together with their cluster, once",
        ONCE,
        f"""
        {START}
        = CDS a=2 b, EDS a=2 b, LDS l, RDS r
        < CDS a=2
        < EDS a=2
        > EDS ack
        > CDS ack
        """,
    ),
    Check(
        "a cluster that is updated twice while it warms has its endpoints follow twice",
        ONCE,
        f"""
        {START}
        = CDS a=2 b, EDS a b, LDS l, RDS r
        < CDS a=2
        < EDS a
        = CDS a=3 b, EDS a b, LDS l, RDS r
        < CDS a=3
        > EDS ack
        < EDS a
        > EDS ack
        > CDS ack#2
        > CDS ack#3
        """,
    ),
    Check(
        "a cluster that warms is superseded",
        ONCE,
        f"""
        {WARMING}
        < EDS -a
        > EDS ack
        = CDS a=2, LDS l
        < CDS a=2
        = CDS a=2 b, LDS l
        < CDS b
        > EDS b
        < EDS -b
        > EDS ack
        = CDS a=2 b, EDS a b, LDS l
        < EDS a b
        > EDS ack
        > CDS ack#1
        > CDS ack#2
        > CDS ack#3
        """,
    ),
    Check(
        "it comes back while a cluster warms: endpoints first, which are all sent, clusters when these are there",
        ONCE,
        f"""
        {START}
        ~
        > EDS a b has:a has:b
        < EDS a b
        > LDS has:l
        > RDS r has:r
        > EDS ack
        > CDS has:a has:b
        """,
    ),
    Check(
        "it comes back otherwise, and is told nothing",
        ONCE,
        f"""
        {START}
        ~
        > CDS has:a has:b
        > EDS a b has:a has:b
        > LDS has:l
        > RDS r has:r
        """,
    ),
    Check(
        "it comes back after changes: a cluster with its endpoints, a new one, one that went",
        ONCE,
        f"""
        {START}
        ~
        = CDS a=2 c, EDS a c, LDS l, RDS r
        > CDS has:a has:b
        < CDS a=2 c -b
        > EDS a b has:a has:b
        < EDS a -b
        > EDS ack c -b
        < EDS c
        > EDS ack
        > CDS ack
        """,
    ),
    Check(
        "what it applied of a rejected response, and does not say that it holds, is sent when it comes back",
        ONCE,
        """
        = CDS a b=bad
        > CDS
        < CDS a b=bad
        > CDS nack
        ~
        > CDS
        < CDS a b=bad
        """,
    ),
    Check(
        "a new cluster comes before the route that leads there, with its endpoints",
        ONCE,
        f"""
        {START}
        = CDS a b c, EDS a b c, LDS l, RDS r=c
        < CDS c
        > EDS c
        < EDS c
        < RDS r=c
        > EDS ack
        > CDS ack
        > RDS ack
        """,
    ),
    Check(
        "a removed cluster goes when the route that led elsewhere is ACKed, its endpoints with it",
        ONCE,
        f"""
        {START}
        = CDS a, EDS a, LDS l, RDS r=a
        < RDS r=a
        > RDS ack
        < CDS -b
        < EDS -b
        > EDS -b
        > CDS ack
        > EDS ack
        """,
    ),
    Check(
        "a cluster that comes back gets its endpoints, though it was asked for them before",
        ONCE,
        f"""
        {START}
        = CDS a, EDS a, LDS l, RDS r
        < CDS -b
        < EDS -b
        > EDS -b
        > CDS ack
        > EDS ack
        = CDS a b, EDS a b, LDS l, RDS r
        < CDS b
        > EDS b
        < EDS b
        > EDS ack
        > CDS ack
        """,
    ),
    Check(
        "of a removed listener the routes are still asked for, also when it comes back",
        ONCE,
        f"""
        {START}
        = CDS a b, EDS a b, RDS r
        < LDS -l
        > LDS ack
        = CDS a b, EDS a b, RDS r=2
        < RDS r=2
        > RDS ack
        ~
        > LDS
        < LDS
        > RDS r has:r=2
        = CDS a b, EDS a b
        < RDS -r
        """,
    ),
    Check(
        "clusters that share endpoints have these sent once",
        ONCE,
        """
        = CDS a@e b@e, EDS e
        > CDS
        < CDS a b
        > EDS e
        < EDS e
        > CDS ack
        > EDS ack
        = CDS a=2@e b=2@e, EDS e
        < CDS a=2 b=2
        < EDS e
        > EDS ack
        > CDS ack
        """,
    ),
    Check(
        "a rejected update of clusters leaves the others as they are",
        ONCE,
        f"""
        {START}
        = CDS a=bad b=2, EDS a b, LDS l, RDS r
        < CDS a=bad b=2
        < EDS a b
        > EDS ack
        > CDS nack
        = CDS a=3 b=2, EDS a b, LDS l, RDS r
        < CDS a=3
        < EDS a
        """,
    ),
)


@pytest.mark.parametrize("dialogue", cases(*SOTW))
async def test_sotw_on_the_state_machine(dialogue: str) -> None:
    """The SotW state machine says what is written down."""
    await hold(dialogue, "sotw", StateMachine("sotw"))


@pytest.mark.parametrize("dialogue", cases(*SOTW, sayable=True))
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
