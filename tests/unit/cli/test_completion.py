"""``meshctl completion``."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from meshctl_operator.cli.main import main


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_scripts_ask_meshctl_itself(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    """They call it with a variable of their own."""
    assert main(["completion", shell]) == 0
    assert "_MESHCTL_COMPLETE" in capsys.readouterr().out


def test_verbs_are_completed() -> None:
    """What the script of a shell would see."""
    environment = {**os.environ, "_MESHCTL_COMPLETE": "bash_complete", "COMP_WORDS": "meshctl va", "COMP_CWORD": "1"}
    command = [sys.executable, "-m", "meshctl_operator.cli.main"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert "plain,validate" in done.stdout


def test_other_shells_are_bad_usage() -> None:
    """The message lists those that are known."""
    assert main(["completion", "tcsh"]) == 64
