"""``make bench``: run the benchmark plan, print the figures and append them as JSON lines; see ``docs/reference/performance.md``."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import click
import pytest
from rich.console import Console

from tests.bench import records
from tests.bench.admitting import SERVICES, answers_apart
from tests.bench.clustering import cluster_figures
from tests.bench.compiling import GATEWAYS, Shape, gateway_figures, sidecar_figures
from tests.bench.ingesting import ingest_apart
from tests.bench.real_envoy import served_figures
from tests.bench.scenario import EVENTS, Plan, Scenario

PARTS: Final = ("compiler", "clusters", "ingest", "admission", "memory", "server", "envoy", "demo")
IDLE: Final = 0.5  # load average above which figures are not worth much
ALL_EVENTS: Final = (*EVENTS, "churn")
out = Console(highlight=False, width=180)


class _List(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.3 on only
    """A list with commas, each part read by a function that raises ValueError."""

    def __init__(self, name: str, read: Callable[[str], object]) -> None:
        self.name = name
        self._read = read

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> object:
        """Return the parts."""
        if not isinstance(value, str):
            return value
        try:
            return tuple(self._read(part) for part in value.split(","))
        except ValueError as error:
            self.fail(f'"{value}" is no list of {self.name}: {error}', param, ctx)


def _size(text: str) -> tuple[int, int]:
    services, clients = text.split("x")
    return int(services), int(clients)


def _one_of(known: tuple[str, ...]) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in known:
            raise ValueError(f"{text} is none of {', '.join(known)}")
        return text

    return read


_SIZES: Final = _List("SERVICESxCLIENTS", _size)
_NUMBERS: Final = _List("numbers", int)
_PARTS: Final = _List("parts", _one_of(PARTS))
_EVENTS: Final = _List("events", _one_of(ALL_EVENTS))


@click.command(context_settings={"show_default": True})
@click.option("--only", type=_PARTS, default=",".join(PARTS), help="Parts to run.")
@click.option("--sizes", type=_SIZES, default="100x100,1000x100,1000x500,1000x1000", help="Services x clients of the server part.")
@click.option("--objects", type=_NUMBERS, default="1000,10000", help="Objects of the ingest part.")
@click.option("--compile", "compiled", type=_NUMBERS, default="100,1000", help="Services of the compiler part.")
@click.option("--clusters", "clusters", type=_NUMBERS, default="1000", help="Services (of ten pods) of the clusters part.")
@click.option("--memory", "memory_sizes", type=_SIZES, default="100x500,1000x500", help="Services x clients of the memory part.")
@click.option("--envoy", "envoy_sizes", type=_SIZES, default="1000x100", help="Services x clients beside the real Envoy.")
@click.option("--events", type=_EVENTS, default=",".join(EVENTS), help="Events of the server part; there is also churn.")
@click.option("--repetitions", default=3, help="Of short events and of single changes.")
@click.option("--storm", default=200, help="Endpoint changes of E7, in 5 seconds.")
@click.option("--churn-minutes", default=10.0, help="Length of the event churn.")
@click.option("--pin", is_flag=True, help="Run the server on the first core and the clients on the second.")
@click.option("--serve", "arguments", multiple=True, metavar="OPTION", help="Further option of meshctl serve (repeatable).")
@click.option(
    "--into", type=click.Path(path_type=Path), default=records.RUNS, show_default="build/bench", help="Where results are appended."
)
def main(
    *,
    only: tuple[str, ...],
    sizes: tuple[tuple[int, int], ...],
    objects: tuple[int, ...],
    compiled: tuple[int, ...],
    clusters: tuple[int, ...],
    memory_sizes: tuple[tuple[int, int], ...],
    envoy_sizes: tuple[tuple[int, int], ...],
    events: tuple[str, ...],
    repetitions: int,
    storm: int,
    churn_minutes: float,
    pin: bool,
    arguments: tuple[str, ...],
    into: Path,
) -> None:
    """Run the benchmarks. All of it takes some 15 minutes; the machine should do nothing else."""
    if (load := os.getloadavg()[0]) > IDLE:
        out.print(f"the machine is not idle (load {load:.1f}): look at counts and ratios, not at times", style="yellow")
    plan = Plan(
        0, 0, events, repetitions, storm_changes=storm, churn_seconds=churn_minutes * 60, arguments=arguments, pin=pin
    )  # each part fills in its sizes
    runs: dict[str, Iterable[Callable[[], records.Record]]] = {
        "compiler": (partial(_compiler, size, repetitions) for size in compiled),
        "clusters": (partial(_clusters, size, repetitions) for size in clusters),
        "ingest": (partial(_ingest, count) for count in objects),
        "admission": (_admission,),
        "memory": (partial(_memory, replace(plan, services=services, clients=clients)) for services, clients in memory_sizes),
        "server": (partial(_server, replace(plan, services=services, clients=clients)) for services, clients in sizes),
        "envoy": (partial(_envoy, replace(plan, services=services, clients=clients)) for services, clients in envoy_sizes),
    }
    for part, measures in runs.items():
        for measure in measures if part in only else ():
            out.print(f"  -> {records.append(measure(), into)}", style="dim")
    if "demo" in only:
        code = pytest.main(["-m", "bench", "-s", "-q", "--override-ini=timeout=600", str(Path(__file__).parent)])
        if code:
            sys.exit(code)


def _compiler(size: int, repetitions: int) -> records.Record:
    record = records.new_record("compiler", {"services": size})
    record["shapes"] = {Shape.SIDECAR: sidecar_figures(size, repetitions)}
    for shape in GATEWAYS:
        record["shapes"][shape] = gateway_figures(shape, size, repetitions)
    for shape, figures in record["shapes"].items():
        out.print(f"compiler {size} {shape}: {figures['resources']} resources")
        for step, cost in figures["steps"].items():
            out.print(f"  {step:18} {cost['ms']:10.2f} ms   1/{1 / cost['of_cold']:<7.0f} {cost['nodes']:6} nodes")
    return record


def _clusters(size: int, repetitions: int) -> records.Record:
    record = records.new_record("clusters", {"services": size})
    record["figures"] = cluster_figures(size, repetitions)
    for namespace, found in record["figures"]["views"].items():
        out.print(
            f"clusters {size} {namespace}: " + ", ".join(f"{name} {each['resources']} of {each['bytes']} B" for name, each in found.items())
        )
    for step, cost in record["figures"]["steps"].items():
        out.print(f"  {step:20} {cost['ms']:10.2f} ms   1/{1 / cost['of_cold']:<7.0f} {cost['nodes']:6} nodes")
    return record


def _ingest(count: int) -> records.Record:
    record = records.new_record("ingest", {"objects": count})
    record["figures"] = ingest_apart(count)
    out.print(f"ingest {count}: {record['figures']}")
    return record


def _admission() -> records.Record:
    record = records.new_record("admission", {"objects": 2 * SERVICES})
    record["figures"] = answers_apart()
    out.print(f"admission {2 * SERVICES}: {record['figures']}")
    return record


def _memory(plan: Plan) -> records.Record:
    record = records.new_record("memory", {"services": plan.services, "clients": plan.clients})
    with tempfile.TemporaryDirectory(prefix="meshctl-bench-") as folder, Scenario(plan, Path(folder) / "load") as scenario:
        record["figures"] = scenario.memory()
    out.print(f"memory {plan.services} services: {record['figures']}")
    return record


def _envoy(plan: Plan) -> records.Record:
    record = records.new_record("envoy", {"services": plan.services, "clients": plan.clients})
    with tempfile.TemporaryDirectory(prefix="meshctl-bench-") as folder:
        record["figures"] = asyncio.run(served_figures(plan, Path(folder), 5 * plan.repetitions))
    out.print(f"envoy {plan.services} services, {plan.clients} clients: {record['figures']}")
    return record


def _server(plan: Plan) -> records.Record:
    record = records.new_record("server", {"services": plan.services, "clients": plan.clients})
    record["events"] = []
    with tempfile.TemporaryDirectory(prefix="meshctl-bench-") as folder, Scenario(plan, Path(folder) / "load") as scenario:
        out.print(f"server: {plan.services} services, {plan.clients} clients")
        for report in scenario.run():
            record["events"].append(report)
            out.print(f"  {_line(report)}")
    return record


def _line(report: dict[str, Any]) -> str:
    """Return an event in one line for people."""
    ack = report["ack_ms"]
    times = "first {first:.0f} median {p50:.0f} p99 {p99:.0f} last {last:.0f} ms".format(**ack) if ack else "no answer expected"
    lag = report.get("loop_lag")
    parts = [
        f"{report['event']:15} {times:55}",
        f"cpu {report['server_cpu_s']:.2f} s",
        f"rss {report['server_rss_mib']:.0f} MiB",
        f"{report['messages']} messages, {report['megabytes']:.2f} MB",
        f"lag p99 {lag['p99_ms'] or '> 1000'} max {lag['max_ms'] or '> 1000'} ms" if lag else "",
        f"{report['rss_mib_per_minute']} MiB/min" if "rss_mib_per_minute" in report else "",
        f"generator {report['generator_us_per_message']} us a message" if report["generator_us_per_message"] else "",
        f"RECONNECTS {report['reconnects']} ({report['trouble']})" if report["reconnects"] else "",
        "TIMED OUT" if report["timeout"] else "",
    ]
    return "  ".join(part for part in parts if part)


if __name__ == "__main__":
    main()
