"""A watched directory: edits, removals, renames and half-written files."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from meshctl_operator.apis.changes import Change, ChangeSet, Delete, Rejected, Upsert
from meshctl_operator.base.diagnostics import Diagnostic
from meshctl_operator.base.errors import SettingsError
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.sources import codes
from meshctl_operator.sources.directory import DirectorySource
from meshctl_operator.sources.watching import NoWatcher, PolledWatcher, Watcher

TIMEOUT = 10.0


def service(name: str, port: object = 80) -> str:
    """Return a document."""
    return f"---\napiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\nspec:\n  ports:\n  - {{port: {port}, name: http}}\n"


class Held:
    """A sink that holds what a control plane would hold."""

    def __init__(self) -> None:
        """Start empty."""
        self.objects: dict[str, int] = {}
        self.findings: dict[str, tuple[Diagnostic, ...]] = {}
        self.history: list[Change] = []
        self._changed = asyncio.Condition()
        self._tasks: set[asyncio.Task[None]] = set()

    def submit(self, changes: ChangeSet) -> None:
        """Apply a set."""
        for change in changes.changes:
            self.history.append(change)
            match change:
                case Upsert():
                    self.objects[change.key.name] = change.object.spec.ports[0].port
                    self.findings.pop(change.key.name, None)
                case Delete():
                    self.objects.pop(change.key.name, None)
                    self.findings.pop(change.key.name, None)
                case Rejected():
                    self.findings[change.key.name] = change.diagnostics
        task = asyncio.get_running_loop().create_task(self._notify())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def becomes(self, objects: dict[str, int], findings: set[str] | None = None) -> None:
        """Wait until exactly these objects are held, with findings under these names."""
        async with asyncio.timeout(TIMEOUT), self._changed:
            await self._changed.wait_for(lambda: self.objects == objects and set(self.findings) == (findings or set()))


@asynccontextmanager
async def watching(*roots: Path, overlay: tuple[Path, ...] = ()) -> AsyncIterator[Held]:
    """Run a source for the length of a block."""
    held = Held()
    running = asyncio.create_task(DirectorySource(roots, overlay=overlay).run(held))
    try:
        yield held
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_edits_additions_and_removals_are_seen(tmp_path: Path) -> None:
    """Also in folders that appear while watching."""
    (tmp_path / "a.yaml").write_text(service("a") + service("b"))
    async with watching(tmp_path) as held:
        await held.becomes({"a": 80, "b": 80})
        (tmp_path / "a.yaml").write_text(service("a", 81) + service("b"))
        await held.becomes({"a": 81, "b": 80})
        (tmp_path / "new" / "deep").mkdir(parents=True)
        (tmp_path / "new" / "deep" / "c.yml").write_text(service("c"))
        await held.becomes({"a": 81, "b": 80, "c": 80})
        (tmp_path / "a.yaml").write_text(service("b"))
        await held.becomes({"b": 80, "c": 80})
        shutil.rmtree(tmp_path / "new")
        await held.becomes({"b": 80})


async def test_a_broken_file_keeps_its_objects_and_mending_heals(tmp_path: Path) -> None:
    """The finding has file and line."""
    path = tmp_path / "a.yaml"
    path.write_text(service("a"))
    async with watching(tmp_path) as held:
        await held.becomes({"a": 80})
        path.write_text(service("a", 81) + "---\nkind: [\n")
        await held.becomes({"a": 81}, {str(path)})
        (finding,) = held.findings[str(path)]
        assert (finding.source, finding.line) == (str(path), 9)
        path.write_text("kind: [\n")
        await held.becomes({"a": 81}, {str(path)})
        path.write_text(service("a", 82))
        await held.becomes({"a": 82})


async def test_a_rejected_object_keeps_its_last_good_state(tmp_path: Path) -> None:
    """Other objects of the file move on."""
    path = tmp_path / "a.yaml"
    path.write_text(service("a") + service("b"))
    async with watching(tmp_path) as held:
        await held.becomes({"a": 80, "b": 80})
        path.write_text(service("a", "soon") + service("b", 81))
        await held.becomes({"a": 80, "b": 81}, {"a"})
        assert held.findings["a"][0].line == 7
        path.write_text(service("a") + service("b", 81))
        await held.becomes({"a": 80, "b": 81})


async def test_saving_by_rename_or_by_delete_and_create_deletes_nothing(tmp_path: Path) -> None:
    """Editors do both."""
    path = tmp_path / "a.yaml"
    path.write_text(service("a"))
    async with watching(tmp_path) as held:
        await held.becomes({"a": 80})
        (tmp_path / ".a.yaml.swp").write_text(service("a", 81))
        (tmp_path / ".a.yaml.swp").rename(path)
        await held.becomes({"a": 81})
        path.unlink()
        path.write_text(service("a", 82))
        await held.becomes({"a": 82})
        path.rename(tmp_path / "b.yaml")
        (tmp_path / "c.yaml").write_text(service("c"))
        await held.becomes({"a": 82, "c": 80})
        assert not [change for change in held.history if isinstance(change, Delete) and change.key.name == "a"]


async def test_a_truncated_file_never_empties_the_mesh(tmp_path: Path) -> None:
    """A file that became empty keeps its objects, with a finding; deleting it removes them."""
    path = tmp_path / "a.yaml"
    path.write_text(service("a"))
    async with watching(tmp_path) as held:
        await held.becomes({"a": 80})
        path.write_text("")
        await held.becomes({"a": 80}, {str(path)})
        assert held.findings[str(path)][0].code == codes.EMPTIED.code
        path.unlink()
        await held.becomes({})


async def test_the_same_object_in_two_files(tmp_path: Path) -> None:
    """The first by path counts, the other is reported until one of them goes."""
    (tmp_path / "b.yaml").write_text(service("a", 82))
    async with watching(tmp_path) as held:
        await held.becomes({"a": 82})
        (tmp_path / "a.yaml").write_text(service("a", 81))
        await held.becomes({"a": 81}, {str(tmp_path / "b.yaml")})
        (tmp_path / "a.yaml").unlink()
        await held.becomes({"a": 82})


async def test_a_mounted_config_map_is_swapped_by_its_link(tmp_path: Path) -> None:
    """The kubelet replaces ``..data``; the files seem untouched."""
    for number in (1, 2):
        (tmp_path / f"..{number}").mkdir()
        (tmp_path / f"..{number}" / "a.yaml").write_text(service("a", 80 + number))
    (tmp_path / "..data").symlink_to("..1")
    (tmp_path / "a.yaml").symlink_to("..data/a.yaml")
    async with watching(tmp_path) as held:
        await held.becomes({"a": 81})
        (tmp_path / "..tmp").symlink_to("..2")
        (tmp_path / "..tmp").rename(tmp_path / "..data")
        await held.becomes({"a": 82})


async def test_a_folder_that_vanishes_keeps_its_objects(tmp_path: Path) -> None:
    """An unmounted volume must not empty the mesh; when it is back, what it holds counts."""
    root = tmp_path / "config"
    root.mkdir()
    (root / "a.yaml").write_text(service("a"))
    async with watching(root) as held:
        await held.becomes({"a": 80})
        shutil.rmtree(root)
        await held.becomes({"a": 80}, {str(root)})
        root.mkdir()
        (root / "a.yaml").write_text(service("a", 81))
        await held.becomes({"a": 81})
        (root / "a.yaml").write_text(service("a", 82))
        await held.becomes({"a": 82})


async def test_a_single_file_is_watched(tmp_path: Path) -> None:
    """Its neighbours are not read; when it is deleted its objects go."""
    (tmp_path / "a.yaml").write_text(service("a"))
    (tmp_path / "b.yaml").write_text(service("b"))
    async with watching(tmp_path / "a.yaml") as held:
        await held.becomes({"a": 80})
        (tmp_path / "new").write_text(service("a", 81))
        (tmp_path / "new").rename(tmp_path / "a.yaml")
        await held.becomes({"a": 81})
        (tmp_path / "a.yaml").unlink()
        await held.becomes({})


async def test_an_overlay_replaces_objects_in_silence(tmp_path: Path) -> None:
    """What it no longer has falls back to the base."""
    base, over = tmp_path / "base", tmp_path / "over"
    base.mkdir()
    over.mkdir()
    (base / "a.yaml").write_text(service("a") + service("b"))
    (over / "z.yaml").write_text(service("a", 90) + service("c", 90))
    async with watching(base, overlay=(over,)) as held:
        await held.becomes({"a": 90, "b": 80, "c": 90})
        (over / "z.yaml").write_text(service("c", 90))
        await held.becomes({"a": 80, "b": 80, "c": 90})


async def test_findings_of_the_compiler_are_located(tmp_path: Path) -> None:
    """The source knows where the object stands."""
    (tmp_path / "a.yaml").write_text(service("a"))
    source, held = DirectorySource([tmp_path]), Held()
    running = asyncio.create_task(source.run(held))
    try:
        await held.becomes({"a": 80})
        finding = codes.NOT_YAML.error(ObjectKey("Service", "default", "a"), "spec.ports[0].port", "wrong")
        assert source.locate(finding) == finding.at(str(tmp_path / "a.yaml"), 7)
        foreign = codes.NOT_YAML.error(ObjectKey("Service", "default", "b"), "", "wrong")
        assert source.locate(foreign) == foreign
    finally:
        running.cancel()


async def test_a_path_that_never_existed_is_bad_usage(tmp_path: Path) -> None:
    """Nothing can be watched there."""
    source = DirectorySource([tmp_path / "nothing"])
    with pytest.raises(SettingsError):
        await source.run(Held())


class Counting(DirectorySource):
    """A source that counts its looks at all files, and says when it looked at anything."""

    def __init__(self, *roots: Path, overlay: tuple[Path, ...] = (), exclude: tuple[Path, ...] = ()) -> None:
        """Take what a source takes."""
        super().__init__(roots, overlay=overlay, exclude=exclude)
        self.looks = 0
        self._turned = asyncio.Event()

    async def _look_at_all(self, watching: Watcher, named: frozenset[str]) -> None:
        self.looks += 1
        self._turned.set()
        await super()._look_at_all(watching, named)

    async def _look(self, watching: Watcher) -> None:
        await super()._look(watching)
        self._turned.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for something that becomes true when the source looks."""
        async with asyncio.timeout(TIMEOUT):
            while not condition():
                self._turned.clear()
                await self._turned.wait()


async def test_a_file_that_an_event_names_is_looked_at_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With thousands of files a look at all of them takes longer than the rest. That goes for new ones as well, but not for folders."""
    monkeypatch.setattr("meshctl_operator.sources.directory.SWEEP", 60.0)
    folder = tmp_path / "config"
    folder.mkdir()
    for name in ("a", "b"):
        (folder / f"{name}.yaml").write_text(service(name))
    source, held = Counting(folder), Held()
    running = asyncio.create_task(source.run(held))
    await held.becomes({"a": 80, "b": 80})
    (tmp_path / "elsewhere").write_text(service("a", 81))
    (tmp_path / "elsewhere").rename(folder / "a.yaml")
    await held.becomes({"a": 81, "b": 80})
    (folder / "a.yaml.tmp").write_text(service("a", 82))
    (folder / "a.yaml.tmp").rename(folder / "a.yaml")
    await held.becomes({"a": 82, "b": 80})
    (folder / "b.yaml").unlink()
    await held.becomes({"a": 82})
    assert source.looks == 1
    (folder / "c.yaml").write_text(service("c"))
    await held.becomes({"a": 82, "c": 80})
    assert source.looks == 1
    (folder / "deep").mkdir()
    (folder / "deep" / "d.yaml").write_text(service("d"))
    await held.becomes({"a": 82, "c": 80, "d": 80})
    assert source.looks > 1
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_now_and_then_all_files_are_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also while events about one of them go on: those about another one may be lost."""
    monkeypatch.setattr("meshctl_operator.sources.directory.SWEEP_LIMIT", 0.0)
    (tmp_path / "a.yaml").write_text(service("a"))
    source, held = Counting(tmp_path), Held()
    running = asyncio.create_task(source.run(held))
    await held.becomes({"a": 80})
    before = source.looks
    (tmp_path / "a.yaml").write_text(service("a", 81))
    await held.becomes({"a": 81})
    assert source.looks > before
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


@asynccontextmanager
async def counting(*roots: Path, overlay: tuple[Path, ...] = (), exclude: tuple[Path, ...] = ()) -> AsyncIterator[tuple[Held, Counting]]:
    """Run a source that counts, for the length of a block."""
    held, source = Held(), Counting(*roots, overlay=overlay, exclude=exclude)
    running = asyncio.create_task(source.run(held))
    try:
        yield held, source
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@pytest.fixture
def rarely_swept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave all to the events."""
    monkeypatch.setattr("meshctl_operator.sources.directory.SWEEP", 60.0)


@pytest.mark.usefixtures("rarely_swept")
async def test_a_storm_of_events_loses_nothing(tmp_path: Path) -> None:
    """Files that are written, renamed over, moved and removed all at once end up as they are."""
    folder, outside = tmp_path / "config", tmp_path / "outside"
    folder.mkdir()
    outside.mkdir()
    for number in range(100):
        (folder / f"{number}.yaml").write_text(service(f"s{number}"))
    async with counting(folder) as (held, _):
        await held.becomes({f"s{number}": 80 for number in range(100)})
        for port in (81, 82, 83):
            for number in range(100):
                (outside / "new").write_text(service(f"s{number}", port))
                (outside / "new").rename(folder / f"{number}.yaml")
        for number in range(50):
            (folder / f"{number}.yaml").rename(folder / f"moved-{number}.yaml")
        for number in range(50, 75):
            (folder / f"{number}.yaml").unlink()
        await held.becomes({f"s{number}": 83 for number in range(100) if not 50 <= number < 75})
        assert not [change for change in held.history if isinstance(change, Delete) and change.key.name == "s0"]


@pytest.mark.usefixtures("rarely_swept")
async def test_folders_are_moved_in_about_and_out(tmp_path: Path) -> None:
    """What they hold goes with them, and is still watched at the new place."""
    root, outside = tmp_path / "config", tmp_path / "outside"
    (root / "one").mkdir(parents=True)
    (outside / "deep").mkdir(parents=True)
    (outside / "deep" / "a.yaml").write_text(service("a"))
    async with counting(root) as (held, _):
        outside.rename(root / "one" / "in")
        await held.becomes({"a": 80})
        (root / "one").rename(root / "two")
        (root / "two" / "in" / "deep" / "b.yaml").write_text(service("b"))
        await held.becomes({"a": 80, "b": 80})
        (root / "two" / "in" / "deep" / "a.yaml").write_text(service("a", 81))
        await held.becomes({"a": 81, "b": 80})
        (root / "two").rename(tmp_path / "out")
        await held.becomes({})
        (tmp_path / "out" / "in" / "deep" / "a.yaml").write_text(service("a", 82))
        (root / "c.yaml").write_text(service("c"))
        await held.becomes({"c": 80})


@pytest.mark.usefixtures("rarely_swept")
async def test_files_that_appear_while_the_source_starts_are_seen(tmp_path: Path) -> None:
    """A folder is watched before it is read."""
    for number in range(200):
        (tmp_path / f"{number}.yaml").write_text(service(f"s{number}"))
    async with counting(tmp_path) as (held, source):
        await source.until(lambda: source.looks > 0)
        (tmp_path / "late.yaml").write_text(service("late"))
        (tmp_path / "0.yaml").write_text(service("s0", 81))
        await held.becomes({"late": 80, "s0": 81} | {f"s{number}": 80 for number in range(1, 200)})


@pytest.mark.usefixtures("rarely_swept")
async def test_what_links_lead_to_is_watched(tmp_path: Path) -> None:
    """The target of a link may be edited in place, the link be swapped, and a folder be a link."""
    root, outside = tmp_path / "config", tmp_path / "outside"
    root.mkdir()
    (outside / "folder").mkdir(parents=True)
    (outside / "a.txt").write_text(service("a"))
    (outside / "b.txt").write_text(service("a", 90))
    (outside / "folder" / "c.yaml").write_text(service("c"))
    (root / "a.yaml").symlink_to(outside / "a.txt")
    async with counting(root) as (held, _):
        await held.becomes({"a": 80})
        (outside / "a.txt").write_text(service("a", 81))
        await held.becomes({"a": 81})
        (root / ".next").symlink_to(outside / "b.txt")
        (root / ".next").rename(root / "a.yaml")
        await held.becomes({"a": 90})
        (root / "linked").symlink_to(outside / "folder")
        await held.becomes({"a": 90, "c": 80})
        (outside / "folder" / "c.yaml").write_text(service("c", 81))
        await held.becomes({"a": 90, "c": 81})
        (root / "linked").unlink()
        await held.becomes({"a": 90})


@pytest.mark.usefixtures("rarely_swept")
async def test_a_root_that_is_a_link_is_swapped(tmp_path: Path) -> None:
    """A release is switched by one rename."""
    for number in (1, 2):
        (tmp_path / f"release{number}").mkdir()
        (tmp_path / f"release{number}" / "a.yaml").write_text(service("a", 80 + number))
    (tmp_path / "current").symlink_to("release1")
    async with counting(tmp_path / "current") as (held, _):
        await held.becomes({"a": 81})
        (tmp_path / "next").symlink_to("release2")
        (tmp_path / "next").rename(tmp_path / "current")
        await held.becomes({"a": 82})
        (tmp_path / "release2" / "a.yaml").write_text(service("a", 83))
        await held.becomes({"a": 83})


@pytest.mark.usefixtures("rarely_swept")
async def test_new_files_belong_to_the_root_that_has_their_folder(tmp_path: Path) -> None:
    """An overlay inside the base overrides it, what is excluded stays out, and a hard link needs nobody to write it."""
    base, over = tmp_path / "base", tmp_path / "base" / "over"
    over.mkdir(parents=True)
    (base / "a.yaml").write_text(service("a"))
    (tmp_path / "shared").write_text(service("c"))
    async with counting(base, overlay=(over,), exclude=(over, base / "out.yaml")) as (held, source):
        await held.becomes({"a": 80})
        (base / "out.yaml").write_text(service("b"))
        (base / "notes.txt").write_text(service("b"))
        (base / ".hidden.yaml").write_text(service("b"))
        (over / "z.yaml").write_text(service("a", 90))
        await held.becomes({"a": 90})
        (base / "c.yaml").hardlink_to(tmp_path / "shared")
        await held.becomes({"a": 90, "c": 80})
        (over / "z.yaml").unlink()
        await held.becomes({"a": 80, "c": 80})
        assert source.looks == 1


@pytest.mark.usefixtures("rarely_swept")
async def test_a_new_file_is_read_when_it_is_complete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That is when it is closed."""
    monkeypatch.setattr("meshctl_operator.sources.directory.SECOND_LOOK", 60.0)
    async with counting(tmp_path) as (held, source):
        await source.until(lambda: source.looks > 0)
        with (tmp_path / "a.yaml").open("w") as file:
            file.write(service("a") + "---\nkind: [")
            file.flush()
            await source.until(lambda: bool(source._doubts))
            file.truncate(len(service("a")))
        await held.becomes({"a": 80})
        assert not [change for change in held.history if isinstance(change, Rejected)]


@pytest.mark.usefixtures("rarely_swept")
async def test_a_file_that_appears_complete_is_read_a_moment_later(tmp_path: Path) -> None:
    """A nameless file that is given a name is not closed there."""
    async with counting(tmp_path) as (held, source):
        await source.until(lambda: source.looks > 0)
        nameless = os.open(tmp_path, os.O_TMPFILE | os.O_WRONLY)
        os.write(nameless, service("b").encode())
        os.link(f"/proc/self/fd/{nameless}", tmp_path / "b.yaml", src_dir_fd=nameless, follow_symlinks=True)
        await held.becomes({"b": 80})
        os.close(nameless)
        assert source.looks == 1


@pytest.mark.usefixtures("rarely_swept")
async def test_a_new_file_that_goes_at_once_leaves_nothing(tmp_path: Path) -> None:
    """Not even a second look that never ends."""
    async with counting(tmp_path) as (held, source):
        await source.until(lambda: source.looks > 0)
        with (tmp_path / "a.yaml").open("w"):
            await source.until(lambda: bool(source._doubts))
            (tmp_path / "a.yaml").unlink()
        await source.until(lambda: not source._doubts)
        (tmp_path / "b.yaml").write_text(service("b"))
        await held.becomes({"b": 80})


async def test_a_lost_folder_is_not_looked_for_without_pause(tmp_path: Path) -> None:
    """A removal that was in doubt when its folder vanished is in doubt no more."""
    root = tmp_path / "config"
    root.mkdir()
    (root / "a.yaml").write_text(service("a"))
    async with counting(root) as (held, source):
        await held.becomes({"a": 80})
        (root / "a.yaml").unlink()
        await source.until(lambda: bool(source._doubts))
        root.rmdir()
        await held.becomes({"a": 80}, {str(root)})
        assert not source._doubts
        root.mkdir()
        (root / "a.yaml").write_text(service("a", 81))
        await held.becomes({"a": 81})


@pytest.mark.usefixtures("rarely_swept")
async def test_edits_that_say_the_same_are_silent(tmp_path: Path) -> None:
    """Comments and the order of fields are no change; nothing is submitted."""
    path = tmp_path / "a.yaml"
    path.write_text(service("a"))
    async with counting(tmp_path) as (held, _):
        await held.becomes({"a": 80})
        before = len(held.history)
        path.write_text("# a comment\n" + service("a"))
        path.write_text("spec: {ports: [{name: http, port: 80}]}\nmetadata: {name: a}\nkind: Service\napiVersion: v1\n")
        (tmp_path / "b.yaml").write_text(service("b"))
        await held.becomes({"a": 80, "b": 80})
        assert [change.key.name for change in held.history[before:]] == ["b"]


@pytest.mark.parametrize("watching", [PolledWatcher, lambda _: NoWatcher()], ids=["polled", "none"])
async def test_other_watchers_serve_as_well(
    tmp_path: Path, watching: Callable[[Callable[[], None]], Watcher], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the kernel is not Linux, and where it tells nothing: looking now and then is what counts."""
    monkeypatch.setattr("meshctl_operator.sources.directory.SWEEP", 0.02)
    held = Held()
    (tmp_path / "a.yaml").write_text(service("a"))
    running = asyncio.create_task(DirectorySource([tmp_path], watching=watching).run(held))
    await held.becomes({"a": 80})
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "b.yaml").write_text(service("b"))
    await held.becomes({"a": 80, "b": 80})
    (tmp_path / "a.yaml").unlink()
    await held.becomes({"b": 80})
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
