"""Changes are gathered: last write per key wins, the window opens with the first change."""

from __future__ import annotations

import math

import pytest

from meshctl_operator.apis.changes import Change, ChangeSet, Delete, Rejected, Upsert
from meshctl_operator.apis.decode import decode
from meshctl_operator.apis.kinds import Kind
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.controlplane.batching import Inbox, is_endpoint_change
from meshctl_operator.controlplane.settings import Windows

WINDOWS = Windows(config_quiet=0.005, endpoint_quiet=0.001, cap=0.1, behind_cap=1.0)
KEY = ObjectKey(Kind.VIRTUAL_SERVICE, "a", "b")
SLICE = ObjectKey(Kind.ENDPOINT_SLICE, "a", "b")


def of(*changes: Change, source: str = "s") -> ChangeSet:
    """Return a set."""
    return ChangeSet(changes, source)


def test_an_empty_inbox_is_never_due() -> None:
    """Also after an empty set."""
    inbox = Inbox(WINDOWS)
    inbox.add(of(), 1.0)
    assert inbox.due() is None


def test_config_waits_for_quiet() -> None:
    """Each change extends the wait."""
    inbox = Inbox(WINDOWS)
    inbox.add(of(Delete(KEY)), 1.0)
    assert inbox.due() == pytest.approx(1.005)
    inbox.add(of(Delete(KEY)), 1.004)
    assert inbox.due() == pytest.approx(1.009)


def test_but_never_longer_than_the_cap() -> None:
    """A steady stream of changes is compiled all the same."""
    inbox = Inbox(WINDOWS)
    for step in range(40):
        inbox.add(of(Delete(KEY)), 1.0 + step * 0.004)
    assert inbox.due() == pytest.approx(1.1)


def test_endpoints_alone_wait_for_nobody() -> None:
    """One config object among them makes it a config change."""
    inbox = Inbox(WINDOWS)
    inbox.add(of(Delete(SLICE)), 1.0)
    assert inbox.due() == pytest.approx(1.001)
    inbox.add(of(Delete(KEY)), 1.0)
    assert inbox.due() == pytest.approx(1.005)


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
    assert not batch.only_endpoints
    assert inbox.due() is None


@pytest.mark.parametrize(
    ("earliest", "due"),
    [(0.5, 1.005), (1.003, 1.005), (1.5, 1.5), (math.inf, 2.0)],
    ids=["long-ago", "before-the-quiet", "resting", "behind"],
)
def test_while_streams_are_behind_a_batch_waits_up_to_a_bound(earliest: float, due: float) -> None:
    """What they can take now is not made to wait."""
    inbox = Inbox(WINDOWS)
    inbox.add(of(Delete(KEY)), 1.0)
    assert inbox.due(earliest) == pytest.approx(due)


def test_the_bound_counts_from_the_first_change() -> None:
    """A steady stream of changes does not extend it."""
    inbox = Inbox(WINDOWS)
    for step in range(400):
        inbox.add(of(Delete(SLICE)), 1.0 + step * 0.004)
    assert inbox.due(math.inf) == pytest.approx(2.0)
    assert inbox.take().only_endpoints


def entry(**spec: object) -> Upsert:
    """Return a ServiceEntry."""
    whole = {"hosts": ["a.b"], "resolution": "STATIC", "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}], **spec}
    decoded = decode(
        {"apiVersion": "networking.istio.io/v1", "kind": "ServiceEntry", "metadata": {"name": "a", "namespace": "b"}, "spec": whole}
    )
    assert isinstance(decoded, Upsert)
    return decoded


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (entry(endpoints=[{"address": "2.2.2.2"}]), True),
        (entry(endpoints=[]), True),
        (entry(endpoints=[{"address": "1.1.1.1"}], hosts=["a.c"]), False),
        (Delete(entry().key), False),
    ],
    ids=["other-address", "no-endpoints", "other-host", "gone"],
)
def test_an_edit_of_the_endpoints_of_a_service_entry_is_one_of_endpoints(now: Change, *, expected: bool) -> None:
    """Compared with what is held: nothing else may differ."""
    held = entry(endpoints=[{"address": "1.1.1.1"}])
    assert is_endpoint_change(now, lambda _: held) is expected
    inbox = Inbox(WINDOWS, lambda _: held)
    inbox.add(of(now), 1.0)
    assert inbox.due() == pytest.approx(1.001 if expected else 1.005)


def test_a_new_service_entry_is_config() -> None:
    """Clusters and routes come with it."""
    assert not is_endpoint_change(entry(endpoints=[{"address": "1.1.1.1"}]), lambda _: None)


def test_labels_of_a_service_entry_are_config() -> None:
    """Selectors may look at them."""
    held, now = entry(), entry()
    other = Upsert(now.object.model_copy(update={"meta": now.object.meta.model_copy(update={"labels": {"a": "b"}})}))
    assert is_endpoint_change(now, lambda _: held)
    assert not is_endpoint_change(other, lambda _: held)
