"""Unit tests of the matching of nonces and responses."""

from __future__ import annotations

from meshctl_operator.xds.events import Sent
from meshctl_operator.xds.exchange import MAX_WAITING, Exchange


def test_answer_settles_its_response_once() -> None:
    """A nonce is answered once; afterwards it is unknown, as is one that was never sent."""
    exchange = Exchange()
    sent = Sent("1", 7, {"a": "v1"})
    exchange.send(sent)
    assert (exchange.in_flight, exchange.latest) == (True, "1")
    assert exchange.settle("2") is None
    assert exchange.settle("1") is sent
    assert exchange.settle("1") is None
    assert (exchange.in_flight, exchange.latest) == (False, "1")


def test_answers_in_order_settle_one_each() -> None:
    """Withheld ACKs that arrive one after the other belong to one response each."""
    exchange = Exchange()
    first, second = Sent("1", 1, {"a": "v1"}), Sent("2", 2, {"b": "v1"})
    exchange.send(first)
    exchange.send(second)
    assert [exchange.settle("1"), exchange.settle("2")] == [first, second]


def test_skipped_responses_count_to_the_answered_one() -> None:
    """If a client answers only the last response, what the ones before changed counts to it; the later change wins."""
    exchange = Exchange()
    exchange.send(Sent("1", 1, {"a": "v1", "b": "v1"}))
    exchange.send(Sent("2", 2, {"b": None}))
    exchange.send(Sent("3", 3, {"c": "v1"}))
    assert exchange.settle("2") == Sent("2", 2, {"a": "v1", "b": None})
    assert exchange.in_flight


def test_what_waits_may_be_outdated() -> None:
    """What was composed before a rejection was known is marked, what is sent later is not."""
    exchange = Exchange()
    exchange.send(Sent("1", 1, {"a": "v1"}))
    exchange.outdate()
    exchange.send(Sent("2", 2, {"a": "v2"}))
    first, second = exchange.settle("1"), exchange.settle("2")
    assert first is not None
    assert second is not None
    assert (first.outdated, second.outdated) == (True, False)


def test_memory_is_bounded() -> None:
    """A client that never answers does not make the list grow; what the oldest changed is not lost."""
    exchange = Exchange()
    for number in range(MAX_WAITING + 10):
        exchange.send(Sent(str(number), number, {f"name-{number}": "v"}))
    assert len(exchange._waiting) == MAX_WAITING
    settled = exchange.settle(str(MAX_WAITING + 9))
    assert settled is not None
    assert len(settled.changes) == MAX_WAITING + 10
