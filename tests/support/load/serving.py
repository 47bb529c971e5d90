"""A real ``meshctl serve`` under measurement: its addresses, CPU, memory and own metrics."""

from __future__ import annotations

import json
import math
import re
import select
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.support.load.machine import children_on, cpu_seconds, memory_mib, process_tree, reset_peak

MESHCTL = Path(sys.executable).with_name("meshctl")
START_TIMEOUT = 60.0
LAG_SERIES = "meshctl_loop_lag_seconds"
_SAMPLE = re.compile(r"^(\w+)(?:\{([^}]*)\})? (\S+)$", re.MULTILINE)


class ServerProcess:
    """``meshctl serve`` on files, for the length of a ``with`` block; ``started`` is when the process was (monotonic clock).

    Args:
        config: the directory to serve.
        log: the file that takes its messages.
        arguments: more options of the command.
        core: the only core to run on; any if None.
    """

    def __init__(self, config: Path, log: Path, *, arguments: tuple[str, ...] = (), core: int | None = None) -> None:
        self._log = log
        self.started = time.monotonic()
        with log.open("ab") as errors, children_on(core):
            self._process = subprocess.Popen(
                [
                    str(MESHCTL),
                    "serve",
                    "--config-dir",
                    str(config),
                    "--xds",
                    "127.0.0.1:0",
                    "--http",
                    "127.0.0.1:0",
                    "-o",
                    "json",
                    *arguments,
                ],
                stdout=subprocess.PIPE,
                stderr=errors,
            )
        self.xds, self.http = "", ""
        self._synced = threading.Event()
        self._follower: threading.Thread | None = None

    def __enter__(self) -> Self:
        try:
            listening = self._first_event()
        except BaseException:
            self.stop()
            raise
        self.xds, self.http = listening["xds"], listening["http"]
        self._follower = threading.Thread(target=self._follow, daemon=True)
        self._follower.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def stop(self) -> None:
        """End the process: politely first, then for good."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        if self._follower is not None:
            self._follower.join()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def kill(self) -> None:
        """End the process without warning, as a crash would."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def wait_synced(self) -> None:
        """Wait until the server has read all objects."""
        if not self._synced.wait(START_TIMEOUT):
            raise RuntimeError("meshctl serve did not read its objects in time")

    @property
    def pids(self) -> list[int]:
        """The process and its workers."""
        return process_tree(self._process.pid)

    def cpu(self) -> float:
        """Return the CPU seconds used so far."""
        return cpu_seconds(self.pids)

    def rss(self) -> float:
        """Return the resident memory in MiB."""
        return memory_mib(self.pids)

    def peak(self) -> float:
        """Return the most resident memory since ``reset_peak`` in MiB."""
        return memory_mib(self.pids, "VmHWM")

    def reset_peak(self) -> None:
        """Start the peak anew."""
        reset_peak(self.pids)

    def metrics(self) -> dict[tuple[str, str], float]:
        """Return the server's own series by name and labels."""
        with urllib.request.urlopen(f"http://{self.http}/metrics", timeout=10) as page:
            text = page.read().decode()
        return {(found[1], found[2] or ""): float(found[3]) for found in _SAMPLE.finditer(text)}

    def _first_event(self) -> Mapping[str, Any]:
        assert self._process.stdout is not None
        readable, _, _ = select.select([self._process.stdout], [], [], START_TIMEOUT)
        line = self._process.stdout.readline() if readable else b""
        event: dict[str, Any] = json.loads(line) if line else {}
        if event.get("event") != "listening":
            raise RuntimeError(
                f"meshctl serve did not start:\n{self._log.read_text(errors='replace')[-2000:]}{line.decode(errors='replace')}"
            )
        return event

    def _follow(self) -> None:
        """Read the events of the server until it ends: nobody else does, and the pipe must not fill."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if b'"event": "synced"' in line[:40]:
                self._synced.set()


def histogram_between(
    before: Mapping[tuple[str, str], float], after: Mapping[tuple[str, str], float], name: str
) -> dict[str, float | None] | None:
    """Return bounds of the 99th percentile and the maximum of what a histogram took in between, in ms; None where there is no such series.

    A bound is None where it lies beyond the largest bucket.
    """
    counts: dict[float, float] = {}
    for (series, labels), value in after.items():
        found = re.search(r'le="([^"]+)"', labels)
        if series == f"{name}_bucket" and found:
            counts[float(found[1])] = value - before.get((series, labels), 0.0)
    total = counts.get(math.inf, 0.0)
    if total <= 0:
        return None

    def bound(share: float) -> float | None:
        reached = min(limit for limit, count in counts.items() if count >= share * total)
        return None if math.isinf(reached) else reached * 1000

    return {"p99_ms": bound(0.99), "max_ms": bound(1.0)}
