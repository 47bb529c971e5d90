"""The events of the kernel, as they come."""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from meshctl_operator.sources import inotify
from meshctl_operator.sources.inotify import Inotify, KernelEvent

MASK = inotify.CREATE | inotify.CLOSE_WRITE | inotify.MOVED_TO | inotify.MOVED_FROM | inotify.DELETE


@pytest.fixture
def queue() -> Iterator[Inotify]:
    """Return a queue, and close it."""
    opened = Inotify()
    yield opened
    opened.close()


def test_events_name_the_watch_and_the_entry(queue: Inotify, tmp_path: Path) -> None:
    """In the order in which they happened, with any name."""
    watch = queue.watch(str(tmp_path), MASK)
    (tmp_path / "ä b").write_text("x")
    (tmp_path / "ä b").rename(tmp_path / "c")
    (tmp_path / "folder").mkdir()
    assert list(queue.read()) == [
        KernelEvent(watch, inotify.CREATE, "ä b"),
        KernelEvent(watch, inotify.CLOSE_WRITE, "ä b"),
        KernelEvent(watch, inotify.MOVED_FROM, "ä b"),
        KernelEvent(watch, inotify.MOVED_TO, "c"),
        KernelEvent(watch, inotify.CREATE | inotify.IS_DIRECTORY, "folder"),
    ]
    assert list(queue.read()) == []


def test_more_events_than_fit_into_one_read(queue: Inotify, tmp_path: Path) -> None:
    """All of them are there."""
    queue.watch(str(tmp_path), inotify.CREATE)
    names = [f"{number:0200}" for number in range(1000)]
    for name in names:
        (tmp_path / name).touch()
    assert [event.name for event in queue.read()] == names


def test_one_folder_has_one_watch(queue: Inotify, tmp_path: Path) -> None:
    """Whatever path leads to it; when it is ended, nothing comes any more."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder")
    watch = queue.watch(str(tmp_path / "folder"), MASK)
    assert queue.watch(str(tmp_path / "link"), MASK) == watch
    queue.unwatch(watch)
    queue.unwatch(watch)
    (tmp_path / "folder" / "a").touch()
    assert [event.mask for event in queue.read()] == [inotify.IGNORED]


def test_the_descriptor_is_not_inherited(queue: Inotify) -> None:
    """Processes that are started have no use for it."""
    assert not os.get_inheritable(queue.fileno())


def test_only_folders_can_be_watched(queue: Inotify, tmp_path: Path) -> None:
    """What is missing or a file is an OSError with its reason."""
    (tmp_path / "file").touch()
    with pytest.raises(FileNotFoundError):
        queue.watch(str(tmp_path / "missing"), MASK)
    with pytest.raises(NotADirectoryError):
        queue.watch(str(tmp_path / "file"), MASK)


def test_a_system_without_events_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who calls finds another way."""
    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: SimpleNamespace())
    with pytest.raises(OSError, match="no inotify") as caught:
        Inotify()
    assert caught.value.errno == errno.ENOSYS
