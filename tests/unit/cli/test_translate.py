"""``meshctl translate``."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from meshctl_operator.cli.main import main
from meshctl_operator.cli.translate import answer_line, decode_all
from tests.support.local_objects import deployment, service

MESH = deployment("reviews-v1") + "---" + service("reviews")
BAD = "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: bad}\nspec:\n  hosts: [reviews]\n  htpp: []\n"
PROXY = ["--proxy", "sidecar:reviews-v1.default"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a small mesh."""
    (tmp_path / "mesh").mkdir()
    (tmp_path / "mesh" / "mesh.yaml").write_text(MESH)
    return tmp_path / "mesh"


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Return exit code, standard output and standard error."""
    code = main(["translate", *arguments])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


@pytest.mark.parametrize(("output", "load"), [("json", json.loads), ("yaml", yaml.safe_load)])
def test_machine_output(folder: Path, capsys: pytest.CaptureFixture[str], output: str, load: Any) -> None:
    """JSON and YAML have the public fields, alone on standard output."""
    code, out, err = run(capsys, "-f", str(folder), *PROXY, "-o", output)
    assert (code, err) == (0, "")
    result = load(out)
    assert list(result) == ["proxy", "clusters", "endpoints", "listeners", "routes", "secrets", "diagnostics"]
    assert result["proxy"]["labels"] == {"app": "reviews"}


@pytest.mark.parametrize("arguments", [[], ["-o", "text"], ["-o", "summary"]], ids=["default", "text", "summary"])
def test_table(folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    """People get a table with the objects that things come from; a positional path means -f."""
    code, out, _ = run(capsys, str(folder), *PROXY, *arguments)
    assert code == 0
    assert "outbound|9080||reviews.default.svc.cluster.local" in out
    assert "Service/default/reviews" in out


def test_static_bootstrap(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """``-o envoy`` is a bootstrap with everything inline."""
    code, out, _ = run(capsys, "-f", str(folder), *PROXY, "-o", "envoy")
    written = yaml.safe_load(out)
    assert code == 0
    assert written["admin"]["address"]["socket_address"] == {"address": "127.0.0.1", "port_value": 15000}
    assert all(cluster["type"] != "EDS" for cluster in written["static_resources"]["clusters"] if "type" in cluster)
    assert "dynamic_resources" not in written


def test_a_rejected_object_is_exit_65_with_its_place(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The output is complete for the rest, the finding has file and line."""
    (folder / "bad.yaml").write_text(BAD)
    code, out, _ = run(capsys, "-f", str(folder), *PROXY, "-o", "json")
    assert code == 65
    result = json.loads(out)
    (finding,) = [finding for finding in result["diagnostics"] if finding["path"] == "spec.htpp"]
    assert (finding["source"], finding["line"]) == (str(folder / "bad.yaml"), 6)
    assert [route["name"] for route in result["routes"]] == ["9080"]


def test_no_validate_compiles_what_it_can(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Invalid objects are compiled without the parts that cannot be read, and nothing is rejected."""
    (folder / "bad.yaml").write_text(BAD + "  http: [{route: [{destination: {host: reviews}, weight: -1}]}]\n")
    code, out, _ = run(capsys, "-f", str(folder), *PROXY, "-o", "json", "--no-validate")
    assert code == 0
    assert {finding["severity"] for finding in json.loads(out)["diagnostics"]} == {"warning"}


def test_mesh_config(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The MeshConfig of a file is applied; unknown fields are findings with its name."""
    path = tmp_path / "mesh.yaml"
    path.write_text("proxyHttpPort: 15007\nproxyHtpPort: 1\n")
    code, out, _ = run(capsys, "-f", str(folder), *PROXY, "-o", "json", "--mesh-config", str(path))
    result = json.loads(out)
    assert code == 0
    assert "127.0.0.1_15007" in [listener["name"] for listener in result["listeners"]]
    assert [(finding["source"], finding["line"]) for finding in result["diagnostics"]] == [(str(path), 2)]


def test_a_bad_mesh_config_is_exit_65(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A value that cannot be read is an error, its default is used."""
    path = tmp_path / "mesh.yaml"
    path.write_text("connectTimeout: soon\n")
    code, out, _ = run(capsys, "-f", str(folder), *PROXY, "-o", "json", "--mesh-config", str(path))
    assert code == 65
    assert json.loads(out)["clusters"]


def test_switches_of_the_environment(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A switch of istiod that has no effect here is warned about on standard error."""
    monkeypatch.setenv("PILOT_ENABLE_AMBIENT", "true")
    code, _, err = run(capsys, "-f", str(folder), *PROXY, "-o", "json")
    assert code == 0
    assert "PILOT_ENABLE_AMBIENT" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (PROXY, "no config objects"),
        (["-f", "nowhere", *PROXY], "does not exist"),
        (["-f", "."], "no proxy is named"),
        (["--batch", "-", *PROXY], "--batch brings its own"),
        (["--batch", "nowhere"], "cannot be read"),
    ],
    ids=["no input", "missing input", "no proxy", "batch with proxy", "missing batch"],
)
def test_bad_usage(capsys: pytest.CaptureFixture[str], arguments: list[str], message: str) -> None:
    """Exit code 64 with what is wrong."""
    code, _, err = run(capsys, *arguments)
    assert code == 64
    assert message in err


def request(**more: object) -> str:
    """Return a line of a batch."""
    objects = list(yaml.safe_load_all(MESH))
    return json.dumps({"id": "one", "objects": objects, "proxy": {"type": "sidecar", "labels": {"app": "reviews"}}, **more})


def test_a_line_of_a_batch() -> None:
    """Each line is answered by the public form under its id."""
    answer: Any = answer_line(request(), 1)
    assert (answer["id"], answer["error"]) == ("one", None)
    assert [route["name"] for route in answer["result"]["routes"]] == ["9080"]


def test_mesh_config_and_validate_of_a_line() -> None:
    """A line brings its own MeshConfig, and says whether objects are validated."""
    bad = yaml.safe_load(BAD)
    answer: Any = answer_line(request(mesh_config={"proxyHttpPort": 15007}, objects=[bad]), 1)
    assert "127.0.0.1_15007" in [listener["name"] for listener in answer["result"]["listeners"]]
    assert [finding["severity"] for finding in answer["result"]["diagnostics"] if finding["object"]["name"] == "bad"] == ["error"]
    lenient: Any = answer_line(request(objects=[bad], validate=False), 1)
    assert {finding["severity"] for finding in lenient["result"]["diagnostics"]} <= {"warning"}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 7 is not JSON"),
        ("[]", "line 7 is not a JSON object"),
        (request(object=[]), '"object" is not a field'),
        (request(objects={}), "objects is not a list"),
        (json.dumps({"id": "one"}), "proxy is missing"),
        (request(proxy={"type": "sidcar"}), 'did you mean "sidecar"?'),
    ],
)
def test_mistakes_of_a_line(line: str, message: str) -> None:
    """A mistake is the answer to its line, and costs no other."""
    answer = answer_line(line, 7)
    assert answer["result"] is None
    assert message in str(answer["error"])


def test_nothing_in_a_line_raises() -> None:
    """Objects that are no objects are findings."""
    answer: Any = answer_line(request(objects=[1, None, [], {"kind": "List", "items": [{"kind": 3}]}, {}]), 1)
    assert answer["error"] is None
    assert len(answer["result"]["diagnostics"]) >= 3


def test_objects_given_twice_and_lists() -> None:
    """Lists are unfolded in their place; of two with one name the first counts."""
    objects = list(yaml.safe_load_all(MESH))
    inputs = decode_all([{"kind": "List", "items": objects}, *objects], "default")
    assert len(inputs.changes) == 2


def test_batch_from_standard_input(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines in, lines out, in order; empty lines are passed over; an error, be it bytes that are no text, makes the exit code 1."""
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(f"{request()}\n\n{{\n".encode() + b"\xff\n")))
    code, out, _ = run(capsys, "--batch", "-")
    first, second, third = map(json.loads, out.splitlines())
    assert code == 1
    assert "line 4 is not JSON" in third["error"]
    assert (first["id"], first["error"]) == ("one", None)
    assert (second["id"], second["result"]) == (None, None)


def test_batch_from_a_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A file of lines that all can be answered is exit code 0."""
    path = tmp_path / "batch"
    path.write_text(f"{request()}\n{request(id=2)}\n")
    code, out, _ = run(capsys, "--batch", str(path))
    assert code == 0
    assert [json.loads(line)["id"] for line in out.splitlines()] == ["one", 2]


def test_no_server_is_imported(folder: Path) -> None:
    """Translating needs neither gRPC nor aiohttp nor the dataclasses of the bootstrap."""
    code = (
        "import sys; from meshctl_operator.cli.main import main\n"
        f"assert main(['translate', '-f', {str(folder)!r}, '--proxy', 'sidecar:reviews-v1.default', '-o', 'envoy']) == 0\n"
        "print(sorted({'grpc', 'aiohttp', 'envoy_data_plane', 'rich', 'kopf'} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip().splitlines()[-1] == "[]"
