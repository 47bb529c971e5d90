"""The entry point: verbs, exit codes, messages instead of tracebacks, start-up time."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest

from meshctl_operator import __version__
from meshctl_operator.base.errors import MeshctlError, SettingsError
from meshctl_operator.cli import main as module
from meshctl_operator.cli.main import RESERVED, VERBS, LazyGroup, cli, main


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    """One line."""
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"meshctl {__version__}\n"


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_help_lists_every_verb(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Also when nothing is asked for."""
    assert main(arguments) == 0
    shown = capsys.readouterr().out
    assert all(verb in shown for verb in VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each of them can be imported."""
    assert main([verb, "--help"]) == 0
    shown = capsys.readouterr().out
    assert "Usage:" in shown
    assert "\\b" not in shown


def test_examples_are_not_wrapped(capsys: pytest.CaptureFixture[str]) -> None:
    """A command of the help can be copied as it stands."""
    main(["dev", "--help"])
    assert "  meshctl dev examples/bookinfo\n" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["vaildate"], ["--nonsense"], ["validate", "--nonsense"], ["validate"], ["serve"]])
def test_bad_usage_exits_64(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """With a message and a hint on standard error, and nothing on standard output."""
    assert main(arguments) == 64
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("error: ")
    assert "hint: " in shown.err


def test_a_misspelled_verb_gets_a_suggestion(capsys: pytest.CaptureFixture[str]) -> None:
    """Typing errors are the usual cause."""
    main(["vaildate"])
    assert 'Did you mean "validate"?' in capsys.readouterr().err


@pytest.mark.parametrize("verb", [*RESERVED, "ps", "pc"])
def test_verbs_to_come_say_so(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Those who know other meshes type them; what serves in their place today is the hint."""
    assert main([verb, "something"]) == 64
    shown = capsys.readouterr().err
    assert "is not there yet" in shown
    assert "hint: " in shown
    assert verb not in VERBS


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (MeshctlError("no good", hint="do better"), 1, "error: no good\n  hint: do better\n"),
        (SettingsError("bad flag"), 64, "error: bad flag\n"),
        (click.ClickException("click says no"), 1, "error: click says no\n"),
        (KeyboardInterrupt(), 130, "\n"),  # by click, so that the prompt stands on a line of its own
        (click.Abort(), 130, ""),
        (PermissionError(13, "Permission denied", "x.yaml"), 1, "error: Permission denied: x.yaml\n"),
    ],
)
def test_errors_become_messages_and_exit_codes(
    error: BaseException, code: int, message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Never a traceback."""
    monkeypatch.setattr(LazyGroup, "get_command", _raising(error))
    assert main(["version"]) == code
    assert capsys.readouterr().err == message


def _raising(error: BaseException) -> object:
    def get_command(*_: object) -> None:
        raise error

    return get_command


def test_a_defect_of_ours_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The traceback is for those who ask for it."""
    monkeypatch.setattr(LazyGroup, "get_command", _raising(ZeroDivisionError("oh")))
    monkeypatch.delenv("MESHCTL_TRACEBACK", raising=False)
    assert main(["version"]) == 1
    assert "internal error" in capsys.readouterr().err
    monkeypatch.setenv("MESHCTL_TRACEBACK", "1")
    with pytest.raises(ZeroDivisionError):
        main(["version"])


def test_a_reader_that_goes_away_is_fine() -> None:
    """``meshctl docs | head -1`` ends quietly."""
    command = f"{sys.executable} -m meshctl_operator.cli.main docs | head -1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == ""


def test_a_verb_that_is_no_command_is_a_defect(monkeypatch: pytest.MonkeyPatch) -> None:
    """The table of verbs names commands."""
    monkeypatch.setitem(module.VERBS, "version", module.Verb("main", "main", ""))
    with pytest.raises(TypeError):
        cli.get_command(click.Context(cli), "version")


HEAVY = ("grpc", "envoy", "google.protobuf", "aiohttp", "rich", "watchfiles", "cryptography", "envoy_data_plane", "kopf", "kubernetes")


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["validate", "-"], ["version"], ["completion", "bash"]])
def test_light_verbs_import_nothing_heavy(arguments: list[str]) -> None:
    """Start-up time is a feature: an import that creeps in shows here, not in a stop-watch."""
    program = (
        "import sys\n"
        "from meshctl_operator.cli.main import main\n"
        f"main({arguments!r})\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], input="", capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr.splitlines()[-1] == "[]"
