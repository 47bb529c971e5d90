"""``make bench-compare``: the newest results against the committed baseline, as ratios; ``--accept`` makes them the baseline."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console
from rich.table import Table

from tests.bench.records import BASELINES, RUNS, Record, newest, read, size_text

NOISE: Final = 1.3
"""Times that differ by less than this factor are the same; a count that differs is a change."""
_TIMES: Final = ("first", "p50", "last")


def figures(record: Record) -> Iterator[tuple[str, float, bool]]:
    """Yield the name and value of each figure of a record, and whether it is a time (which the speed of a machine scales)."""
    match record["benchmark"]:
        case "server":
            for name in dict.fromkeys(report["event"] for report in record["events"]):
                yield from _event(name, [report for report in record["events"] if report["event"] == name])
        case "compiler":
            for shape, found in record["shapes"].items():
                yield from _steps(f"{shape} ", found["steps"])
        case "clusters":
            yield from _clusters(record["figures"])
        case "ingest":
            for name, value in record["figures"].items():
                if name not in {"objects", "bytes"}:
                    yield name, value, name.startswith(("parse", "apply", "seconds"))
        case "memory":
            for name, value in record["figures"].items():
                yield name, value, False
        case "admission":
            for when in ("at_rest", "while_compiling"):
                for name, value in record["figures"][when].items():
                    yield f"{when} {name}", value, True
        case "envoy":
            for name in _TIMES:
                yield f"served {name} ms", record["figures"]["served_ms"][name], True


def _steps(prefix: str, steps: Mapping[str, Any]) -> Iterator[tuple[str, float, bool]]:
    """Yield time and nodes of each step."""
    for step, cost in steps.items():
        yield f"{prefix}{step} ms", cost["ms"], True
        yield f"{prefix}{step} nodes", cost["nodes"], False


def _clusters(figures: Mapping[str, Any]) -> Iterator[tuple[str, float, bool]]:
    """Yield the figures of each step, and the bytes of each view."""
    yield from _steps("", figures["steps"])
    for view, found in figures["views"].items():
        for name, each in found.items():
            yield f"{view} {name} bytes", each["bytes"], False


def _event(name: str, reports: list[Record]) -> Iterator[tuple[str, float, bool]]:
    """Yield the medians over the repetitions of an event."""
    acks = [report["ack_ms"] for report in reports if report["ack_ms"]]
    if acks:
        for time in _TIMES:
            yield f"{name} {time} ms", statistics.median(ack[time] for ack in acks), True
    for key, unit, is_time in (
        ("server_cpu_s", "cpu s", True),
        ("server_rss_mib", "rss MiB", False),
        ("megabytes", "MB", False),
        ("messages", "messages", False),
    ):
        yield f"{name} {unit}", statistics.median(report[key] for report in reports), is_time


@click.command()
@click.option("--runs", type=click.Path(path_type=Path), default=RUNS, show_default="build/bench", help="Results of make bench.")
@click.option(
    "--baseline", type=click.Path(path_type=Path), default=BASELINES, show_default="tests/bench/baselines", help="What to compare with."
)
@click.option("--every", is_flag=True, help="Show also what did not change.")
@click.option("--accept", is_flag=True, help="Make the newest results the baseline.")
def main(*, runs: Path, baseline: Path, every: bool, accept: bool) -> None:
    """Print the ratios of the newest results to the baseline: 1.0 is equal, 2.0 is twice as much.

    Times are scaled by the calibration loop of both runs, so that a slower machine is not a regression.
    """
    found = newest(read(runs))
    if not found:
        raise click.ClickException(f"there are no results in {runs}; run make bench first")
    old = newest(read(baseline))
    out = Console(highlight=False)
    for key, record in found.items():
        if key in old:
            out.print(_table(record, old[key], every=every))
        else:
            out.print(f"{key[0]} {key[1]}: no baseline of this size")
    if accept:
        _accept({**old, **found}, baseline)
        out.print(f"the baseline in {baseline} is now of {', '.join(sorted(f'{name} {size}' for name, size in found))}")


def _table(record: Record, old: Record, *, every: bool) -> Table:
    speed = record["calibration"]["json_ms"] / old["calibration"]["json_ms"]
    title = f"{record['benchmark']} {size_text(record['size'])}: {record['commit']} to {old['commit']}, this machine takes {speed:.2f} times as long"
    table = Table("figure", "baseline", "now", "ratio", "", title=title, title_justify="left")
    before = {name: value for name, value, _ in figures(old)}
    for name, value, is_time in figures(record):
        if name not in before:
            continue
        scaled = value / speed if is_time else value
        ratio = scaled / before[name] if before[name] else (1.0 if not scaled else float("inf"))
        verdict = "" if 1 / NOISE <= ratio <= NOISE else "MORE" if ratio > 1 else "less"
        if every or verdict:
            table.add_row(name, f"{before[name]:g}", f"{value:g}", f"{ratio:.2f}", verdict)
    return table


def _accept(chosen: dict[tuple[str, str], Record], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    by_benchmark: dict[str, list[Record]] = {}
    for (benchmark, _), record in sorted(chosen.items()):
        by_benchmark.setdefault(benchmark, []).append(record)
    for benchmark, group in by_benchmark.items():
        (folder / f"{benchmark}.jsonl").write_text("".join(json.dumps(record) + "\n" for record in group))


if __name__ == "__main__":
    main()
