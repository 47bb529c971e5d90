"""The handle of the load: starts the process, gives it commands, takes its reports, ends it."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from tests.support.traffic.connections import Target

ROOT: Final = Path(__file__).parents[3]
TIMEOUT: Final = 15.0
POLL: Final = 0.02


@dataclass
class Seen:
    """What clients saw of one target; the fields are those of ``connections.Tally``."""

    answers: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    examples: list[tuple[float, str]] = field(default_factory=list)
    closed: int = 0
    slowest: float = 0.0

    def add(self, raw: Mapping[str, Any]) -> None:
        """Add a report."""
        self.answers.update(raw["answers"])
        self.failures.update(raw["failures"])
        self.examples += [(moment, reason) for moment, reason in raw["examples"]]
        self.closed += raw["closed"]
        self.slowest = max(self.slowest, raw["slowest"])

    def is_answered_by(self, texts: set[str]) -> bool:
        """Tell whether there are these answers and no other; for none, failures alone."""
        return set(self.answers) == texts and (bool(texts) or bool(self.failures))


class Traffic:
    """A load in a process of its own: ``async with Traffic() as traffic``. ``seen`` has what all reports said, by the name of the target."""

    def __init__(self) -> None:
        self.seen: dict[str, Seen] = {}
        self._process: asyncio.subprocess.Process | None = None
        self._asking = asyncio.Lock()

    async def __aenter__(self) -> Self:
        pipe = asyncio.subprocess.PIPE
        command = (sys.executable, "-m", "tests.support.traffic.process")
        self._process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdin=pipe, stdout=pipe, limit=1 << 24)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        process, self._process = self._process, None
        if process is None or process.stdin is None:
            return
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), timeout=5)
        except TimeoutError:
            process.kill()
            await process.wait()

    async def serve(self, *names: str) -> dict[str, int]:
        """Run a server for each name, which says it; returns their ports."""
        return await self._ask({"do": "serve", "names": names})

    async def names(self, delays: Mapping[str, int]) -> int:
        """Run a DNS server that says 127.0.0.1 for each name after so many milliseconds, and nothing for others; returns its port."""
        port: int = (await self._ask({"do": "names", "delays": dict(delays)}))["port"]
        return port

    async def load(self, *targets: Target) -> None:
        """Ask these too, from now on."""
        for target in targets:
            self.seen.setdefault(target.name, Seen())
        await self._ask({"do": "load", "targets": [asdict(target) for target in targets]})

    async def take(self) -> dict[str, Seen]:
        """Return what was seen since the last report, by the name of the target."""
        return self._note(await self._ask({"do": "take"}))

    async def stop(self) -> dict[str, Seen]:
        """End the load; returns as ``take``."""
        return self._note(await self._ask({"do": "stop"}))

    async def answered_by(self, wanted: Mapping[str, Iterable[str]], *, timeout: float = TIMEOUT) -> None:  # noqa: ASYNC109  (a test states its deadline where it waits)
        """Wait until all answers between two reports are those wanted, each seen at least once, for these targets.

        Where no answer is wanted, there must be failures and nothing else.
        """
        texts = {name: set(found) for name, found in wanted.items()}
        found: dict[str, Seen] = {}
        try:
            async with asyncio.timeout(timeout):
                await self.take()
                while True:
                    await asyncio.sleep(POLL)  # another process answers, which sets no event
                    for name, seen in (await self.take()).items():
                        before = found.get(name)
                        stray = before is None or set(before.answers) - texts.get(name, set())
                        found[name] = seen if stray else _joined(before, seen)
                    if all(name in found and found[name].is_answered_by(text) for name, text in texts.items()):
                        return
        except TimeoutError:
            shown = {name: (dict(seen.answers), dict(seen.failures)) for name, seen in found.items() if name in texts}
            raise AssertionError(f"wanted {texts}, saw {shown}") from None

    async def more(self, count: int) -> None:
        """Wait until each target has given so many answers or failures again."""
        left = dict.fromkeys(self.seen, count)
        async with asyncio.timeout(TIMEOUT):
            while any(missing > 0 for missing in left.values()):
                await asyncio.sleep(POLL)  # as above
                for name, seen in (await self.take()).items():
                    left[name] -= seen.answers.total() + seen.failures.total()

    def failures(self) -> dict[str, dict[str, int]]:
        """Return what failed so far, by the name of the target; empty if nothing did."""
        return {name: dict(seen.failures) for name, seen in self.seen.items() if seen.failures}

    def _note(self, reports: Mapping[str, Any]) -> dict[str, Seen]:
        found = {}
        for name, raw in reports.items():
            self.seen[name].add(raw)
            found[name] = Seen()
            found[name].add(raw)
        return found

    async def _ask(self, command: Mapping[str, Any]) -> dict[str, Any]:
        process = self._process
        assert process is not None, "the load is not running"
        assert process.stdin is not None
        assert process.stdout is not None
        async with self._asking, asyncio.timeout(TIMEOUT):
            process.stdin.write(json.dumps(command).encode() + b"\n")
            await process.stdin.drain()
            line = await process.stdout.readline()
        assert line, "the load ended"
        answer: dict[str, Any] = json.loads(line)
        return answer


def _joined(before: Seen | None, now: Seen) -> Seen:
    if before is not None:
        now.answers += before.answers
        now.failures += before.failures
    return now
