"""The handle of a load generator: starts the process, gives it commands, takes its reports, ends it."""

from __future__ import annotations

import json
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from tests.support.load.machine import children_on
from tests.support.load.tally import Event

ROOT = Path(__file__).parents[3]
ANSWER_TIMEOUT = 30.0
Report = dict[str, Any]


class LoadGenerator:
    """Simulated Envoys in a process of their own, for the length of a ``with`` block.

    Args:
        quiet: an event is over when no response has come for this many seconds.
        timeout: seconds until an event is given up; its report says so.
        core: the only core to run on; any if None.
    """

    def __init__(self, *, quiet: float = 1.0, timeout: float = 120.0, core: int | None = None) -> None:
        self.quiet = quiet
        self.timeout = timeout
        self.namespaces: list[str] = []
        command = [sys.executable, "-m", "tests.support.load.generator"]
        with children_on(core):
            self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.close()
            self._process.wait(timeout=5)
        except (OSError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def clients(self, count: int, namespaces: Sequence[str]) -> None:
        """Have ``count`` clients (or as many as before, if those are more), spread evenly over the namespaces."""
        names = list(namespaces)
        self._ask({"do": "clients", "count": count, "namespaces": names})
        self.namespaces = [names[number % len(names)] for number in range(count)]

    def refuse(self, numbers: Iterable[int]) -> None:
        """Let exactly these clients NACK what events mark."""
        self._ask({"do": "refuse", "clients": sorted(numbers)})

    def connect(self, address: str) -> None:
        """Connect every client that is not; ``address`` is ``host:port``."""
        self._ask({"do": "connect", "address": address})

    def park(self) -> None:
        """Close every connection; the clients keep what they hold."""
        self._ask({"do": "park"})

    def forget(self) -> None:
        """Let the clients hold nothing, as new processes."""
        self._ask({"do": "forget"})

    def pause(self, count: int) -> None:
        """Let the first ``count`` clients stop reading."""
        self._ask({"do": "pause", "count": count})

    def resume(self) -> None:
        """Let every client read again."""
        self._ask({"do": "resume"})

    def watch(self, event: Event) -> None:
        """Count from now on, for an event that is about to happen."""
        self._ask({"do": "watch", "event": event.to_json()})

    def finish(
        self,
        start: float,
        *,
        until: Literal["marked", "configured"] = "marked",
        least: float = 0.0,
        written: Sequence[float] = (),
    ) -> Report:
        """Return what was counted, once all clients are through and it is quiet.

        Args:
            start: when the event happened (monotonic clock).
            until: whether clients are through when they saw the markers, or when they hold all that they asked for.
            least: seconds after ``start`` before which it is not over.
            written: when each change of a storm was made.
        """
        command = {"until": until, "start": start, "least": least, "quiet": self.quiet, "timeout": self.timeout, "written": list(written)}
        return self._ask({"do": "finish", **command}, timeout=self.timeout + least + ANSWER_TIMEOUT)

    def change(self, event: Event, act: Callable[[], object], *, least: float = 0.0) -> Report:
        """Return what an event did: count, act, and wait until it is over."""
        self.watch(event)
        start = time.monotonic()
        act()
        acted = time.monotonic()
        report = self.finish(start, least=least)
        report["write_ms"] = round((acted - start) * 1000, 2)
        return report

    def _ask(self, command: dict[str, Any], *, timeout: float = ANSWER_TIMEOUT) -> Report:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(command).encode() + b"\n")
        self._process.stdin.flush()
        readable, _, _ = select.select([self._process.stdout], [], [], timeout)
        line = self._process.stdout.readline() if readable else b""
        if not line:
            raise RuntimeError(f"the load generator did not answer {command['do']} within {timeout:g} s, or ended")
        answer: Report = json.loads(line)
        return answer
