"""Config objects from files and directories that are watched.

Changes are level-triggered: an event of the kernel only says that it is time to look, and what counts is what the files hold. So an
event that is lost, merged or reported under another path (mounted ConfigMaps swap a symbolic link) costs a moment, never an object.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from meshctl_operator.apis.changes import ChangeSet
from meshctl_operator.base.diagnostics import Diagnostic
from meshctl_operator.controlplane.source import Sink
from meshctl_operator.sources import codes
from meshctl_operator.sources.file_set import FileSet, Rank
from meshctl_operator.sources.files import check_paths, list_files, read_text
from meshctl_operator.sources.loading import Loaded, load

STEP_MS: Final = 10  # how often the watcher looks for events; an edit is seen after one to two steps
DEBOUNCE_MS: Final = 100  # longest that a stream of events is gathered before a look
SWEEP_MS: Final = 2_000  # a look without any event, for what the kernel did not tell
SECOND_LOOK: Final = 0.04  # seconds until a removal is believed: editors delete and create, writers truncate and write
FILES_A_SLICE: Final = 20  # files read before the loop may do something else

log = logging.getLogger("meshctl.sources")

_Signature = tuple[int, int, int]


@dataclass(slots=True)
class _Seen:
    """A file as it was read last."""

    signature: _Signature | None
    digest: bytes


@dataclass(frozen=True, slots=True)
class _Doubt:
    """A removal that is not believed yet: what the file held at the first look (None: it was gone), and when to look again."""

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
    """

    def __init__(
        self,
        paths: Iterable[str | Path],
        *,
        overlay: Iterable[str | Path] = (),
        exclude: Iterable[str | Path] = (),
        name: str | None = None,
        default_namespace: str = "default",
    ) -> None:
        base = [Path(path) for path in paths]
        upper = [Path(path) for path in overlay]
        self._roots = [*upper, *base]
        self._excluded = frozenset(map(Path, exclude))
        self._layers = [0] * len(upper) + [1] * len(base)
        self._name = name or ",".join(map(str, base))
        self._default_namespace = default_namespace
        self._root_of: dict[str, int] = {}
        self._seen: dict[str, _Seen] = {}
        self._doubts: dict[str, _Doubt] = {}
        self._files = FileSet(self._rank, lambda file: self._layers[self._root_of[file]])
        self._folders: set[Path] = set()
        self._lost: set[Path] = set()

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
        wake = asyncio.Event()
        named: set[str] = set()
        async with asyncio.TaskGroup() as tasks:
            for root in self._roots:
                tasks.create_task(self._watch(root, named, wake))
            await self._look(frozenset())
            sink.submit(ChangeSet(self._files.retell(), self._name, synced=True))
            while True:
                await _wait(wake, min((doubt.due for doubt in self._doubts.values()), default=None))
                wake.clear()
                again = frozenset(named)
                named.clear()
                await self._look(again)
                changes = self._files.take_changes()
                if changes:
                    sink.submit(ChangeSet(changes, self._name, synced=True))

    async def _watch(self, root: Path, named: set[str], wake: asyncio.Event) -> None:
        """Wake the reader for every event below the root, and every now and then without one."""
        import watchfiles

        while True:
            target = folder, _ = _target(root)
            try:
                events = watchfiles.awatch(
                    folder,
                    watch_filter=None,
                    debounce=DEBOUNCE_MS,
                    step=STEP_MS,
                    rust_timeout=SWEEP_MS,
                    yield_on_timeout=True,
                    recursive=folder == root,
                )
                async for changes in events:
                    named.update(path for _, path in changes)
                    wake.set()
                    if _target(root) != target:  # the folder itself was replaced, or is there now: the kernel watches another one
                        break
            except OSError as error:  # no such folder, or out of inotify watches: the sweep still works
                log.info("watch failed", extra={"path": str(folder), "error": str(error)})
                await asyncio.sleep(SWEEP_MS / 1000)
                wake.set()

    async def _look(self, named: frozenset[str]) -> None:
        """Compare the files with what was read, and take over what differs."""
        now = asyncio.get_running_loop().time()
        present: dict[str, Path] = {}
        kept: set[str] = set()
        for number, root in enumerate(self._roots):
            if root in self._folders and not root.is_dir():
                kept |= self._keep(root, number)
            elif root.exists():
                self._found_again(root)
                for file in list_files(root, self._excluded if number >= self._layers.count(0) else frozenset()):
                    if str(file) not in present:
                        present[str(file)] = file
                        self._root_of[str(file)] = number
        for count, (name, path) in enumerate(present.items()):
            self._read(name, path, now, named=str(path.absolute()) in named)
            if count % FILES_A_SLICE == FILES_A_SLICE - 1:
                await asyncio.sleep(0)
        for name in self._files.names():
            if name not in present and name not in kept:
                self._gone(name, now)

    def _read(self, name: str, path: Path, now: float, *, named: bool) -> None:
        """Read one file if it looks different, was named by an event, or is due for a second look."""
        seen, doubt, signature = self._seen.get(name), self._doubts.get(name), _signature(path)
        due = doubt is not None and doubt.due <= now
        if seen is not None and signature is not None and seen.signature == signature and not named and not due:
            return
        text = read_text(path)
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

    def _keep(self, root: Path, number: int) -> set[str]:
        """Return the files of a folder that vanished: they stay in service, since an unmounted volume must not empty the mesh."""
        if root not in self._lost:
            self._lost.add(root)
            self._root_of[str(root)] = number
            message = "does not exist any more; what it held stays in service"
            finding = codes.UNREADABLE.error(codes.file_key(str(root)), "", message, hint="restore it, or restart without it")
            log.warning("lost", extra={"path": str(root)})
            self._files.put(Loaded(str(root), findings=(finding.at(str(root), None),), broken=True))
        return {name for name in self._files.names() if self._root_of.get(name) == number}

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


def _signature(path: Path) -> _Signature | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size, stat.st_ino


def _target(root: Path) -> tuple[Path, tuple[int, int] | None]:
    """Return the folder to watch for a root, with its identity: the root, or its parent if it is a file or not there."""
    folder = root if root.is_dir() else root.parent
    try:
        stat = folder.stat()
    except OSError:
        return folder, None
    return folder, (stat.st_dev, stat.st_ino)
