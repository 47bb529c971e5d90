"""``meshctl inject`` and ``uninject`` as pipes."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest
import yaml

from meshctl_operator.cli.main import main

MESH = Path(__file__).parents[3] / "examples" / "bookinfo" / "mesh"


def run(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    """Return the standard output of a command."""
    assert main(list(arguments)) == code
    return capsys.readouterr().out


def objects(text: str) -> list[dict[str, object]]:
    """Return the objects of a text; types may be anything in tests."""
    return list(yaml.safe_load_all(text))


def test_manifests_come_out_as_they_went_in_but_for_pods(capsys: pytest.CaptureFixture[str]) -> None:
    """In their order; a second time nothing changes, and taken out it is as before."""
    once = run(capsys, "inject", "-f", str(MESH))
    files = [raw for file in sorted(MESH.glob("*.yaml")) for raw in yaml.safe_load_all(file.read_text())]
    for before, after in zip(files, objects(once), strict=True):
        assert (before == after) is (before["kind"] != "Deployment")


def test_twice_and_back(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Through files as through pipes."""
    first = tmp_path / "first.yaml"
    first.write_text(run(capsys, "inject", str(MESH / "ratings.yaml")))
    assert run(capsys, "inject", str(first)) == first.read_text()
    assert objects(run(capsys, "uninject", str(first))) == list(yaml.safe_load_all((MESH / "ratings.yaml").read_text()))


def test_standard_input(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A list is unfolded; what opts out passes, with a word on standard error."""
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": {"containers": [{"name": "a"}]}}
    out = {**pod, "metadata": {"name": "y", "labels": {"sidecar.istio.io/inject": "false"}}}
    text = yaml.safe_dump({"apiVersion": "v1", "kind": "List", "items": [pod, out]})
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    assert main(["inject", "-f", "-"]) == 0
    shown = capsys.readouterr()
    first, second = objects(shown.out)
    assert "istio-proxy" in str(first)
    assert second == out
    assert "MC4305" in shown.err


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--xds", "istiod.x:15010"), '"address":"istiod.x","port_value":15010'),
        (("--proxy-image", "mine:1"), "image: mine:1"),
        (("--init-image", "init:1"), "image: init:1"),
        (("--native-sidecars",), "restartPolicy: Always"),
        (("--cluster-domain", "example.org"), ".svc.example.org"),
        (("--dual-stack",), "- --dual-stack"),
        (("-r", "canary"), "istio.io/rev: canary"),
    ],
)
def test_options(options: tuple[str, ...], expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each reaches the pods."""
    path = str(MESH / "ratings.yaml")
    assert expected not in run(capsys, "inject", path)
    assert expected in run(capsys, "inject", path, *options)


def test_unusable_annotations(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The object passes without a sidecar, what is wrong is told with its file, and the exit code says so; the others are done."""
    path = tmp_path / "pods.yaml"
    pod = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: {}\n  annotations: {{sidecar.istio.io/logLevel: {}}}\nspec: {{containers: [{{name: a}}]}}\n"
    path.write_text(f"{pod.format('bad', 'loud')}---\n{pod.format('good', 'info')}---\n[\n")
    assert main(["inject", str(path)]) == 65
    shown = capsys.readouterr()
    bad, good = objects(shown.out)
    assert "istio-proxy" not in str(bad)
    assert "istio-proxy" in str(good)
    assert f"{path}:1: error [MC4301]" in shown.err
    assert "MC40" in shown.err


@pytest.mark.parametrize("arguments", [["inject"], ["uninject"], ["inject", "nothing.yaml"], ["inject", str(MESH), "--xds", "x"]])
def test_bad_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is printed."""
    assert main(arguments) == 64
    assert capsys.readouterr().out == ""
