"""Golden cases: config objects in, what each proxy is served out, as YAML that a reviewer can read.

A case is a folder with ``case.yaml``: ``inputs`` (files or folders, relative to the case; ``in.yaml`` if absent), ``proxies`` (as the
command line takes them) and, if it matters, ``mesh`` (fields of MeshConfig). Beside it stand ``xds.<proxy>.yaml`` and
``diagnostics.yaml``, written by ``pytest tests/golden --update-golden``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from meshctl_operator.apis.changes import Change
from meshctl_operator.apis.mesh_config import MeshConfig
from meshctl_operator.apis.mesh_settings import MeshSettings
from meshctl_operator.base.diagnostics import Diagnostic, sorted_unique
from meshctl_operator.controlplane.proxy_descriptions import parse_proxy
from meshctl_operator.controlplane.translation import Translation, translate
from meshctl_operator.sources.files import list_files, read_text
from meshctl_operator.sources.loading import load

ROOT = Path(__file__).parents[1] / "golden"


def load_objects(paths: list[Path], default_namespace: str = "default") -> tuple[list[Change], list[Diagnostic]]:
    """Return the decoded objects of files and folders, and the findings about documents that gave none."""
    changes: list[Change] = []
    findings: list[Diagnostic] = []
    for path in (file for given in paths for file in (list_files(given) if given.is_dir() else [given])):
        loaded = load(read_text(path), path.name, default_namespace)
        changes += [*loaded.accepted.values(), *loaded.rejected.values()]
        findings += loaded.findings
    return changes, findings


@dataclass(frozen=True)
class GoldenCase:
    """One folder of golden files."""

    folder: Path

    @property
    def name(self) -> str:
        """``area/case``."""
        return str(self.folder.relative_to(ROOT))

    def outputs(self) -> dict[str, Any]:
        """Return what the compiler says now, by file name."""
        case = yaml.safe_load((self.folder / "case.yaml").read_text())
        changes, findings = load_objects([self.folder / given for given in case.get("inputs", ["in.yaml"])])
        mesh = MeshSettings(MeshConfig.model_validate(case.get("mesh", {})))
        files: dict[str, Any] = {}
        for proxy in case["proxies"]:
            translation = translate(changes, parse_proxy(proxy), mesh)
            findings += translation.diagnostics
            files[f"xds.{proxy.partition(':')[2]}.yaml"] = self._xds(translation)
        files["diagnostics.yaml"] = [finding.to_json() for finding in sorted_unique(findings)]
        return files

    def committed(self) -> dict[str, Any]:
        """Return the golden files as they stand, by name."""
        golden = [*self.folder.glob("xds.*.yaml"), *self.folder.glob("diagnostics.yaml")]
        return {path.name: yaml.safe_load(path.read_text()) for path in golden}

    def update(self) -> None:
        """Write what the compiler says now over the golden files."""
        for name in self.committed():
            (self.folder / name).unlink()
        for name, content in self.outputs().items():
            text = yaml.dump(content, Dumper=yaml.SafeDumper, sort_keys=False, width=140, allow_unicode=True)
            (self.folder / name).write_text(text)

    @staticmethod
    def _xds(translation: Translation) -> dict[str, Any]:
        page = translation.to_json()
        del page["diagnostics"], page["proxy"]
        return page


def golden_cases() -> Iterator[GoldenCase]:
    """Yield every case in the order of the names."""
    for case in sorted(ROOT.glob("*/*/case.yaml")):
        yield GoldenCase(case.parent)
