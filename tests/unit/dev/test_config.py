"""Reading ``meshctl-dev.yaml``."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshctl_operator.base.errors import SettingsError
from meshctl_operator.dev.config import beside_config, load, settings_files

FULL = """\
config: [mesh/]
meshConfig: mesh.yaml
scenarios: scenarios/
workloads:
- deployment: reviews-v1
  command: [python3, reviews.py]
  env: {A: b}
processes:
- {name: outside, command: [python3, outside.py], listen: "127.0.10.10:8080"}
certificates:
- {secret: cert, hosts: [a.example.org]}
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A directory with a config folder, a MeshConfig and two scenarios."""
    for folder in ("mesh", "scenarios/canary-10", "scenarios/canary-50"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "mesh.yaml").write_text("{}")
    return tmp_path


def write(root: Path, text: str) -> None:
    """Write the file."""
    (root / "meshctl-dev.yaml").write_text(text)


def test_every_field(root: Path) -> None:
    """Paths become absolute, entries keep their order, defaults fill the rest."""
    write(root, FULL)
    config = load(root, "canary-10")
    assert config.config == (root / "mesh",)
    assert config.mesh_config == root / "mesh.yaml"
    assert config.scenario == root / "scenarios" / "canary-10"
    (workload,) = config.file.workloads
    assert (workload.deployment, workload.command, workload.env) == ("reviews-v1", ("python3", "reviews.py"), {"A": "b"})
    assert config.file.processes[0].listen == "127.0.10.10:8080"
    assert config.file.certificates[0].namespace == "istio-system"


def test_without_a_file_the_directory_is_the_config(tmp_path: Path) -> None:
    """A directory of config objects needs no further file."""
    config = load(tmp_path)
    assert config.config == (tmp_path,)
    assert config.file.workloads == ()


def test_an_empty_file_is_all_defaults(root: Path) -> None:
    """A file of comments says nothing."""
    write(root, "# nothing yet\n")
    assert load(root).config == (root,)


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("workloads:\n- deployment: a\n  comand: [x]\n", ":3: workloads[0].comand is not a field", 'did you mean "command"?'),
        ("workload: []\n", ":1: workload is not a field", 'did you mean "workloads"?'),
        ("workloads:\n- command: [x]\n", ":2: workloads[0].deployment is required", None),
        ("workloads:\n- deployment: a\n  command: run\n", ":3: workloads[0].command is not a list", None),
        ("config: [nowhere/]\n", '"nowhere/" does not exist', "paths are relative to"),
        ("config: [\n", "[MC4001]", None),
        ("a: 1\n---\nb: 2\n", "holds 2 documents", "it has one; config objects belong"),
    ],
    ids=["unknown field of an entry", "unknown field", "missing field", "wrong type", "missing folder", "not YAML", "two documents"],
)
def test_mistakes_are_explained(root: Path, text: str, message: str, hint: str | None) -> None:
    """Each mistake is reported with file, line and the way out."""
    write(root, text)
    with pytest.raises(SettingsError) as caught:
        load(root)
    assert message in str(caught.value)
    assert (caught.value.hint or "").startswith(hint or "")


@pytest.mark.parametrize(("name", "hint"), [("canary-11", 'did you mean "canary-10"?'), ("xyz", "there are canary-10, canary-50")])
def test_unknown_scenario(root: Path, name: str, hint: str) -> None:
    """A scenario that does not exist is answered with those that do."""
    write(root, FULL)
    with pytest.raises(SettingsError) as caught:
        load(root, name)
    assert caught.value.hint == hint


def test_a_scenario_needs_a_folder(tmp_path: Path) -> None:
    """Without ``scenarios:`` there is none to choose."""
    with pytest.raises(SettingsError, match="there are no scenarios"):
        load(tmp_path, "canary")


def test_not_a_directory(tmp_path: Path) -> None:
    """A missing directory is bad usage."""
    with pytest.raises(SettingsError, match="is not a directory"):
        load(tmp_path / "nowhere")


def test_other_commands_leave_out_what_is_no_config(root: Path) -> None:
    """The file and the MeshConfig always; the scenarios where one state of the mesh is wanted. Any other folder is config as a whole."""
    assert settings_files(root) == beside_config(root) == frozenset()
    write(root, FULL)
    settings = frozenset({root / "meshctl-dev.yaml", root / "mesh.yaml"})
    assert (settings_files(root), beside_config(root)) == (settings, settings | {root / "scenarios"})
