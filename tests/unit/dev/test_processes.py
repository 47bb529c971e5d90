"""Processes that ought to be running."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from meshctl_operator.base.errors import MeshctlError
from meshctl_operator.dev import processes
from meshctl_operator.dev.processes import Command, Log, Supervised

FOREVER = "import time\nprint('up', flush=True)\nwhile True: time.sleep(60)"


def command(code: str, **env: str) -> Command:
    """Return a command that runs Python code, called by the word python3."""
    return Command("job", ("python3", "-c", code), Path.cwd(), {**os.environ, **env})


def is_alive(pid: int) -> bool:
    """Tell whether there is such a process, zombies apart."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition on other processes, which tell of themselves in no other way."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110  (other processes set no event of ours)
            await asyncio.sleep(0.01)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    """A log in a temporary folder."""
    opened = Log(tmp_path / "log")
    yield opened
    opened.close()


@asynccontextmanager
async def running(process: Supervised) -> AsyncIterator[Supervised]:
    """Run a process for the length of a block."""
    task = asyncio.create_task(process.run())
    try:
        yield process
    finally:
        task.cancel()
        await asyncio.wait([task])


def test_python_is_the_interpreter_that_runs_us() -> None:
    """``python3`` as the first word needs no Python on PATH; other words stay."""
    assert command("x").argv() == (sys.executable, "-c", "x")
    assert Command("job", ("node", "python3"), Path.cwd(), {}).argv() == ("node", "python3")


def test_the_environment_is_not_shown() -> None:
    """Environments hold tokens; they stay out of logs."""
    assert "sesame" not in repr(command("x", TOKEN="sesame"))


async def test_output_is_written_with_the_name(log: Log) -> None:
    """Each line of output goes to the log with the name of its process in front."""
    async with running(Supervised(command(FOREVER), log)) as process:
        await until(lambda: bool(process.tail))
    log.close()
    assert log.path.read_text().startswith("job                      | up\n")


async def test_it_runs_in_its_folder_with_its_environment(log: Log, tmp_path: Path) -> None:
    """Working directory and environment are those of the command."""
    code = "import os; print(os.getcwd(), os.environ['COLOUR'])"
    async with running(Supervised(Command("job", ("python3", "-c", code), tmp_path, {"COLOUR": "red"}), log)) as process:
        await until(lambda: bool(process.tail))
        assert process.tail[0] == f"{tmp_path} red"


async def test_a_dead_process_is_started_again(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that ends is started again, and how it ended is told once for each time."""
    monkeypatch.setattr(processes, "_FIRST_PAUSE", 0.0)
    async with running(Supervised(command("raise SystemExit(3)"), log)) as process:
        assert await process.next_death() == "exit code 3"
        assert await process.next_death() == "exit code 3"
        assert process.starts >= 2


async def test_a_killed_process_is_told_by_its_signal(log: Log) -> None:
    """A signal is reported by its name."""
    async with running(Supervised(command("import os, signal; os.kill(os.getpid(), signal.SIGKILL)"), log)) as process:
        assert await process.next_death() == "signal SIGKILL"


async def test_cancelling_ends_the_process(log: Log) -> None:
    """When supervision ends so does the process."""
    async with running(Supervised(command(FOREVER), log)) as process:
        await until(lambda: bool(process.tail))
        pid = process.pid
        assert pid is not None
        assert is_alive(pid)
    assert not is_alive(pid)
    assert process.pid is None


async def test_what_ignores_sigterm_is_killed(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that does not listen is ended all the same."""
    monkeypatch.setattr(processes, "_STOP_GRACE", 0.1)
    code = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + FOREVER
    async with running(Supervised(command(code), log)) as process:
        await until(lambda: bool(process.tail))
        pid = process.pid
    assert pid is not None
    assert not is_alive(pid)


async def test_children_of_the_process_end_as_well(log: Log) -> None:
    """The whole group is ended, so a shell in between leaves nothing behind."""
    code = (
        f"import subprocess, sys\nchild = subprocess.Popen([sys.executable, '-c', {FOREVER!r}])\nprint(child.pid, flush=True)\nchild.wait()"
    )
    async with running(Supervised(command(code), log)) as process:
        await until(lambda: bool(process.tail))
        child = int(process.tail[0])
        assert is_alive(child)
    await until(lambda: not is_alive(child))


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux's")
async def test_nothing_outlives_us(tmp_path: Path) -> None:
    """When the supervising process is killed outright, the kernel ends what it started."""
    code = f"""
import asyncio, os
from pathlib import Path
from meshctl_operator.dev.processes import Command, Log, Supervised
async def main():
    job = Supervised(Command("job", ("python3", "-c", {FOREVER!r}), Path.cwd(), dict(os.environ)), Log(Path({str(tmp_path / "log")!r})))
    task = asyncio.create_task(job.run())
    while not job.tail:
        await asyncio.sleep(0.01)
    print(job.pid, flush=True)
    await task
asyncio.run(main())
"""
    supervisor = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE)
    assert supervisor.stdout is not None
    pid = int(await supervisor.stdout.readline())
    assert is_alive(pid)
    supervisor.kill()
    await supervisor.wait()
    await until(lambda: not is_alive(pid))


async def test_a_command_that_does_not_exist(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the command itself is started a missing one is an error that names it; behind the launcher it ends and is started again."""
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(MeshctlError, match="job: cannot start /nowhere/at-all"):
        await Supervised(Command("job", ("/nowhere/at-all",), Path.cwd(), {}), log).run()


def test_a_closed_log_takes_no_more(log: Log) -> None:
    """Last words after the end are dropped."""
    log.close()
    log.write("job", "too late")
    assert log.path.read_text() == ""
