"""What each annotation and label changes in a pod, as a patch to the pod that has none of them.

A file has the case (``annotations``, ``labels``, fields of the application's ``container``, ``settings`` of the installation) and what comes
of it: ``changes`` to the plain injected pod, and ``findings``. The bootstrap is shown as what it is, not as the text of an argument.
``plain.yaml`` has the whole pod. ``pytest tests/golden --update-golden`` rewrites what comes of the cases.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from meshctl_operator.injector.annotations import known_annotations
from meshctl_operator.injector.json_values import diff
from meshctl_operator.injector.settings import InjectorSettings
from meshctl_operator.injector.workloads import inject_object, uninject_object

FOLDER = Path(__file__).parent / "injector"
CASES = sorted(path.stem for path in FOLDER.glob("*.yaml"))
GIVEN = ("about", "annotations", "labels", "container", "settings")
SETTINGS = InjectorSettings(init_image="meshctl-operator:test")


def pod(case: dict[str, Any]) -> Any:
    """Return the pod of a case."""
    container = {"name": "web", "image": "example/web", "ports": [{"name": "http", "containerPort": 9080}], **case.get("container", {})}
    meta = {"name": "web-0", "namespace": "shop", "labels": {"app": "web", "version": "v1", **case.get("labels", {})}}
    if "annotations" in case:
        meta["annotations"] = case["annotations"]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": {"containers": [container]}}


def shown(raw: Any) -> Any:
    """Return a pod with texts that are JSON as what they say, and containers by their names."""
    copy = json.loads(json.dumps(raw))
    for kind in ("containers", "initContainers"):
        for container in copy["spec"].get(kind, []):
            words = container.get("args", [])
            if "--config-yaml" in words:
                container["bootstrap"] = json.loads(words.pop(words.index("--config-yaml") + 1))
                words.remove("--config-yaml")
                parts = container["bootstrap"]["static_resources"]
                parts["clusters"] = {cluster["name"]: cluster for cluster in parts["clusters"]}
                parts["listeners"] = {listener["name"]: listener for listener in parts["listeners"]}
            if words:
                container["args"] = " ".join(word or "''" for word in words)
            container["env"] = {entry["name"]: entry.get("value", entry.get("valueFrom")) for entry in container.get("env", [])}
        copy["spec"][kind] = {container["name"]: container for container in copy["spec"].get(kind, [])}
    status = copy["metadata"].get("annotations", {}).get("sidecar.istio.io/status")
    if status:
        copy["metadata"]["annotations"]["sidecar.istio.io/status"] = json.loads(status)
    return copy


def outcome(name: str, case: dict[str, Any]) -> dict[str, Any]:
    """Return what comes of a case."""
    settings = replace(SETTINGS, **case.get("settings", {}))
    raw = pod(case)
    done = inject_object(raw, settings)
    assert inject_object(done.value, settings).value == done.value, "twice is not once"
    assert uninject_object(done.value) == raw
    findings = [f"{finding.severity} {finding.code} {finding.path}: {finding.message}" for finding in done.diagnostics]
    if name == "plain":
        return {"pod": shown(done.value)}
    plain = shown(inject_object(pod({}), SETTINGS).value)
    changes = [dict(operation) for operation in diff(plain, shown(done.value))]
    injected = done.value is not raw
    return {"changes": changes if injected else "the pod gets no sidecar", **({"findings": findings} if findings else {})}


@pytest.mark.parametrize("name", CASES)
def test_case(name: str, request: pytest.FixtureRequest) -> None:
    """The pod is as the file says, the same when it is injected twice, and as before when the proxy is taken out."""
    path = FOLDER / f"{name}.yaml"
    written = yaml.safe_load(path.read_text()) or {}
    case = {key: value for key, value in written.items() if key in GIVEN}
    wanted = json.loads(json.dumps({**case, **outcome(name, case)}))
    if request.config.getoption("--update-golden"):
        path.write_text(yaml.safe_dump(wanted, sort_keys=False, width=140, allow_unicode=True))
        return
    assert wanted == written


def test_every_annotation_has_its_case() -> None:
    """An annotation that nobody looks at is one that nobody keeps."""
    asked = {key for name in CASES for key in (yaml.safe_load((FOLDER / f"{name}.yaml").read_text()) or {}).get("annotations", {})}
    known = known_annotations(SETTINGS)
    assert known <= asked, known - asked
