"""``meshctl serve``: a process with public output."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.cli.main import main
from meshctl_operator.cli.output import Format
from meshctl_operator.cli.serve import ServeOptions, _serve, text_lines
from meshctl_operator.controlplane import events
from meshctl_operator.controlplane.codes import REJECTED_BY_PROXY
from tests.support.xds_client import XdsClient

SERVICE = "apiVersion: v1\nkind: Service\nmetadata: {name: %s}\nspec:\n  ports:\n  - {port: %s, name: http}\n"
KEY = ObjectKey("Service", "default", "a")


@contextmanager
def serving(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run ``serve`` on free ports for the length of a block."""
    command = [sys.executable, "-m", "meshctl_operator.cli.main", "serve", "--config-dir", str(folder), "-o", "json"]
    command += ["--xds", "127.0.0.1:0", "--http", "127.0.0.1:0", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=10)


def next_event(process: subprocess.Popen[str]) -> Any:
    """Return the next line of output; the time-out of the test ends a wait in vain."""
    assert process.stdout is not None
    return json.loads(process.stdout.readline())


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_signals_end_it_in_order(tmp_path: Path, number: signal.Signals, code: int) -> None:
    """SIGTERM drains, Ctrl-C says that it was interrupted; nothing is complained about."""
    (tmp_path / "a.yaml").write_text(SERVICE % ("a", 80))
    with serving(tmp_path) as process:
        listening, synced = next_event(process), next_event(process)
        assert (listening["event"], synced["event"], synced["objects"]) == ("listening", "synced", 1)
        process.send_signal(number)
        out, err = process.communicate(timeout=10)
        assert (process.returncode, out, err) == (code, "", "")


@pytest.mark.parametrize(("switch", "there"), [((), False), (("--pilot-metrics",), True)], ids=["without", "with"])
async def test_istiods_metric_names_are_asked_for(tmp_path: Path, switch: tuple[str, ...], *, there: bool) -> None:
    """The switch reaches the page."""
    (tmp_path / "a.yaml").write_text(SERVICE % ("a", 80))
    with serving(tmp_path, *switch) as process:
        url = f"http://{next_event(process)['http']}"
        next_event(process)
        async with aiohttp.ClientSession(url) as http, http.get("/metrics") as answer:
            text = await answer.text()
    assert 'meshctl_objects_by_kind{kind="Service"} 1.0' in text
    assert ("pilot_services 1.0" in text) is there


async def test_changes_and_answers_are_printed(tmp_path: Path) -> None:
    """A broken file is reported with its line and empties nothing."""
    path = tmp_path / "a.yaml"
    path.write_text(SERVICE % ("a", 80))
    with serving(tmp_path, "--events", "acks") as process:
        address = next_event(process)["xds"]
        next_event(process)
        async with XdsClient(address, node_id="sidecar~10.0.0.1~a.b~b.svc.cluster.local") as envoy:
            await envoy.follow()
            ack = await asyncio.to_thread(next_event, process)
            assert (ack["event"], ack["proxy"]) == ("ack", "a.b")
        path.write_text(SERVICE % ("a", 80) + "---\nkind: [\n")
        while (event := next_event(process))["event"] != "config":
            pass
        assert event["changed"] == []
        assert event["rejected"] == [f"File/{path}"]
        assert (event["diagnostics"][0]["source"], event["diagnostics"][0]["line"]) == (str(path), 8)
        path.write_text(SERVICE % ("a", 81))
        while (event := next_event(process))["event"] != "config":
            pass
        assert (event["changed"], event["healed"]) == (["Service/default/a"], 1)


def test_a_mesh_config_is_watched(tmp_path: Path) -> None:
    """Its changes are changes of the mesh."""
    folder, mesh = tmp_path / "config", tmp_path / "mesh.yaml"
    folder.mkdir()
    mesh.write_text("connectTimeout: 1s\n")
    with serving(folder, "--mesh-config", str(mesh), "--recompute") as process:
        next_event(process)
        next_event(process)
        mesh.write_text("connectTimeout: 2s\n")
        assert next_event(process)["changed"] == ["MeshConfig/mesh"]


def test_a_taken_port_is_a_failure_with_a_hint(tmp_path: Path) -> None:
    """Exit code 1, no traceback."""
    with serving(tmp_path) as first:
        taken = next_event(first)["xds"]
        with serving(tmp_path, "--xds", taken) as second:
            _, err = second.communicate(timeout=20)
        assert second.returncode == 1
        assert err.startswith("error: cannot listen for xDS")
        assert "hint: " in err


@pytest.mark.parametrize(
    "arguments",
    [
        ["--kubernetes", "--config-dir", "."],
        ["--config-dir", ".", "--webhook", "127.0.0.1:0"],
        ["--kubernetes", "--webhook-service", "x"],
        ["--kubernetes", "--webhook-configuration", "x"],
        ["--kubernetes", "--webhook", "15017"],
        ["--config-dir", ".", "--revision", "x"],
        ["--context", "x"],
        ["--config-dir", "no/such/folder"],
        ["--config-dir", ".", "--xds", "15010"],
        ["--config-dir", ".", "--http", "127.0.0.1:99999"],
        ["--config-dir", ".", "--mesh-config", "no/such/file"],
        ["--config-dir", ".", "-o", "yaml"],
    ],
)
def test_bad_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Said before anything starts."""
    assert main(["serve", *arguments]) == 64
    assert capsys.readouterr().err.startswith("error: ")


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (events.Listening("x:1", "x:2"), ["listening: xDS x:1, http x:2"]),
        (events.Listening("x:1", "x:2", "x:3"), ["listening: xDS x:1, http x:2, webhook x:3"]),
        (events.Synced(3, 2), ["synced: 3 objects"]),
        (
            events.ConfigApplied(7, (KEY,), (), 2, (), 0, 1.5),
            ["revision 7: Service/default/a; 2 resources (1.5 ms)"],
        ),
        (
            events.ConfigApplied(7, (), (KEY,), 0, (REJECTED_BY_PROXY.error(KEY, "", "x"),), 2, 1.5),
            [
                "revision 7: nothing changed; rejected: Service/default/a; 2 findings are gone; 0 resources (1.5 ms)",
                "error [MC3001] Service default/a: x",
            ],
        ),
        (events.Acked("a.b", "RDS", 7, 1.5), ["  a.b accepted RDS of revision 7 (1.5 ms)"]),
        (events.Nacked("a.b", "RDS", 7, 1.5, "no", (), ()), ["  a.b REJECTED RDS of revision 7: no"]),
        (events.Connected("a.b", "delta"), ["  a.b connected (delta)"]),
        (events.Disconnected("a.b"), ["  a.b disconnected"]),
    ],
)
def test_text_is_for_people(event: events.Event, expected: list[str]) -> None:
    """One line an event, and one a finding."""
    assert list(text_lines(event, acks=True)) == expected


def test_accepted_responses_are_shown_on_request() -> None:
    """There are many."""
    assert list(text_lines(events.Acked("a.b", "RDS", 7, 1.5), acks=False)) == []


async def test_a_signal_during_the_imports_starts_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """Ctrl-C in the first half second ends it before a server is half-way up."""
    stop: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    stop.set_result(130)
    options = ServeOptions(("nowhere",), "default", "127.0.0.1:0", "127.0.0.1:0", None, Format.JSON, acks=False, recompute=False)
    assert await _serve(options, stop) == 130
    assert capsys.readouterr().out == ""
