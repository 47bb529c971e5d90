"""A program applies and deletes objects."""

from __future__ import annotations

from meshctl_operator.apis.changes import ChangeSet, Delete, Rejected, Upsert
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.sources.memory import MemorySource


class Recorder:
    """A sink that remembers."""

    def __init__(self) -> None:
        """Start empty."""
        self.sets: list[ChangeSet] = []

    def submit(self, changes: ChangeSet) -> None:
        """Remember a set."""
        self.sets.append(changes)


def service(name: str, port: object = 80) -> dict[str, object]:
    """Return a raw object."""
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": {"ports": [{"port": port, "name": "http"}]}}


KEY = ObjectKey("Service", "default", "a")


async def test_what_was_applied_before_is_the_initial_state() -> None:
    """Deleted objects are not part of it."""
    source, sink = MemorySource(service("a"), service("b")), Recorder()
    source.delete(ObjectKey("Service", "default", "b"))
    await source.run(sink)
    (first,) = sink.sets
    assert [change.key.name for change in first.changes] == ["a"]
    assert (first.source, first.synced) == ("memory", True)


async def test_later_changes_are_submitted_at_once() -> None:
    """Each call is one set."""
    source, sink = MemorySource(), Recorder()
    await source.run(sink)
    source.apply(service("a"), service("b"))
    source.delete(KEY)
    assert [len(changes.changes) for changes in sink.sets] == [0, 2, 1]
    assert sink.sets[-1].changes == (Delete(KEY),)


async def test_rejected_documents_are_submitted_and_keep_the_last_good_state() -> None:
    """A second run starts with what is good."""
    source, sink = MemorySource(service("a")), Recorder()
    source.apply(service("a", "x"), service("b", "x"))
    await source.run(sink)
    assert [type(change) for change in sink.sets[0].changes] == [Upsert, Rejected]


async def test_decoded_objects_and_kinds_that_are_not_enforced() -> None:
    """Decoded objects are taken as they are; a kind that istiod would act on is reported, a foreign one is not."""
    sink = Recorder()
    await MemorySource(service("a")).run(sink)
    (upsert,) = sink.sets[0].changes
    assert isinstance(upsert, Upsert)
    other = MemorySource(
        upsert.object,
        {"apiVersion": "telemetry.istio.io/v1", "kind": "Telemetry", "metadata": {"name": "p"}},
        {"apiVersion": "v1", "kind": "Event", "metadata": {"name": "e"}},
        name="second",
    )
    await other.run(sink)
    assert [(type(change), change.key.kind) for change in sink.sets[1].changes] == [(Upsert, "Service"), (Rejected, "Telemetry")]
    assert sink.sets[1].source == "second"
