"""The mutating webhook as a function: an AdmissionReview in, an AdmissionReview out. Serving it by HTTPS is somebody else's business."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from meshctl_operator.base.diagnostics import Severity, has_errors
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.injector.injection import inject
from meshctl_operator.injector.json_values import JsonObject, as_object, as_text, diff
from meshctl_operator.injector.selection import refusal
from meshctl_operator.injector.settings import InjectorSettings
from meshctl_operator.injector.workloads import owner_of

PATH: Final = "/inject"
"""Where the handler is served. Below it a path may say more: ``/inject/cluster/NAME/net/NAME``, a slash in a name written ``--slash--``."""
_API_VERSION: Final = "admission.k8s.io/v1"
_BAD_REQUEST: Final = 400
_INVALID: Final = 422
_SLASH: Final = "--slash--"


def review(body: object, settings: InjectorSettings) -> JsonObject:
    """Answer a review of a new pod: with the patch that puts the proxy in, without one for a pod that gets none, or with a refusal.

    What is no review of a pod is refused with status 400. Warnings are shown by kubectl.
    """
    request = as_object(as_object(body).get("request"))
    uid = as_text(request.get("uid"))
    pod = as_object(request.get("object"))
    kind = as_text(as_object(request.get("kind")).get("kind"))
    if as_object(body).get("kind") != "AdmissionReview" or not uid or kind != "Pod" or not isinstance(pod.get("spec"), dict):
        return _answer(uid, allowed=False, status={"code": _BAD_REQUEST, "message": "this is no AdmissionReview of a Pod"})
    meta = as_object(pod.get("metadata"))
    namespace = as_text(request.get("namespace")) or as_text(meta.get("namespace")) or "default"
    if refusal(pod, namespace, settings):
        return _answer(uid, allowed=True)
    owner = owner_of(pod, namespace)
    key = ObjectKey("Pod", namespace, as_text(meta.get("name")) or as_text(meta.get("generateName")))
    done = inject(pod, settings, subject=key, workload=owner.name, owner=owner.owner)
    if has_errors(done.diagnostics):
        said = "; ".join(f"{each.path}: {each.message}" for each in done.diagnostics if each.severity is Severity.ERROR)
        return _answer(uid, allowed=False, status={"code": _INVALID, "reason": "Invalid", "message": f"the pod gets no sidecar: {said}"})
    operations = diff(pod, done.value)
    patch = base64.b64encode(json.dumps(operations, separators=(",", ":")).encode()).decode()
    warnings = [f"{each.path}: {each.message}" for each in done.diagnostics if each.severity is Severity.WARNING]
    extra: JsonObject = {"patchType": "JSONPatch", "patch": patch} if operations else {}
    return _answer(uid, allowed=True, **extra, **({"warnings": [*warnings]} if warnings else {}))


def settings_of_path(path: str, settings: InjectorSettings) -> InjectorSettings:
    """Return the settings with what the path of a request says about the cluster that it comes from; unknown parts are ignored."""
    parts = [part.replace(_SLASH, "/") for part in path.removeprefix(PATH).strip("/").split("/")]
    said: Mapping[str, str] = dict(zip(parts[::2], parts[1::2], strict=False))
    return replace(settings, cluster_id=said.get("cluster", settings.cluster_id), network=said.get("net", settings.network))


def _answer(uid: str, *, allowed: bool, **rest: object) -> JsonObject:
    response = as_object({"uid": uid, "allowed": allowed, **rest})
    return {"apiVersion": _API_VERSION, "kind": "AdmissionReview", "response": response}
