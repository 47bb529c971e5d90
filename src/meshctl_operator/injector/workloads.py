"""Where pods stand in objects of Kubernetes: in a Pod, or in the template of what makes pods."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from meshctl_operator.base.diagnostics import Compiled
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.injector import codes
from meshctl_operator.injector.injection import inject, is_injected, uninject
from meshctl_operator.injector.json_values import JsonObject, as_object, as_objects, as_text, as_texts, copied
from meshctl_operator.injector.selection import refusal
from meshctl_operator.injector.settings import InjectorSettings

_TEMPLATES: Final = {
    "Pod": (),
    "Deployment": ("spec", "template"),
    "DaemonSet": ("spec", "template"),
    "StatefulSet": ("spec", "template"),
    "ReplicaSet": ("spec", "template"),
    "ReplicationController": ("spec", "template"),
    "DeploymentConfig": ("spec", "template"),
    "Job": ("spec", "template"),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
}
_PLURALS: Final = {"DeploymentConfig": "deploymentconfigs"}
_CRON_SUFFIX: Final = re.compile(r"-\d{8,10}$")


@dataclass(frozen=True, slots=True)
class Workload:
    """What a pod belongs to: its name, and its address as Istio writes it."""

    name: str
    owner: str


def has_pods(raw: JsonObject) -> bool:
    """Tell whether an object is a Pod or makes pods."""
    return as_text(raw.get("kind")) in _TEMPLATES


def key_of(raw: JsonObject, default_namespace: str = "default") -> ObjectKey:
    """Return what findings about an object speak of."""
    meta = as_object(raw.get("metadata"))
    name = as_text(meta.get("name")) or as_text(meta.get("generateName"))
    return ObjectKey(as_text(raw.get("kind")), as_text(meta.get("namespace")) or default_namespace, name)


def inject_object(raw: JsonObject, settings: InjectorSettings, default_namespace: str = "default") -> Compiled[JsonObject]:
    """Return an object with the proxy in its pods. One without pods, or whose pods opt out, is returned as it is; the latter with a note."""
    if not has_pods(raw):
        return Compiled(raw)
    key = key_of(raw, default_namespace)
    reason = refusal(_template(raw), key.namespace, settings)
    if reason:
        return Compiled(raw, (codes.NOT_INJECTED.info(key, "", f"the pod gets no sidecar: {reason}"),))
    about = owner_of(raw, key.namespace) if raw.get("kind") == "Pod" else _workload(as_text(raw.get("apiVersion")), key)
    done = inject(_template(raw), settings, subject=key, workload=about.name, owner=about.owner)
    return Compiled(_changed(raw, lambda _: done.value), done.diagnostics)


def uninject_object(raw: JsonObject) -> JsonObject:
    """Return an object without the proxy in its pods."""
    return _changed(raw, uninject) if has_pods(raw) and is_injected(_template(raw)) else raw


def owner_of(pod: JsonObject, namespace: str) -> Workload:
    """Return what a pod belongs to, by its owner and the names that controllers make: a ReplicaSet stands for its Deployment."""
    meta = as_object(pod.get("metadata"))
    owner = next((each for each in as_objects(meta.get("ownerReferences")) if each.get("controller") is True), None)
    if owner is None:
        name = as_text(meta.get("name")) or as_text(meta.get("generateName")).removesuffix("-")
        return _workload("v1", ObjectKey("Pod", namespace, name))
    kind, name, version = as_text(owner.get("kind")), as_text(owner.get("name")), as_text(owner.get("apiVersion"))
    suffix = as_texts(meta.get("labels")).get("pod-template-hash", "")
    if kind == "ReplicaSet" and suffix and name.endswith(f"-{suffix}"):
        return _workload("apps/v1", ObjectKey("Deployment", namespace, name.removesuffix(f"-{suffix}")))
    if kind == "Job" and _CRON_SUFFIX.search(name):
        return _workload("batch/v1", ObjectKey("CronJob", namespace, _CRON_SUFFIX.sub("", name)))
    return _workload(version, ObjectKey(kind, namespace, name))


def _workload(version: str, key: ObjectKey) -> Workload:
    plural = _PLURALS.get(key.kind, f"{key.kind.lower()}s")
    return Workload(key.name, f"kubernetes://apis/{version}/namespaces/{key.namespace}/{plural}/{key.name}")


def _template(raw: JsonObject) -> JsonObject:
    found = raw
    for part in _TEMPLATES[as_text(raw.get("kind"))]:
        found = as_object(found.get(part))
    return found


def _changed(raw: JsonObject, change: Callable[[JsonObject], JsonObject]) -> JsonObject:
    """Return the object with its pod, or the template of its pods, changed."""
    path = _TEMPLATES[as_text(raw.get("kind"))]
    if not path:
        return change(raw)
    result = copied(raw)
    holder = result
    for part in path[:-1]:
        holder = as_object(holder[part])
    holder[path[-1]] = change(as_object(holder[path[-1]]))
    return result
