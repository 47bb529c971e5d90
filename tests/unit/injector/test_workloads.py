"""Objects of Kubernetes that make pods."""

from __future__ import annotations

from typing import Any

import pytest

from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.injector.settings import InjectorSettings
from meshctl_operator.injector.workloads import Workload, has_pods, inject_object, key_of, owner_of, uninject_object

POD: Any = {"metadata": {"labels": {"app": "x"}}, "spec": {"containers": [{"name": "app", "image": "x"}]}}
SETTINGS = InjectorSettings()


def workload(kind: str) -> Any:
    """Return an object of a kind with the pod where it belongs."""
    match kind:
        case "Pod":
            return {"kind": kind, **POD, "metadata": {"name": "x", **POD["metadata"]}}
        case "CronJob":
            spec: Any = {"jobTemplate": {"spec": {"template": POD}}}
        case _:
            spec = {"template": POD}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": "x", "namespace": "shop"}, "spec": spec}


KINDS = ("Pod", "Deployment", "DaemonSet", "StatefulSet", "ReplicaSet", "ReplicationController", "DeploymentConfig", "Job", "CronJob")


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_that_makes_pods(kind: str) -> None:
    """It gets its proxy, once however often, and is as before when it is taken out."""
    raw = workload(kind)
    done = inject_object(raw, SETTINGS).value
    assert "istio-proxy" in str(done)
    assert raw == workload(kind)
    assert inject_object(done, SETTINGS).value == done
    assert uninject_object(done) == raw
    assert uninject_object(raw) == raw


def test_others_pass() -> None:
    """Untouched, without a word."""
    raw: Any = {"kind": "Service", "spec": {"template": POD}}
    assert not has_pods(raw)
    assert inject_object(raw, SETTINGS).value is raw
    assert inject_object(raw, SETTINGS).diagnostics == ()
    assert uninject_object(raw) is raw


def test_those_who_opt_out_are_told() -> None:
    """By name."""
    raw = workload("Deployment")
    raw["spec"]["template"] = {**POD, "metadata": {"labels": {"sidecar.istio.io/inject": "false"}}}
    done = inject_object(raw, SETTINGS)
    assert done.value is raw
    (finding,) = done.diagnostics
    assert (finding.code, finding.subject) == ("MC4305", ObjectKey("Deployment", "shop", "x"))


def test_keys() -> None:
    """A name may be one in the making."""
    assert key_of({"kind": "Pod", "metadata": {"generateName": "x-"}}) == ObjectKey("Pod", "default", "x-")


def owned(kind: str, name: str, version: str = "apps/v1", **labels: str) -> Any:
    """Return a pod with an owner."""
    reference = {"kind": kind, "name": name, "apiVersion": version, "controller": True}
    return {"metadata": {"ownerReferences": [reference], "labels": {key.replace("_", "-"): value for key, value in labels.items()}}}


@pytest.mark.parametrize(
    ("pod", "name", "owner"),
    [
        (owned("ReplicaSet", "web-5d8f", pod_template_hash="5d8f"), "web", "apps/v1/namespaces/shop/deployments/web"),
        (owned("ReplicaSet", "web-5d8f"), "web-5d8f", "apps/v1/namespaces/shop/replicasets/web-5d8f"),
        (owned("Job", "tidy-28000000", "batch/v1"), "tidy", "batch/v1/namespaces/shop/cronjobs/tidy"),
        (owned("Job", "tidy", "batch/v1"), "tidy", "batch/v1/namespaces/shop/jobs/tidy"),
        (owned("StatefulSet", "db"), "db", "apps/v1/namespaces/shop/statefulsets/db"),
        ({"metadata": {"name": "alone"}}, "alone", "v1/namespaces/shop/pods/alone"),
        ({"metadata": {"generateName": "made-"}}, "made", "v1/namespaces/shop/pods/made"),
    ],
)
def test_owners(pod: Any, name: str, owner: str) -> None:
    """What a person would name: the Deployment, not the ReplicaSet of today."""
    assert owner_of(pod, "shop") == Workload(name, f"kubernetes://apis/{owner}")
