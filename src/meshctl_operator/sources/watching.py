"""Which paths changed, as far as the system tells: a hint where to look, never the truth.

On Linux the events of the kernel are read on the event loop: a rename into place is known at once, and waiting costs nothing.
Elsewhere ``watchfiles`` polls a thread of its own for events, every 10 ms.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Protocol, Self

from meshctl_operator.sources import inotify
from meshctl_operator.sources.inotify import Inotify, KernelEvent

STEP_MS: Final = 10  # how often watchfiles looks for events
DEBOUNCE_MS: Final = 100  # longest that it gathers a stream of events
EVENTS_HELD: Final = 50_000  # more than these, and a look at everything is the shorter way
RETRY: Final = 2.0  # seconds until watchfiles is asked again for a folder that it cannot watch

_OF_ENTRIES: Final = inotify.ATTRIB | inotify.CLOSE_WRITE | inotify.MOVED_FROM | inotify.MOVED_TO | inotify.CREATE | inotify.DELETE
_OF_FOLDER: Final = inotify.DELETE_SELF | inotify.MOVE_SELF | inotify.UNMOUNT
_MASK: Final = _OF_ENTRIES | _OF_FOLDER

log = logging.getLogger("meshctl.sources")


@dataclass(frozen=True, slots=True)
class Notice:
    """What happened since the last one.

    Attributes:
        paths: entries of watched folders that changed, came or went; a visible folder is not among them.
        created: files that were created and are still being written, unless they are links.
        unclear: something happened that has no path of its own: a folder came or went, or events were lost.
    """

    paths: frozenset[str] = frozenset()
    created: frozenset[str] = frozenset()
    unclear: bool = False


NOTHING: Final = Notice()


class Watcher(Protocol):
    """Watches folders for the length of an ``async with`` block."""

    @property
    def blind(self) -> bool:
        """Whether some folder cannot be watched, so that only looking helps."""
        ...

    async def __aenter__(self) -> Self:
        """Start."""
        ...

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Stop."""
        ...

    def enter(self, folder: str, only: str | None = None) -> None:
        """Watch a folder, not those in it. Call it before looking into the folder; with ``only``, other entries do not count."""
        ...

    def settle(self) -> None:
        """End the watch of folders that were not entered since the last call: a complete look is over."""
        ...

    def take(self) -> Notice:
        """Return what happened since the last call."""
        ...


def joined(folder: str, name: str) -> str:
    """Return the path of an entry, spelled as ``pathlib`` does."""
    return name if folder == "." else folder + name if folder.endswith("/") else f"{folder}/{name}"


class KernelWatcher:
    """Reads the events of Linux. ``wake`` is called on the event loop when there are some. Raises OSError where there are none to be had."""

    def __init__(self, wake: Callable[[], None]) -> None:
        """Open a queue of events."""
        self._wake = wake
        self._inotify = Inotify()
        self._names: dict[int, dict[str, frozenset[str] | None]] = {}
        self._entered: dict[int, dict[str, frozenset[str] | None]] = {}
        self._events: list[KernelEvent] = []
        self._refused: set[str] = set()
        self._blind_now = False
        self.blind = False

    async def __aenter__(self) -> Self:
        """Wake from now on."""
        asyncio.get_running_loop().add_reader(self._inotify.fileno(), self._arrived)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close the queue."""
        asyncio.get_running_loop().remove_reader(self._inotify.fileno())
        self._inotify.close()

    def enter(self, folder: str, only: str | None = None) -> None:
        """Watch a folder; see ``Watcher``."""
        try:
            watch = self._inotify.watch(folder, _MASK)
        except OSError as error:  # gone again, or out of watches (fs.inotify.max_user_watches)
            self._blind_now = self.blind = True
            if folder not in self._refused:
                self._refused.add(folder)
                log.info("watch failed", extra={"path": folder, "error": str(error)})
            return
        self._refused.discard(folder)
        for names in (self._names.setdefault(watch, {}), self._entered.setdefault(watch, {})):
            known = names.get(folder, frozenset())
            names[folder] = None if only is None or known is None else known | {only}

    def settle(self) -> None:
        """Forget what was not entered again; see ``Watcher``."""
        for watch in self._names.keys() - self._entered.keys():
            self._inotify.unwatch(watch)
        self._names, self._entered = self._entered, {}
        self.blind, self._blind_now = self._blind_now, False

    def _arrived(self) -> None:
        """Empty the queue: as long as it holds something the loop would call again and again."""
        self._events += self._inotify.read()
        if len(self._events) > EVENTS_HELD:
            self._events = [KernelEvent(-1, inotify.OVERFLOW, "")]
        self._wake()

    def take(self) -> Notice:
        """Return what the queue holds; see ``Watcher``."""
        paths: set[str] = set()
        created: set[str] = set()
        unclear = False
        events, self._events = self._events, []
        for event in (*events, *self._inotify.read()):
            if event.mask & inotify.OVERFLOW:
                unclear = True
                continue
            folders = self._names.get(event.watch)
            if folders is None:  # of a folder that is watched no more
                continue
            if event.mask & (_OF_FOLDER | inotify.IGNORED):
                unclear = True
                continue
            for folder, only in folders.items():
                if only is not None and event.name not in only:
                    continue
                if event.mask & inotify.IS_DIRECTORY and not event.name.startswith("."):
                    unclear = True
                    continue
                (created if event.mask & inotify.CREATE else paths).add(joined(folder, event.name))
        return Notice(frozenset(paths), frozenset(created - paths), unclear)


class PolledWatcher:
    """Asks ``watchfiles``. Every event is unclear, beside the path that it names."""

    def __init__(self, wake: Callable[[], None]) -> None:
        """Take what to call when something happened."""
        self._wake = wake
        self._paths: set[str] = set()
        self._happened = False
        self._entered: set[str] = set()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._refused: set[str] = set()
        self._stack = AsyncExitStack()

    @property
    def blind(self) -> bool:
        """Whether some folder cannot be watched."""
        return bool(self._refused)

    async def __aenter__(self) -> Self:
        """Start with no folder."""
        self._group = await self._stack.enter_async_context(asyncio.TaskGroup())
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """End all watches."""
        for task in self._tasks.values():
            task.cancel()
        await self._stack.__aexit__(kind, error, trace)

    def enter(self, folder: str, only: str | None = None) -> None:  # noqa: ARG002  (an event of a neighbour costs a look, no more)
        """Watch a folder; see ``Watcher``."""
        self._entered.add(folder)
        if folder not in self._tasks:
            self._tasks[folder] = self._group.create_task(self._watch(folder))

    def settle(self) -> None:
        """Forget what was not entered again; see ``Watcher``."""
        for folder in self._tasks.keys() - self._entered:
            self._tasks.pop(folder).cancel()
            self._refused.discard(folder)
        self._entered.clear()

    def take(self) -> Notice:
        """Return what was seen; see ``Watcher``."""
        notice = Notice(frozenset(self._paths), frozenset(), self._happened)
        self._paths.clear()
        self._happened = False
        return notice

    async def _watch(self, folder: str) -> None:
        import watchfiles

        while True:
            try:
                async for changes in watchfiles.awatch(folder, watch_filter=None, debounce=DEBOUNCE_MS, step=STEP_MS, recursive=False):
                    self._refused.discard(folder)
                    self._paths.update(path for _, path in changes)
                    self._happened = True
                    self._wake()
            except OSError as error:  # no such folder, or out of watches
                if folder not in self._refused:
                    self._refused.add(folder)
                    log.info("watch failed", extra={"path": folder, "error": str(error)})
            await asyncio.sleep(RETRY)


class NoWatcher:
    """Watches nothing, where the system gives no events."""

    blind = True

    async def __aenter__(self) -> Self:
        """Do nothing."""
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Do nothing."""

    def enter(self, folder: str, only: str | None = None) -> None:
        """Do nothing."""

    def settle(self) -> None:
        """Do nothing."""

    def take(self) -> Notice:
        """Return that nothing is known."""
        return NOTHING


def watcher(wake: Callable[[], None]) -> Watcher:
    """Return the best watcher that this system has."""
    if sys.platform != "linux":
        return PolledWatcher(wake)
    try:
        return KernelWatcher(wake)
    except OSError as error:  # too many queues (fs.inotify.max_user_instances): watchfiles would get none either
        log.warning("no change events", extra={"error": str(error)})
        return NoWatcher()
