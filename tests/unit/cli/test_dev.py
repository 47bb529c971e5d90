"""``meshctl dev``, as far as it needs no Envoy."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from meshctl_operator.cli import dev as verb
from meshctl_operator.cli.main import main
from tests.support.local_objects import deployment


@pytest.fixture
def quiet_logging() -> Iterator[None]:
    """Put the handlers of the root logger back."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    for handler in root.handlers:
        if handler not in handlers:
            handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "is not a directory"),
        ([".", "--scenario", "x"], "there are no scenarios"),
        ([".", "--envoy", "/no/envoy"], "is not an executable file"),
        ([".", "--xds", "15010"], '--xds is "15010", which is not HOST:PORT'),
        ([".", "--http", "localhost:http"], "--http is"),
    ],
    ids=["no directory", "no scenario", "no Envoy", "no address", "no port"],
)
def test_bad_usage(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: list[str], message: str
) -> None:
    """Exit code 64 before anything is started."""
    monkeypatch.chdir(tmp_path)
    assert main(["dev", *arguments]) == 64
    assert message in capsys.readouterr().err


@pytest.mark.usefixtures("quiet_logging")
def test_log_goes_to_a_file(tmp_path: Path) -> None:
    """What the control plane logs stays off the terminal."""
    verb.log_to(tmp_path / "log")
    logging.getLogger("meshctl.test").info("push", extra={"proxy": "gw"})
    assert (tmp_path / "log").read_text().endswith("info meshctl.test push proxy=gw\n")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)], ids=["Ctrl-C", "SIGTERM"])
async def test_signals_end_it(number: signal.Signals, code: int) -> None:
    """Ctrl-C is exit code 130, SIGTERM 0; a second signal does not cut the clean-up short."""
    cleaned: list[str] = []

    async def work() -> None:
        try:
            os.kill(os.getpid(), number)
            await asyncio.Event().wait()
        finally:
            os.kill(os.getpid(), number)
            await asyncio.sleep(0.01)
            cleaned.append("up")

    assert await verb._until_signalled(work()) == code
    assert cleaned == ["up"]


async def test_an_error_is_passed_on() -> None:
    """What goes wrong without a signal is an error."""

    async def work() -> None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await verb._until_signalled(work())


def test_ready_and_ctrl_c(tmp_path: Path) -> None:
    """The command says ``ready`` as its first line, keeps its log where asked, and ends by Ctrl-C with 130 without a word."""
    (tmp_path / "mesh").mkdir()
    (tmp_path / "mesh" / "a.yaml").write_text(deployment("reviews-v1"))
    envoy = tmp_path / "envoy"
    envoy.write_text("#!/bin/sh\n")
    envoy.chmod(0o755)
    arguments = ["dev", str(tmp_path / "mesh"), "-o", "json", "--envoy", str(envoy), "--log-dir", str(tmp_path / "logs")]
    with subprocess.Popen(
        [sys.executable, "-m", "meshctl_operator.cli.main", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        assert ready["event"] == "ready"
        assert [finding["code"] for finding in ready["diagnostics"]] == ["MC4101"]
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (130, "")
    assert (tmp_path / "logs" / "control-plane.log").exists()
