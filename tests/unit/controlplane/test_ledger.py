"""Several sources make one set of objects."""

from __future__ import annotations

from meshctl_operator.apis.changes import Delete, Rejected, Upsert
from meshctl_operator.apis.decode import decode
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.controlplane.codes import REJECTED_BY_PROXY
from meshctl_operator.controlplane.ledger import Ledger

KEY = ObjectKey("Service", "default", "a")
ERROR = REJECTED_BY_PROXY.error(KEY, "", "wrong")
WARNING = REJECTED_BY_PROXY.warning(KEY, "", "odd")


def service(port: int) -> Upsert:
    """Return an object."""
    raw = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}, "spec": {"ports": [{"port": port}]}}
    decoded = decode(raw)
    assert isinstance(decoded, Upsert)
    return decoded


def test_the_earlier_source_wins_whoever_speaks_first() -> None:
    """When it drops the object, that of the later source takes over."""
    ledger, first, second = Ledger(["one", "two"]), service(1), service(2)
    assert ledger.apply([("two", second)]).changes == (second,)
    assert ledger.apply([("one", first)]).changes == (first,)
    assert ledger.apply([("two", service(3))]).changes == ()
    (back,) = ledger.apply([("one", Delete(KEY))]).changes
    assert isinstance(back, Upsert)
    assert back.object.spec.ports[0].port == 3
    assert ledger.apply([("two", Delete(KEY))]).changes == (Delete(KEY),)
    assert ledger.apply([("two", Delete(KEY))]).changes == ()


def test_a_rejection_changes_no_object_and_is_kept_as_finding() -> None:
    """The next good state clears it."""
    ledger = Ledger(["one"])
    ledger.apply([("one", service(1))])
    merged = ledger.apply([("one", Rejected(KEY, (ERROR,)))])
    assert (merged.changes, merged.rejected) == ((), (KEY,))
    assert ledger.findings() == (ERROR,)
    assert ledger.effective(KEY) is not None
    ledger.apply([("one", service(1))])
    assert ledger.findings() == ()


def test_warnings_alone_reject_nothing() -> None:
    """A file with an object that is not enforced is no rejected file."""
    ledger = Ledger(["one"])
    assert ledger.apply([("one", Rejected(KEY, (WARNING,)))]).rejected == ()
    assert ledger.findings() == (WARNING,)


def test_all_effective_objects_can_be_listed() -> None:
    """For a registry that has to start anew."""
    ledger, first = Ledger(["one", "two"]), service(1)
    ledger.apply([("one", first), ("two", service(2))])
    assert ledger.all_effective() == (first,)
