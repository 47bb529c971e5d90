"""Which pods get a proxy."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from meshctl_operator.injector.selection import refusal, webhook_rows
from meshctl_operator.injector.settings import InjectorSettings, LabelSelector

DEFAULT = InjectorSettings()
CANARY = InjectorSettings(revision="canary")
AUTO = InjectorSettings(enabled_by_default=True)


def chosen(settings: InjectorSettings, namespace: dict[str, str], pod: dict[str, str]) -> list[str]:
    """Return the webhooks to which the API server would send a pod."""
    return [row.name for row in webhook_rows(settings) if row.selects(namespace, pod)]


@pytest.mark.parametrize(
    ("settings", "namespace", "pod", "rows"),
    [
        (DEFAULT, {}, {}, []),
        (DEFAULT, {"istio-injection": "enabled"}, {}, ["namespace"]),
        (DEFAULT, {"istio-injection": "enabled"}, {"sidecar.istio.io/inject": "false"}, []),
        (DEFAULT, {"istio-injection": "disabled"}, {"sidecar.istio.io/inject": "true"}, []),
        (DEFAULT, {}, {"sidecar.istio.io/inject": "true"}, ["object"]),
        (DEFAULT, {}, {"sidecar.istio.io/inject": "true", "istio.io/rev": "canary"}, []),
        (DEFAULT, {"istio.io/rev": "default"}, {}, ["rev.namespace"]),
        (DEFAULT, {"istio-injection": "enabled", "istio.io/rev": "canary"}, {}, ["namespace"]),
        (CANARY, {"istio-injection": "enabled", "istio.io/rev": "canary"}, {}, []),
        (CANARY, {"istio.io/rev": "canary"}, {}, ["rev.namespace"]),
        (CANARY, {"istio.io/rev": "canary"}, {"sidecar.istio.io/inject": "false"}, []),
        (CANARY, {}, {"istio.io/rev": "canary"}, ["rev.object"]),
        (CANARY, {}, {"istio.io/rev": "canary", "sidecar.istio.io/inject": "false"}, []),
        (CANARY, {}, {"sidecar.istio.io/inject": "true"}, []),
        (AUTO, {}, {}, ["auto"]),
        (AUTO, {"kubernetes.io/metadata.name": "kube-system"}, {}, []),
        (AUTO, {"istio-injection": "disabled"}, {}, []),
        (AUTO, {}, {"sidecar.istio.io/inject": "true"}, ["object"]),
    ],
)
def test_rows(settings: InjectorSettings, namespace: dict[str, str], pod: dict[str, str], rows: list[str]) -> None:
    """Each combination is for one webhook at most, or a pod would come in twice."""
    assert chosen(settings, namespace, pod) == rows


def why(settings: InjectorSettings = DEFAULT, namespace: str = "default", **pod: Any) -> str:
    """Return why a pod is refused."""
    return refusal(pod, namespace, settings)


def test_pods_that_come_in() -> None:
    """The label decides before the annotation, and both before the policy."""
    say = "sidecar.istio.io/inject"
    assert why() == ""
    assert "network of its node" in why(spec={"hostNetwork": True}, metadata={"labels": {say: "true"}})
    assert "kube-system" in why(namespace="kube-system", metadata={"labels": {say: "true"}})
    assert say in why(metadata={"labels": {say: "false"}, "annotations": {say: "true"}})
    assert why(metadata={"labels": {say: "true"}, "annotations": {say: "false"}}) == ""
    assert say in why(metadata={"annotations": {say: "false"}})


def test_policies() -> None:
    """Never beats always, and without a policy only those come in that ask for it."""
    labels: Any = {"metadata": {"labels": {"app": "x"}}}
    never, always = (LabelSelector({"app": "x"}),), (LabelSelector({"app": "x"}),)
    assert "never" in why(replace(DEFAULT, never_inject=never, always_inject=always), **labels)
    off = replace(DEFAULT, policy_enabled=False)
    assert "asks for it" in why(off)
    assert why(replace(off, always_inject=always), **labels) == ""
    assert why(off, metadata={"annotations": {"sidecar.istio.io/inject": "true"}}) == ""
