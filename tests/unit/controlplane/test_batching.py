"""Changes are gathered: last write per key wins, the window opens with the first change."""

from __future__ import annotations

import pytest

from meshctl_operator.apis.changes import Change, ChangeSet, Delete, Rejected
from meshctl_operator.apis.kinds import Kind
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.controlplane.batching import Inbox
from meshctl_operator.controlplane.settings import Windows

WINDOWS = Windows(config_quiet=0.005, endpoint_quiet=0.001, cap=0.1)
KEY = ObjectKey(Kind.VIRTUAL_SERVICE, "a", "b")
SLICE = ObjectKey(Kind.ENDPOINT_SLICE, "a", "b")


def of(*changes: Change, source: str = "s") -> ChangeSet:
    """Return a set."""
    return ChangeSet(changes, source)


def test_an_empty_inbox_is_never_due() -> None:
    """Also after an empty set."""
    inbox = Inbox(WINDOWS)
    inbox.add(of(), 1.0)
    assert inbox.due is None


def test_config_waits_for_quiet() -> None:
    """Each change extends the wait."""
    inbox = Inbox(WINDOWS)
    inbox.add(of(Delete(KEY)), 1.0)
    assert inbox.due == pytest.approx(1.005)
    inbox.add(of(Delete(KEY)), 1.004)
    assert inbox.due == pytest.approx(1.009)


def test_but_never_longer_than_the_cap() -> None:
    """A steady stream of changes is compiled all the same."""
    inbox = Inbox(WINDOWS)
    for step in range(40):
        inbox.add(of(Delete(KEY)), 1.0 + step * 0.004)
    assert inbox.due == pytest.approx(1.1)


def test_endpoints_alone_wait_for_nobody() -> None:
    """One config object among them makes it a config change."""
    inbox = Inbox(WINDOWS)
    inbox.add(of(Delete(SLICE)), 1.0)
    assert inbox.due == pytest.approx(1.001)
    inbox.add(of(Delete(KEY)), 1.0)
    assert inbox.due == pytest.approx(1.005)


def test_the_last_write_wins_per_source_and_key() -> None:
    """A rejection is kept beside the state it rejects the successor of."""
    inbox = Inbox(WINDOWS)
    rejected, again = Rejected(KEY, ()), Rejected(KEY, ())
    inbox.add(of(Delete(SLICE), rejected), 1.0)
    inbox.add(of(Delete(KEY)), 2.0)
    inbox.add(of(rejected, again), 3.0)
    inbox.add(of(Delete(KEY), source="other"), 4.0)
    batch = inbox.take()
    assert batch.changes == (("s", Delete(SLICE)), ("s", Delete(KEY)), ("s", again), ("other", Delete(KEY)))
    assert batch.since == 1.0
    assert inbox.due is None
