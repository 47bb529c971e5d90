"""Config objects from files and directories that are watched.

Changes are level-triggered: an event of the kernel only says that it is time to look, and what counts is what the files hold. So an
event that is lost, merged or reported under another path (mounted ConfigMaps swap a symbolic link) costs a moment, never an object.

Where events name files, only these are looked at: with thousands of files, a look at all of them would take longer than everything that
an edit of one of them sets off. All are looked at when that may not be enough (a folder or a link changed, events were lost), and every
few seconds, whatever the kernel says.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from meshctl_operator.apis.changes import Change, ChangeSet, Delete
from meshctl_operator.base.clock import SystemClock
from meshctl_operator.base.diagnostics import Diagnostic
from meshctl_operator.controlplane.slices import Slices
from meshctl_operator.controlplane.source import Sink
from meshctl_operator.sources import codes
from meshctl_operator.sources.file_set import FileSet, Rank
from meshctl_operator.sources.files import check_paths, read_text
from meshctl_operator.sources.loading import Loaded, load
from meshctl_operator.sources.walking import Found, Signature, has_objects, is_hidden, signature_of, walk
from meshctl_operator.sources.watching import Notice, Watcher, watcher

SWEEP: Final = 2.0  # seconds until all files are looked at without any event, for what the kernel did not tell
SWEEP_SHARE: Final = 0.002  # of a core at most: where a look takes long, it happens less often
SWEEP_LIMIT: Final = 60.0  # but this often at least
SECOND_LOOK: Final = 0.04  # seconds until a removal is believed: editors delete and create, writers truncate and write

log = logging.getLogger("meshctl.sources")


@dataclass(slots=True)
class _Seen:
    """A file as it was read last."""

    signature: Signature
    digest: bytes


@dataclass(frozen=True, slots=True)
class _Doubt:
    """A state that is not believed yet: what the file held at the first look (None: it was gone, or not written yet), and when to look again."""

    digest: bytes | None
    due: float


class DirectorySource:
    """Files and directories, in order of precedence.

    Args:
        paths: files or directories (recursive). Where two files have the same object, the first by path wins and the other is reported.
        overlay: files or directories whose objects replace those of ``paths`` in silence.
        exclude: files or directories inside ``paths`` that are left alone.
        name: the name of the source; the paths by default.
        default_namespace: the namespace of objects that name none.
        watching: gives what watches the folders; the best that the system has by default.
    """

    def __init__(
        self,
        paths: Iterable[str | Path],
        *,
        overlay: Iterable[str | Path] = (),
        exclude: Iterable[str | Path] = (),
        name: str | None = None,
        default_namespace: str = "default",
        watching: Callable[[Callable[[], None]], Watcher] = watcher,
    ) -> None:
        base = [Path(path) for path in paths]
        upper = [Path(path) for path in overlay]
        self._roots = [*upper, *base]
        self._excluded = frozenset(map(Path, exclude))
        self._layers = [0] * len(upper) + [1] * len(base)
        self._name = name or ",".join(map(str, base))
        self._default_namespace = default_namespace
        self._root_of: dict[str, int] = {}
        self._root_of_folder: dict[str, int] = {}
        self._watching = watching
        self._linked = False  # whether some path leads through a link: what an event means is then hard to say
        self._seen: dict[str, _Seen] = {}
        self._doubts: dict[str, _Doubt] = {}
        self._files = FileSet(self._rank, lambda file: self._layers[self._root_of[file]])
        self._folders: set[Path] = set()
        self._single: set[str] = set()
        self._lost: set[Path] = set()
        self._sweep_at = 0.0
        self._clock = SystemClock()
        self._slices = Slices(self._clock)

    @property
    def name(self) -> str:
        """The name given, or the paths."""
        return self._name

    def locate(self, diagnostic: Diagnostic) -> Diagnostic:
        """Return the finding with the file and line where its path stands, if its object comes from here."""
        document = self._files.document(diagnostic.subject)
        return document.locate(diagnostic) if document is not None else diagnostic

    async def run(self, sink: Sink) -> None:
        """Submit what the files hold, then what changes, until cancelled. Raises SettingsError if a path does not exist at the start."""
        check_paths(map(str, self._roots))
        self._folders = {root for root in self._roots if root.is_dir()}
        self._single = {str(root) for root in self._roots if root not in self._folders}
        wake = asyncio.Event()
        async with self._watching(wake.set) as watching:
            await self._look_at_all(watching, frozenset())
            removals = [change for change in await self._take_changes() if isinstance(change, Delete)]
            sink.submit(ChangeSet((*removals, *self._files.told()), self._name, synced=True))
            while True:
                await _wait(wake, min([self._sweep_at, *(doubt.due for doubt in self._doubts.values())]))
                wake.clear()
                await self._look(watching)
                changes = await self._take_changes()
                if changes:
                    sink.submit(ChangeSet(changes, self._name, synced=True))

    async def _take_changes(self) -> tuple[Change, ...]:
        """Return what the looks have found, in slices."""
        self._slices.begin()
        changes: list[Change] = []
        for change in self._files.telling():
            changes.append(change)
            await self._slices.breathe()
        return tuple(changes)

    async def _look(self, watching: Watcher) -> None:
        """Look at the files that events name, or at all where that is not enough or too long ago."""
        notice = watching.take()
        now = self._clock.monotonic()
        due = frozenset(name for name, doubt in self._doubts.items() if doubt.due <= now)
        if notice.unclear or now >= self._sweep_at or not await self._look_at(notice, due):
            await self._look_at_all(watching, notice.paths)

    async def _look_at(self, notice: Notice, due: frozenset[str]) -> bool:
        """Look at the files of a notice and those due for a second look. Returns whether that is enough."""
        named = notice.paths | notice.created
        if (named and self._linked) or not all(root.is_dir() for root in self._folders):
            return False
        self._slices.begin()
        for path in sorted(named | due):
            if path not in self._root_of and is_hidden(path.rpartition("/")[2]):
                continue  # what an editor or a writer keeps beside a file
            status = _status(path)
            now = self._clock.monotonic()
            if status is not None and (stat.S_ISLNK(status.st_mode) or stat.S_ISDIR(status.st_mode)):
                return False
            if status is None or not stat.S_ISREG(status.st_mode):
                if path in self._seen or path in self._doubts:
                    self._gone(path, now)
            elif path not in self._root_of and not self._adopted(path):
                self._doubts.pop(path, None)
            elif path in notice.created and path not in self._seen and status.st_nlink == 1:
                self._doubts[path] = _Doubt(None, now + SECOND_LOOK)  # still being written: mostly it is named again when it is closed
            else:
                self._read(path, signature_of(status), now, named=path in named)
            await self._slices.breathe()
        return True

    def _adopted(self, path: str) -> bool:
        """Take up a file that is new, if it counts."""
        number = self._root_of_folder.get(str(Path(path).parent))
        if number is None or not has_objects(path) or Path(path) in self._excluded_from(number):
            return False
        self._root_of[path] = number
        return True

    async def _look_at_all(self, watching: Watcher, named: frozenset[str]) -> None:
        """Compare all files with what was read, and take over what differs."""
        begin = self._clock.monotonic()
        rested = 0.0
        self._slices.begin()
        present: dict[str, tuple[int, Signature]] = {}
        folders: dict[str, int] = {}
        kept: set[str] = set()
        linked = False
        for number in range(len(self._roots)):
            for found in self._walk(number, watching, folders, kept):
                linked |= found.linked
                present.setdefault(found.path, (number, found.signature))
                if self._slices.spent:
                    paused = self._clock.monotonic()
                    await self._slices.breathe()
                    rested += self._clock.monotonic() - paused
        watching.settle()
        worked = self._clock.monotonic() - begin - rested
        self._linked, self._root_of_folder = linked, folders
        self._root_of.update((name, number) for name, (number, _) in present.items())
        now = self._clock.monotonic()
        for name, (_, signature) in present.items():
            self._read(name, signature, now, named=name in named)
            await self._slices.breathe()
        for name in {*self._files.names(), *self._doubts}:
            if name not in present and name not in kept:
                self._gone(name, now)
        period = min(max(worked / SWEEP_SHARE, SWEEP), SWEEP if watching.blind else SWEEP_LIMIT)
        self._sweep_at = self._clock.monotonic() + period

    def _walk(self, number: int, watching: Watcher, folders: dict[str, int], kept: set[str]) -> Iterator[Found]:
        """Yield the files of a root, and watch its folders; what a lost one held is added to those kept."""
        root = self._roots[number]
        if root not in self._folders or root.is_symlink() or not root.is_dir():
            watching.enter(str(root.parent), root.name)
        if root in self._folders and not root.is_dir():
            kept |= self._keep(root, number)
            return
        if not root.exists():
            return
        self._found_again(root)

        def enter(folder: str) -> None:
            folders.setdefault(folder, number)
            watching.enter(folder)

        for found in walk(root, self._excluded_from(number), enter) if root.is_dir() else _itself(root):
            if found.linked:
                target = Path(found.path).resolve()
                watching.enter(str(target.parent), target.name)
            yield found

    def _excluded_from(self, number: int) -> frozenset[Path]:
        """Return what is left out of a root: nothing of the overlay."""
        return self._excluded if self._layers[number] else frozenset()

    def _read(self, name: str, signature: Signature, now: float, *, named: bool) -> None:
        """Read one file if it looks different, was named by an event, or is due for a second look."""
        seen, doubt = self._seen.get(name), self._doubts.get(name)
        due = doubt is not None and doubt.due <= now
        if seen is not None and seen.signature == signature and not named and not due:
            return
        text = read_text(Path(name))
        digest = b"" if isinstance(text, Diagnostic) else hashlib.sha256(text.encode()).digest()
        if seen is not None and digest and seen.digest == digest and not due:
            seen.signature = signature
            return
        self._seen[name] = _Seen(signature, digest)
        confirmed = due and doubt is not None and doubt.digest == digest
        if self._files.put(load(text, name, self._default_namespace), confirmed=confirmed):
            self._doubts[name] = _Doubt(digest, now + SECOND_LOOK)
        else:
            self._doubts.pop(name, None)

    def _gone(self, name: str, now: float) -> None:
        """Believe that a file is gone when it is so at the second look."""
        self._seen.pop(name, None)
        doubt = self._doubts.get(name)
        if doubt is None or doubt.digest is not None:
            self._files.leave(name)
            self._doubts[name] = _Doubt(None, now + SECOND_LOOK)
        elif doubt.due <= now:
            self._files.remove(name)
            del self._doubts[name]
            if name not in self._single:
                self._root_of.pop(name, None)

    def _keep(self, root: Path, number: int) -> set[str]:
        """Return the files of a folder that vanished: they stay in service, since an unmounted volume must not empty the mesh."""
        if root not in self._lost:
            self._lost.add(root)
            self._root_of[str(root)] = number
            message = "does not exist any more; what it held stays in service"
            finding = codes.UNREADABLE.error(codes.file_key(str(root)), "", message, hint="restore it, or restart without it")
            log.warning("lost", extra={"path": str(root)})
            self._files.put(Loaded(str(root), findings=(finding.at(str(root), None),), broken=True))
        kept = {name for name in self._files.names() if self._root_of.get(name) == number}
        for name in kept:  # whatever was doubted: it stays, and is read again when the folder is back
            self._seen.pop(name, None)
            if self._doubts.pop(name, None) is not None:
                self._files.stay(name)
        return kept

    def _found_again(self, root: Path) -> None:
        if root in self._lost:
            self._lost.discard(root)
            self._files.remove(str(root))

    def _rank(self, name: str) -> Rank:
        return (self._root_of[name], *Path(name).parts)


async def _wait(wake: asyncio.Event, until: float | None) -> None:
    """Return when woken, or at a time of the loop."""
    try:
        async with asyncio.timeout_at(until):
            await wake.wait()
    except TimeoutError:
        pass


def _status(path: str) -> os.stat_result | None:
    """Return what stands at a path now, links not followed; None if nothing does."""
    try:
        return os.lstat(path)
    except OSError:
        return None


def _itself(file: Path) -> Iterator[Found]:
    """Yield a single file, whatever it is called."""
    try:
        yield Found(str(file), signature_of(file.stat()), linked=file.is_symlink())
    except OSError:  # gone again
        return
