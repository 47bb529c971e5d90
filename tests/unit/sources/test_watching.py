"""Watched folders say which paths changed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from meshctl_operator.sources import inotify, watching
from meshctl_operator.sources.inotify import Inotify, KernelEvent
from meshctl_operator.sources.watching import NOTHING, KernelWatcher, Notice, NoWatcher, PolledWatcher, Watcher, joined, watcher

TIMEOUT = 10.0


async def test_a_rename_into_place_is_named(tmp_path: Path) -> None:
    """The watcher wakes who waits."""
    wake = asyncio.Event()
    (tmp_path / "folder").mkdir()
    async with KernelWatcher(wake.set) as watched, asyncio.timeout(TIMEOUT):
        watched.enter(str(tmp_path / "folder"))
        (tmp_path / "new").touch()
        assert watched.take() == NOTHING
        (tmp_path / "new").rename(tmp_path / "folder" / "a.yaml")
        await wake.wait()
        assert watched.take() == Notice(frozenset({str(tmp_path / "folder" / "a.yaml")}))
        assert watched.take() == NOTHING


async def test_a_file_that_is_being_written_is_told_apart(tmp_path: Path) -> None:
    """It is created at first, and changed when it is closed."""
    path = tmp_path / "a.yaml"
    async with KernelWatcher(lambda: None) as watched:
        watched.enter(str(tmp_path))
        with path.open("w") as file:
            assert watched.take() == Notice(created=frozenset({str(path)}))
            file.write("half")
            file.flush()
            assert watched.take() == NOTHING
        assert watched.take() == Notice(frozenset({str(path)}))


async def test_folders_have_no_path_of_their_own(tmp_path: Path) -> None:
    """One that comes, goes or is moved is unclear; a hidden one is an entry like others."""
    (tmp_path / "deep").mkdir()
    async with KernelWatcher(lambda: None) as watched:
        watched.enter(str(tmp_path))
        (tmp_path / ".git").mkdir()
        assert watched.take() == Notice(created=frozenset({str(tmp_path / ".git")}))
        (tmp_path / "deep").rename(tmp_path / "deeper")
        assert watched.take() == Notice(unclear=True)
        watched.enter(str(tmp_path / "deeper"))
        (tmp_path / "deeper").rmdir()
        assert watched.take() == Notice(unclear=True)


async def test_every_path_of_a_folder_is_told(tmp_path: Path) -> None:
    """A folder may be reached through a link as well."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder")
    async with KernelWatcher(lambda: None) as watched:
        for name in ("folder", "link"):
            watched.enter(str(tmp_path / name))
        (tmp_path / "folder" / "a").write_text("x")
        assert watched.take().paths == {str(tmp_path / "folder" / "a"), str(tmp_path / "link" / "a")}


async def test_neighbours_do_not_count(tmp_path: Path) -> None:
    """A single file is watched through its folder, unless all of the folder is watched."""
    async with KernelWatcher(lambda: None) as watched:
        watched.enter(str(tmp_path), "a")
        watched.enter(str(tmp_path), "b")
        for name in ("a", "b", "c"):
            (tmp_path / name).write_text("x")
        assert watched.take().paths == {str(tmp_path / "a"), str(tmp_path / "b")}
        watched.enter(str(tmp_path))
        watched.enter(str(tmp_path), "a")
        (tmp_path / "c").write_text("x")
        assert watched.take().paths == {str(tmp_path / "c")}


async def test_folders_that_were_not_entered_again_are_forgotten(tmp_path: Path) -> None:
    """A complete look enters all that count."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    async with KernelWatcher(lambda: None) as watched:
        watched.enter(str(tmp_path / "a"))
        watched.settle()
        watched.enter(str(tmp_path / "b"))
        watched.settle()
        for name in ("a", "b"):
            (tmp_path / name / "file").write_text("x")
        assert watched.take() == Notice(frozenset({str(tmp_path / "b" / "file")}))


async def test_a_folder_that_cannot_be_watched_makes_blind(tmp_path: Path) -> None:
    """Until a complete look has none of them."""
    async with KernelWatcher(lambda: None) as watched:
        watched.enter(str(tmp_path / "missing"))
        watched.enter(str(tmp_path / "missing"))
        watched.settle()
        assert watched.blind
        watched.enter(str(tmp_path))
        watched.settle()
        assert not watched.blind


async def test_lost_events_are_unclear(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel says that its queue was full; what it says about folders that are watched no more is nothing."""
    async with KernelWatcher(lambda: None) as watched:
        watched.enter(str(tmp_path))
        monkeypatch.setattr(Inotify, "read", lambda _: iter([KernelEvent(-1, inotify.OVERFLOW, "")]))
        assert watched.take() == Notice(unclear=True)
        monkeypatch.setattr(Inotify, "read", lambda _: iter([KernelEvent(99, inotify.IGNORED, "")]))
        assert watched.take() == NOTHING


async def test_too_many_events_are_unclear(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """None of them is held beyond a bound."""
    monkeypatch.setattr(watching, "EVENTS_HELD", 10)
    wake = asyncio.Event()
    async with KernelWatcher(wake.set) as watched, asyncio.timeout(TIMEOUT):
        watched.enter(str(tmp_path))
        for number in range(11):
            (tmp_path / str(number)).touch()
        await wake.wait()
        assert watched.take() == Notice(unclear=True)


async def test_watchfiles_tells_as_well(tmp_path: Path) -> None:
    """Every event is unclear; a folder that is not there makes blind, and is tried again."""
    wake = asyncio.Event()
    (tmp_path / "folder").mkdir()
    async with asyncio.timeout(TIMEOUT), PolledWatcher(wake.set) as watched:
        watched.enter(str(tmp_path / "folder"))
        watched.enter(str(tmp_path / "folder"))
        for number in range(1000):  # its thread needs a moment to start, and nothing says when it has
            (tmp_path / "folder" / "a").write_text(str(number))
            try:
                await asyncio.wait_for(wake.wait(), 0.05)
                break
            except TimeoutError:
                continue
        notice = watched.take()
        assert notice.unclear
        assert notice.paths == {str(tmp_path / "folder" / "a")}
        watched.settle()
        watched.settle()
        assert watched.take() == NOTHING
        assert not watched.blind


async def test_watchfiles_tries_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder may come later."""
    monkeypatch.setattr(watching, "RETRY", 0.0)
    wake = asyncio.Event()
    async with asyncio.timeout(TIMEOUT), PolledWatcher(wake.set) as watched:
        watched.enter(str(tmp_path / "late"))
        while not watched.blind:  # noqa: ASYNC110  (nothing is told about what cannot be watched)
            await asyncio.sleep(0)
        (tmp_path / "late").mkdir()
        number = 0
        while not wake.is_set():
            number += 1
            (tmp_path / "late" / "a").write_text(str(number))
            await asyncio.sleep(0.01)
        assert not watched.blind


async def test_nothing_is_an_answer_too(tmp_path: Path) -> None:
    """Who watches nothing is blind and looks more often."""
    async with NoWatcher() as watched:
        watched.enter(str(tmp_path))
        watched.settle()
        (tmp_path / "a").touch()
        assert watched.blind
        assert watched.take() == NOTHING


def test_the_best_watcher_of_the_system_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel on Linux, nothing where it refuses, watchfiles elsewhere."""

    def refuse(_: Callable[[], None]) -> Watcher:
        raise OSError(24, "too many open files")

    monkeypatch.setattr(watching, "KernelWatcher", refuse)
    assert isinstance(watcher(lambda: None), NoWatcher)
    monkeypatch.setattr("sys.platform", "darwin")
    assert isinstance(watcher(lambda: None), PolledWatcher)


@pytest.mark.parametrize(("folder", "path"), [(".", "a"), ("/", "/a"), ("b/c", "b/c/a"), ("..", "../a")])
def test_paths_are_spelled_as_pathlib_does(folder: str, path: str) -> None:
    """So that they compare equal."""
    assert joined(folder, "a") == path == str(Path(folder) / "a")
