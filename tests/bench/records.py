"""Results as JSON lines: one line a run, with the speed of the machine beside it, appended to a file and never rewritten."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from tests.support.load.machine import calibration, surroundings

ROOT: Final = Path(__file__).parents[2]
BASELINES: Final = Path(__file__).parent / "baselines"
RUNS: Final = ROOT / "build" / "bench"
"""Where runs are appended, one file per benchmark; the committed baseline has files of the same names."""

Record = dict[str, Any]


def new_record(benchmark: str, size: Mapping[str, int]) -> Record:
    """Return the head of a record: what is run, how large, when, on what and how fast that is today."""
    return {
        "benchmark": benchmark,
        "size": dict(size),
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "commit": _commit(),
        **surroundings(),
        "calibration": calibration(),
    }


def append(record: Record, folder: Path = RUNS) -> Path:
    """Append a record to the file of its benchmark, and return that."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{record['benchmark']}.jsonl"
    with path.open("a") as file:
        file.write(json.dumps(record, allow_nan=False) + "\n")
    return path


def read(folder: Path) -> Iterator[Record]:
    """Yield the records in a folder, oldest first in each file."""
    for path in sorted(folder.glob("*.jsonl")):
        for line in path.read_text().splitlines():
            record: Record = json.loads(line)
            yield record


def newest(records: Iterable[Record]) -> dict[tuple[str, str], Record]:
    """Return the last record of each benchmark and size."""
    return {(record["benchmark"], size_text(record["size"])): record for record in records}


def size_text(size: Mapping[str, int]) -> str:
    """Return a size for people, as ``clients=100 services=1000``."""
    return " ".join(f"{name}={value}" for name, value in sorted(size.items()))


def _commit() -> str:
    """Return the commit that is measured; with a ``+`` if files differ from it."""
    try:
        head = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()
        changed = subprocess.run(["git", "status", "--porcelain", "--", "src"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return f"{head}+" if changed.strip() else head
