"""What a figure has to be read with: the machine, its speed today, and what else it does. Also the meters of a process."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any, Final

_PACKAGES: Final = ("grpcio", "protobuf", "xds-protos", "pydantic", "PyYAML")
_HASHED: Final = 64 << 20
_DOCUMENT: Final = json.dumps({"hosts": [f"host-{number}.example" for number in range(40)], "spec": {"weight": 80, "on": True}})
_PARSES: Final = 5_000


def calibration() -> dict[str, float]:
    """Return how long fixed work takes here and now, in ms: SHA-256 of 64 MB and a loop of ``json.loads``. The best of three."""

    def hashing() -> None:
        hashlib.sha256(bytes(_HASHED)).digest()

    def parsing() -> None:
        for _ in range(_PARSES):
            json.loads(_DOCUMENT)

    best = {}
    for name, work in (("sha256_ms", hashing), ("json_ms", parsing)):
        times = []
        for _ in range(3):
            start = time.perf_counter()
            work()
            times.append(time.perf_counter() - start)
        best[name] = round(min(times) * 1000, 1)
    return best


def surroundings() -> dict[str, Any]:
    """Return the machine and the versions of what decides about speed."""
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
        "versions": {name: metadata.version(name) for name in _PACKAGES},
    }


@contextmanager
def children_on(core: int | None) -> Iterator[None]:
    """Let processes that are started meanwhile run on one core; on any if it is None, or if there is no such core."""
    before = os.sched_getaffinity(0)
    if core is None or core not in before:
        yield
        return
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def process_tree(pid: int) -> list[int]:
    """Return a process and its descendants: a server may have workers."""
    found = [pid]
    for parent in found:
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            try:
                found += map(int, task.read_text().split())
            except OSError:
                continue  # ended meanwhile
    return found


def cpu_seconds(pids: Iterable[int]) -> float:
    """Return the CPU time of processes, from the CPU clock of each (Linux: clock_getcpuclockid)."""
    total = 0.0
    for pid in pids:
        try:
            total += time.clock_gettime((~pid << 3) | 2)
        except OSError:
            continue  # ended meanwhile
    return total


def memory_mib(pids: Iterable[int], what: str = "VmRSS") -> float:
    """Return the resident memory of processes now; ``VmHWM`` is the most that it ever was."""
    total = 0
    for pid in pids:
        try:
            lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        except OSError:
            continue  # ended meanwhile
        total += sum(int(line.split()[1]) for line in lines if line.startswith(f"{what}:"))
    return round(total / 1024, 1)


def reset_peak(pids: Iterable[int]) -> None:
    """Let ``VmHWM`` start again from what is used now, where the kernel allows it."""
    for pid in pids:
        try:
            Path(f"/proc/{pid}/clear_refs").write_text("5")
        except OSError:
            continue
