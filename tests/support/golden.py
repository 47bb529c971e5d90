"""Golden cases: config objects in, what each proxy is served out, as YAML that a reviewer can read.

A case is a folder with ``case.yaml``: ``inputs`` (files or folders, relative to the case; ``in.yaml`` if absent), ``proxies`` (as the
command line takes them, or as a file describes them) and, if they matter, ``mesh`` (fields of MeshConfig), ``switches`` (of istiod) and
``over`` (inputs that the case lays its own over: only what these change is written down). Beside it stand ``xds.<proxy>.yaml`` and ``diagnostics.yaml``, written by
``pytest tests/golden --update-golden``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from meshctl_operator.apis.changes import Change
from meshctl_operator.apis.mesh_config import MeshConfig
from meshctl_operator.apis.mesh_settings import MeshSettings
from meshctl_operator.base.diagnostics import Diagnostic, sorted_unique
from meshctl_operator.controlplane.proxy_descriptions import parse_proxy, read_proxy
from meshctl_operator.controlplane.translation import Translation, translate
from meshctl_operator.sources.files import list_files, read_text
from meshctl_operator.sources.loading import load

RESOURCES = ("clusters", "endpoints", "listeners", "routes", "secrets")
ROOT = Path(__file__).parents[1] / "golden"


def load_objects(
    paths: list[Path], default_namespace: str = "default", instead: Mapping[Path, str] | None = None
) -> tuple[list[Change], list[Diagnostic]]:
    """Return the decoded objects of files and folders, and the findings about documents that gave none.

    ``instead`` has texts that stand in for files.
    """
    changes: list[Change] = []
    findings: list[Diagnostic] = []
    for path in (file for given in paths for file in (list_files(given) if given.is_dir() else [given])):
        loaded = load((instead or {}).get(path) or read_text(path), path.name, default_namespace)
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

    def outputs(self, instead: Mapping[Path, str] | None = None) -> dict[str, Any]:
        """Return what the compiler says now, by file name. ``instead`` has texts that stand in for input files."""
        case = yaml.safe_load((self.folder / "case.yaml").read_text())
        below = [self.folder / given for given in case.get("over", [])]
        changes, findings = load_objects([*below, *(self.folder / given for given in case.get("inputs", ["in.yaml"]))], instead=instead)
        switches = tuple(sorted(case.get("switches", {}).items()))
        mesh = MeshSettings(MeshConfig.model_validate(case.get("mesh", {})), switches=switches)
        files: dict[str, Any] = {}
        for given in case["proxies"]:
            proxy = parse_proxy(given) if isinstance(given, str) else read_proxy(given)
            translation = translate(changes, proxy, mesh)
            findings += translation.diagnostics
            page = self._xds(translation)
            if below:
                _leave_out(page, self._xds(translate(load_objects(below)[0], proxy, mesh)))
            name = given.partition(":")[2] if isinstance(given, str) else f"{given['name']}.{given['namespace']}"
            files[f"xds.{name}.yaml"] = page
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
    def _xds(translation: Translation) -> dict[str, list[Any]]:
        """Return the messages of a translation."""
        page = json.loads(json.dumps(translation.to_json()))  # plain mappings and lists, as YAML gives them back
        return {kind: [_ordered(message) for message in page[kind]] for kind in RESOURCES}


def _leave_out(page: dict[str, list[Any]], below: dict[str, list[Any]]) -> None:
    """Take out of a page what stands in the page below it."""
    for kind, messages in page.items():
        page[kind] = [message for message in messages if message not in below[kind]]


def _ordered(value: Any) -> Any:
    """Return the value with names first and other keys in the order of the alphabet: the order in a Struct means nothing."""
    match value:
        case dict():
            return {key: _ordered(value[key]) for key in sorted(value, key=lambda key: (key not in {"name", "cluster_name"}, key))}
        case list():
            return [_ordered(item) for item in value]
        case _:
            return value


def golden_cases() -> Iterator[GoldenCase]:
    """Yield every case in the order of the names."""
    for case in sorted(ROOT.glob("*/*/case.yaml")):
        yield GoldenCase(case.parent)
