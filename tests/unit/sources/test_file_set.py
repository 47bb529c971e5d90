"""Which object counts, when several files speak of it or a file is half-written."""

from __future__ import annotations

import pytest

from meshctl_operator.apis.changes import Change, Delete, Rejected, Upsert
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.sources import codes
from meshctl_operator.sources.file_set import FileSet
from meshctl_operator.sources.loading import load

A, B = ObjectKey("Service", "default", "a"), ObjectKey("Service", "default", "b")


def service(name: str, port: object = 80) -> str:
    """Return a document."""
    return f"---\napiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\nspec:\n  ports:\n  - {{port: {port}, name: http}}\n"


@pytest.fixture
def files() -> FileSet:
    """Return an empty set whose files rank by name."""
    return FileSet(lambda name: (name,), lambda name: 0 if name.startswith("overlay") else 1)


def put(files: FileSet, name: str, *documents: str, confirmed: bool = False) -> bool:
    """Give a file its text."""
    return files.put(load("".join(documents), name, "default"), confirmed=confirmed)


def taken(files: FileSet) -> tuple[Change, ...]:
    """Return what changed since the last call."""
    return tuple(files.telling())


def shown(changes: tuple[Change, ...]) -> list[tuple[str, str]]:
    """Return the changes as words."""
    return [(type(change).__name__, change.key.name) for change in changes]


def ports(changes: tuple[Change, ...]) -> list[int]:
    """Return the ports of the services that are put."""
    return [change.object.spec.ports[0].port for change in changes if isinstance(change, Upsert)]


def test_only_what_changed_is_told(files: FileSet) -> None:
    """An object that is equal is not told again."""
    put(files, "f", service("a"), service("b"))
    assert shown(taken(files)) == [("Upsert", "a"), ("Upsert", "b")]
    put(files, "f", service("a"), service("b", 81))
    assert shown(taken(files)) == [("Upsert", "b")]
    assert taken(files) == ()


def test_a_removal_needs_a_second_look(files: FileSet) -> None:
    """A file that is being written looks like a shorter one."""
    put(files, "f", service("a"), service("b"))
    taken(files)
    assert put(files, "f", service("a"))
    assert taken(files) == ()
    assert not put(files, "f", service("a"), confirmed=True)
    assert taken(files) == (Delete(B),)


def test_a_broken_file_keeps_what_it_had(files: FileSet) -> None:
    """Its good documents are taken over, its lost ones stay, and mending heals."""
    put(files, "f", service("a"), service("b"))
    taken(files)
    assert not put(files, "f", service("a", 81), "---\nkind: [")
    upsert, rejected = taken(files)
    assert isinstance(upsert, Upsert)
    assert upsert.key == A
    assert isinstance(rejected, Rejected)
    assert (rejected.key, rejected.diagnostics[0].code) == (codes.file_key("f"), codes.NOT_YAML.code)
    put(files, "f", service("a", 81), service("b"))
    assert taken(files) == (Delete(codes.file_key("f")),)


def test_a_rejected_object_keeps_its_last_good_state(files: FileSet) -> None:
    """It is told as rejected, and told anew when it is good again, even if it is what it was."""
    put(files, "f", service("a"))
    taken(files)
    put(files, "f", service("a", "x"))
    assert shown(taken(files)) == [("Rejected", "a")]
    put(files, "f", service("a"))
    assert shown(taken(files)) == [("Upsert", "a")]


def test_a_rejected_object_that_goes_is_deleted(files: FileSet) -> None:
    """Last good is kept for a mistake, not for a removal."""
    put(files, "f", service("a"), service("b"))
    put(files, "f", service("a", "x"), service("b"))
    taken(files)
    put(files, "f", service("b"), confirmed=True)
    assert taken(files) == (Delete(A),)


def test_an_empty_file_keeps_what_it_had_and_says_so(files: FileSet) -> None:
    """That is what a truncated file looks like; a comment is not empty."""
    put(files, "f", service("a"))
    taken(files)
    assert not put(files, "f", "")
    (rejected,) = taken(files)
    assert isinstance(rejected, Rejected)
    assert [finding.code for finding in rejected.diagnostics] == [codes.EMPTIED.code]
    put(files, "f", "# nothing\n", confirmed=True)
    assert taken(files) == (Delete(A), Delete(codes.file_key("f")))


def test_the_first_file_wins_and_the_other_is_reported(files: FileSet) -> None:
    """When the first goes, the second takes over and its finding is gone."""
    put(files, "f2", service("a", 82))
    put(files, "f1", service("a", 81))
    changes = taken(files)
    assert ports(changes) == [81]
    (rejected,) = [change for change in changes if isinstance(change, Rejected)]
    assert rejected.key == codes.file_key("f2")
    assert rejected.diagnostics[0].code == codes.DEFINED_TWICE.code
    files.remove("f1")
    changes = taken(files)
    assert ports(changes) == [82]
    assert Delete(codes.file_key("f2")) in changes


def test_the_first_usable_object_counts(files: FileSet) -> None:
    """A rejected object that never was good hides no other one, and is reported."""
    put(files, "f1", service("a", "x"))
    put(files, "f2", service("a", 82))
    changes = taken(files)
    assert ports(changes) == [82]
    assert shown(changes) == [("Upsert", "a"), ("Rejected", "a")]


def test_a_file_that_leaves_yields_without_a_gap(files: FileSet) -> None:
    """Moving objects to another file deletes nothing and reports nothing."""
    put(files, "f1", service("a"))
    taken(files)
    files.leave("f1")
    put(files, "f2", service("a"))
    assert taken(files) == ()
    files.remove("f1")
    assert taken(files) == ()


def test_a_file_that_came_back_is_as_before(files: FileSet) -> None:
    """Editors delete and create when they save."""
    put(files, "f1", service("a"))
    taken(files)
    files.leave("f1")
    files.leave("f1")
    assert taken(files) == ()
    put(files, "f1", service("a"))
    assert taken(files) == ()


def test_a_file_that_is_only_out_of_sight_stays(files: FileSet) -> None:
    """It counts before another one again, and is reported as before."""
    put(files, "f1", service("a", 81))
    put(files, "f2", service("a", 82))
    files.leave("f1")
    assert 82 in ports(taken(files))
    files.stay("f1")
    files.stay("f1")
    files.stay("unknown")
    changes = taken(files)
    assert ports(changes) == [81]
    assert shown(changes)[-1] == ("Rejected", "f2")


def test_an_overlay_overrides_in_silence(files: FileSet) -> None:
    """That is what it is for."""
    put(files, "a", service("a", 81))
    put(files, "overlay", service("a", 82))
    changes = taken(files)
    assert ports(changes) == [82]
    assert shown(changes) == [("Upsert", "a")]


def test_a_last_object_without_line_break_needs_a_second_look(files: FileSet) -> None:
    """The rest of it may be on its way."""
    longer = service("a") + "  type: ClusterIP\n"
    put(files, "f", longer)
    taken(files)
    shorter = longer[: longer.index("IP")]
    assert put(files, "f", shorter)
    assert taken(files) == ()
    put(files, "f", longer)
    assert taken(files) == ()


def test_the_place_of_an_object_is_that_of_the_one_that_counts(files: FileSet) -> None:
    """Findings of the compiler are located with it."""
    put(files, "f2", service("a"))
    put(files, "f1", service("b"), service("a"))
    document = files.document(A)
    assert document is not None
    assert (document.source, document.line_of("spec.ports[0].port")) == ("f1", 14)
    assert files.document(ObjectKey("Service", "default", "c")) is None


def test_everything_can_be_told_anew(files: FileSet) -> None:
    """With what was removed since."""
    put(files, "f", service("a"), service("b", "x"))
    put(files, "g", service("c"))
    taken(files)
    files.remove("g")
    assert shown(taken(files)) == [("Delete", "c")]
    assert shown(files.told()) == [("Upsert", "a"), ("Rejected", "b")]
    assert shown(files.told()) == [("Upsert", "a"), ("Rejected", "b")]
    assert taken(files) == ()


def test_changes_are_computed_one_after_the_other(files: FileSet) -> None:
    """Who stops in between goes on later, and is told nothing twice."""
    put(files, "f", service("a"), service("b"), service("c"))
    first = next(files.telling())
    assert shown((first, *taken(files))) == [("Upsert", "a"), ("Upsert", "b"), ("Upsert", "c")]
