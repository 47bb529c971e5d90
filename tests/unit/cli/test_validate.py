"""``meshctl validate``: verdicts, places, exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from meshctl_operator.cli.main import main

GOOD = """\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews}
spec:
  hosts: [reviews]
  http:
  - route:
    - destination: {host: reviews}
"""
BAD = GOOD.replace("hosts:", "hostz:")
FOREIGN = "apiVersion: v1\nkind: Event\nmetadata: {name: x}\n"
NOT_ENFORCED = "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: x}\nspec: {}\n"


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, Any]:
    """Return exit code and parsed output."""
    code = main(["validate", "-o", "json", *arguments])
    return code, json.loads(capsys.readouterr().out)


def test_each_document_has_a_verdict(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In the order in which they were read, with file, document and line; a broken one costs none of the others."""
    path = tmp_path / "a.yaml"
    path.write_text(f"{GOOD}---\n{BAD}---\nkind: [\n---\n{FOREIGN}---\n{GOOD}")
    code, shown = run(capsys, "-f", str(tmp_path), "-n", "shop")
    assert code == 65
    rows = [(row["document"], row["line"], row["kind"], row["namespace"], row["name"], row["accepted"]) for row in shown["objects"]]
    assert rows == [
        (0, 1, "VirtualService", "shop", "reviews", True),
        (1, 10, "VirtualService", "shop", "reviews", False),
        (2, 19, None, None, None, False),
        (4, 25, "VirtualService", "shop", "reviews", True),
    ]
    assert shown["summary"] == {"accepted": 2, "rejected": 2, "skipped": 1, "warnings": 0}
    assert {row["source"] for row in shown["objects"]} == {str(path)}
    assert shown["objects"][0]["apiVersion"] == "networking.istio.io/v1"
    unknown = next(finding for finding in shown["objects"][1]["diagnostics"] if finding["path"] == "spec.hostz")
    assert unknown["line"] == 14
    assert "hosts" in unknown["hint"]


def test_warnings_fail_only_when_strict(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A kind that istiod acts on and we do not is accepted with a warning, never skipped in silence."""
    path = tmp_path / "a.yaml"
    path.write_text(NOT_ENFORCED)
    code, shown = run(capsys, str(path))
    assert (code, shown["summary"]) == (0, {"accepted": 1, "rejected": 0, "skipped": 0, "warnings": 1})
    code, _ = run(capsys, str(path), "--strict")
    assert code == 65


def test_text_is_one_line_a_finding(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """File, line, code and object; no colour where nobody sees it."""
    path = tmp_path / "a.yaml"
    path.write_text(BAD)
    assert main(["validate", str(path)]) == 65
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{path}:5: error [MC1")
    assert lines[-1] == "0 accepted, 1 rejected, 0 skipped"
    assert "\x1b" not in "".join(lines)


def test_yaml_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same data."""
    path = tmp_path / "a.yaml"
    path.write_text(GOOD)
    assert main(["validate", "-o", "yaml", str(path)]) == 0
    assert yaml.safe_load(capsys.readouterr().out)["summary"]["accepted"] == 1


def test_a_missing_file_is_bad_usage(capsys: pytest.CaptureFixture[str]) -> None:
    """The message names it."""
    assert main(["validate", "-f", "no/such/file.yaml"]) == 64
    assert "no/such/file.yaml" in capsys.readouterr().err


def test_yaml_output_of_findings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Findings are plain data, also where their object is named by an enum."""
    path = tmp_path / "a.yaml"
    path.write_text(BAD)
    assert main(["validate", "-o", "yaml", str(path)]) == 65
    (entry,) = yaml.safe_load(capsys.readouterr().out)["objects"]
    assert entry["diagnostics"][0]["object"]["kind"] == entry["kind"]


def test_nothing_found_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder without objects is fine, but most often a mistake: a note on standard error says where was looked."""
    (tmp_path / ".hidden.yaml").write_text(GOOD)
    assert main(["validate", str(tmp_path), "-o", "json"]) == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out)["summary"]["accepted"] == 0
    assert str(tmp_path) in shown.err
    assert "hidden" in shown.err


def test_a_folder_for_dev_is_valid_as_a_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its own settings are no config objects."""
    (tmp_path / "meshctl-dev.yaml").write_text("meshConfig: mesh.yaml\n")
    (tmp_path / "mesh.yaml").write_text("accessLogFile: /dev/stdout\n")
    (tmp_path / "a.yaml").write_text(GOOD)
    assert run(capsys, str(tmp_path))[1]["summary"]["rejected"] == 0
