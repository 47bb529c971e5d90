"""The Dockerfile, as far as it can be judged without a container engine: its steps for Python run in clean environments."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from deploy.generate import ROOT
from meshctl_operator import __version__

DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text()


def stages() -> list[list[tuple[str, str]]]:
    """Return the instructions of each stage as pairs of word and rest."""
    found: list[list[tuple[str, str]]] = []
    for line in DOCKERFILE.splitlines():
        word, _, rest = line.partition(" ")
        if word == "FROM":
            found.append([])
        if found and word.isupper():
            found[-1].append((word, rest))
    return found


@pytest.mark.timeout(300)
def test_the_install_steps_work(tmp_path: Path) -> None:
    """Every RUN of the first stage, with the files that are copied before it; what is installed runs without pip, and without the sources."""
    source = tmp_path / "src"
    source.mkdir()
    places = {"/opt/": f"{tmp_path}/opt/", "python -m venv": f"{sys.executable} -m venv"}
    environment = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    environment |= {"PIP_NO_COMPILE": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}  # 9,000 modules, most of them never imported
    for word, rest in stages()[0]:
        if word == "COPY":
            *given, target = rest.split()
            for name in given:
                path = ROOT / name
                (source / target).mkdir(parents=True, exist_ok=True)
                if path.is_dir():
                    shutil.copytree(path, source / target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
                else:
                    shutil.copy(path, source / target)
        elif word == "RUN":
            command = rest
            for there, here in places.items():
                command = re.sub(rf"(?<!\S){re.escape(there)}", here, command)
            subprocess.run(command, shell=True, cwd=source, env=environment, check=True, capture_output=True, timeout=250)  # noqa: S602  (lines of our own file)
    shutil.rmtree(source)
    meshctl = tmp_path / "opt" / "meshctl" / "bin" / "meshctl"
    said = subprocess.run([meshctl, "--version"], check=True, capture_output=True, text=True, env=environment, timeout=60).stdout
    assert __version__ in said
    written = subprocess.run([meshctl, "bootstrap", "--proxy", "router:a.b"], check=True, capture_output=True, text=True, timeout=60)
    assert written.stdout.startswith("node:")
    assert not list((tmp_path / "opt" / "meshctl" / "bin").glob("pip*"))


def test_locked_versions_are_those_that_we_ask_for() -> None:
    """Every dependency is locked, with hashes, and nothing is built from source."""
    locked = set(re.findall(r"^([a-z0-9-]+)==\S+ \\\n    --hash=sha256:", (ROOT / "deploy" / "requirements.txt").read_text(), re.MULTILINE))
    asked = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert {re.split("[<>=]", each)[0] for each in asked} <= locked
    installs = [rest for word, rest in stages()[0] if word == "RUN" and " -r " in rest]
    assert installs
    assert all("--require-hashes --only-binary :all:" in each for each in installs)


def test_the_image_is_lean_and_unprivileged() -> None:
    """Two stages on one pinned, slim base; the last one runs as a number, so that it can be seen not to be root."""
    base = re.search(r"^ARG BASE=(\S+)$", DOCKERFILE, re.MULTILINE)
    assert base is not None
    assert re.fullmatch(r"python:\d+\.\d+\.\d+-slim-\w+", base[1])
    build, last = stages()
    assert build[0][1] == "${BASE} AS build"
    assert last[0] == ("FROM", "${BASE}")
    assert ("USER", "65532:65532") in last
    assert not any("gcc" in rest or "build-essential" in rest for _, rest in (*build, *last))


def test_only_what_is_copied_is_sent_to_the_builder() -> None:
    """Nothing of a developer's folder gets into an image by accident."""
    allowed = {line.removeprefix("!") for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {name for word, rest in stages()[0] if word == "COPY" for name in rest.split()[:-1]}
    assert copied == allowed
