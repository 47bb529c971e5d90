"""Processes of the local mesh: started, their output written down, started again when they die, and ended by their own id.

On Linux the kernel ends a process when we die without a chance to clean up (``PR_SET_PDEATHSIG``). The request for that must come from
the process itself, so a few lines of Python run first and then become the command; ``preexec_fn`` is no way, since it forks a process
full of gRPC threads.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TextIO

from meshctl_operator.base.errors import MeshctlError

_STOP_GRACE: Final = 1.0  # the whole mesh must be down within two seconds of Ctrl-C
_FIRST_PAUSE: Final = 0.2
_LONGEST_PAUSE: Final = 5.0
_HEALTHY_AFTER: Final = 10.0  # a process that lived this long starts again without delay
_TAIL: Final = 20
_DEATHS_REMEMBERED: Final = 16
_TIED_TO_PARENT: Final = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL)
if os.getppid() != int(sys.argv[1]):
    sys.exit(1)
os.execvpe(sys.argv[2], sys.argv[2:], os.environ)
"""


@dataclass(frozen=True, slots=True)
class Command:
    """What to run: the words, the complete environment, the working directory, and the name under which it is spoken of."""

    name: str
    words: tuple[str, ...]
    cwd: Path
    env: Mapping[str, str] = field(repr=False)

    def argv(self) -> tuple[str, ...]:
        """Return the words, with the interpreter that runs us in the place of a leading ``python`` or ``python3``."""
        first, *rest = self.words
        return (sys.executable if first in {"python", "python3"} else first, *rest)


class Log:
    """One file for the output of all processes, each line with the name of its process in front."""

    def __init__(self, path: Path) -> None:
        """Open the file anew."""
        self.path = path
        self._file: TextIO = path.open("w", encoding="utf-8", buffering=1)

    def write(self, name: str, line: str) -> None:
        """Write a line."""
        if not self._file.closed:
            self._file.write(f"{name:24} | {line}\n")

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class Supervised:
    """One process that ought to be running. ``run`` keeps it so until it is cancelled, and ends it then."""

    def __init__(self, command: Command, log: Log) -> None:
        """Take what to run and where its output goes. Nothing is started yet."""
        self.command = command
        self.starts = 0
        self.tail: list[str] = []
        self._log = log
        self._process: asyncio.subprocess.Process | None = None
        self._deaths: asyncio.Queue[str] = asyncio.Queue(_DEATHS_REMEMBERED)

    @property
    def pid(self) -> int | None:
        """The id of the running process."""
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    async def next_death(self) -> str:
        """Return how the process ended, once for each time that it ended on its own."""
        return await self._deaths.get()

    async def run(self) -> None:
        """Start the process, and start it again whenever it ends, after a pause that grows while it keeps dying. Ends with it when cancelled."""
        pause = _FIRST_PAUSE
        while True:
            started = time.monotonic()
            ending = await self._run_once()
            if not self._deaths.full():
                self._deaths.put_nowait(ending)
            pause = _FIRST_PAUSE if time.monotonic() - started > _HEALTHY_AFTER else min(pause * 2, _LONGEST_PAUSE)
            await asyncio.sleep(pause)

    async def _run_once(self) -> str:
        process = await self._start()
        self._process = process
        self.starts += 1
        try:
            await self._copy_output(process)
            ending = _ending(await process.wait())
            self._note(f"ended with {ending}")
        finally:
            await _end(process)
        return ending

    async def _start(self) -> asyncio.subprocess.Process:
        words = self.command.argv()
        if sys.platform == "linux":
            words = (sys.executable, "-I", "-S", "-c", _TIED_TO_PARENT, str(os.getpid()), *words)
        try:
            return await asyncio.create_subprocess_exec(
                *words,
                cwd=self.command.cwd,
                env=dict(self.command.env),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C of the terminal is ours to pass on; and the whole group can be ended
            )
        except OSError as error:
            raise MeshctlError(f"{self.command.name}: cannot start {words[0]}: {error.strerror}") from error

    async def _copy_output(self, process: asyncio.subprocess.Process) -> None:
        stream = process.stdout
        if stream is None:
            return
        while True:
            try:
                line = await stream.readline()
            except ValueError:  # longer than the stream's limit; what was read of it is gone
                self._note("(a line too long to show)")
                continue
            if not line:
                return
            self._note(line.decode(errors="replace").rstrip())

    def _note(self, line: str) -> None:
        self._log.write(self.command.name, line)
        self.tail = [*self.tail[1 - _TAIL :], line]


async def _end(process: asyncio.subprocess.Process) -> None:
    """End a process and whatever it started, asking first. Shielded from a second cancellation by being short."""
    if process.returncode is not None:
        return
    _signal_group(process.pid, signal.SIGTERM)
    try:
        async with asyncio.timeout(_STOP_GRACE):
            await process.wait()
    except TimeoutError:
        _signal_group(process.pid, signal.SIGKILL)
        await process.wait()


def _signal_group(pid: int, number: signal.Signals) -> None:
    """Signal the group that the process leads. It is our child and not yet waited for, so the id is still its own."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def _ending(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
