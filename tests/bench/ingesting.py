"""What it costs to take in objects: text to values, values to typed objects, typed objects into the registry; and what they weigh in memory.

Run as ``python -m tests.bench.ingesting COUNT`` it prints the figures as JSON: memory is that of a fresh process.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import time
from typing import Any

import yaml

from meshctl_operator.apis.changes import Change
from meshctl_operator.controlplane.pipeline import Pipeline
from meshctl_operator.controlplane.settings import Settings
from meshctl_operator.sources.documents import parse
from meshctl_operator.sources.loading import load
from tests.support.load.control import ROOT
from tests.support.load.folder import DUMPER
from tests.support.load.machine import memory_mib
from tests.support.load.mesh import LoadMesh


def ingest(count: int) -> dict[str, Any]:
    """Return the figures for ``count`` objects, a third of each kind, one file each."""
    mesh = LoadMesh((count + 2) // 3)
    texts = [yaml.dump(document, Dumper=DUMPER, sort_keys=False) for document in mesh.objects()][:count]
    before = memory_mib([os.getpid()])
    start = time.thread_time()
    for text in texts:
        parse(text, "file.yaml")
    parsed = time.thread_time()
    changes: list[tuple[str, Change]] = []
    for number, text in enumerate(texts):
        changes += [("bench", change) for change in load(text, f"{number}.yaml", "default").accepted.values()]
    loaded = time.thread_time()
    pipeline = Pipeline(Settings(), ["bench"])
    pipeline.apply(changes)
    applied = time.thread_time()
    assert pipeline.objects == count
    changes.clear()
    gc.collect()
    return {
        "objects": count,
        "bytes": sum(map(len, texts)),
        "parse_us_each": round((parsed - start) / count * 1e6, 1),
        "parse_and_decode_us_each": round((loaded - parsed) / count * 1e6, 1),
        "apply_us_each": round((applied - loaded) / count * 1e6, 1),
        "seconds": round(applied - parsed, 3),
        "rss_growth_mib": round(memory_mib([os.getpid()]) - before, 1),
    }


def ingest_apart(count: int) -> dict[str, Any]:
    """Return the figures of a fresh process."""
    run = subprocess.run([sys.executable, "-m", "tests.bench.ingesting", str(count)], cwd=ROOT, check=True, capture_output=True)
    figures: dict[str, Any] = json.loads(run.stdout)
    return figures


if __name__ == "__main__":
    print(json.dumps(ingest(int(sys.argv[1]))))
