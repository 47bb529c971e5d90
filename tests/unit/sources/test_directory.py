"""A watched directory: edits, removals, renames and half-written files."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from meshctl_operator.apis.changes import Change, ChangeSet, Delete, Rejected, Upsert
from meshctl_operator.base.diagnostics import Diagnostic
from meshctl_operator.base.errors import SettingsError
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.sources import codes
from meshctl_operator.sources.directory import DirectorySource

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
