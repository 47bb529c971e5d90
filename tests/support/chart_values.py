"""Another value than the default for every value of every chart, with what must be set beside it to see that it does something."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_SELECTOR: Final = {"matchLabels": {"a": "b"}}
_SCALED: Final = {"autoscaling.enabled": True}
_TERM: Final = {"key": "a", "operator": "Exists"}
_AFFINITY: Final = {
    "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchExpressions": [_TERM]}]}}
}
_VOLUME: Final = {"name": "more", "emptyDir": {}}
_MOUNT: Final = {"name": "more", "mountPath": "/run/more"}
_SPREAD: Final = {
    "maxSkew": 2,
    "topologyKey": "kubernetes.io/hostname",
    "whenUnsatisfiable": "DoNotSchedule",
    "labelSelector": _SELECTOR,
}

Toggle = object | tuple[object, Mapping[str, object]]
"""A value, or a value and others beside it."""

_SHARED: Final[Mapping[str, Toggle]] = {
    "global.imageRegistry": "mirror.example/x",
    "global.imagePullSecrets": ["everywhere"],
    "fullnameOverride": "other",
    "commonLabels": {"team": "edge"},
    "image.repository": "elsewhere/image",
    "image.tag": "v9",
    "image.digest": "sha256:" + "0" * 64,
    "image.pullPolicy": "Always",
    "imagePullSecrets": [{"name": "one"}, "two"],
    "revision": "canary",
    "replicaCount": 3,
    "autoscaling.enabled": True,
    "autoscaling.minReplicas": (3, _SCALED),
    "autoscaling.maxReplicas": (7, _SCALED),
    "autoscaling.targetCPUUtilizationPercentage": (50, _SCALED),
    "autoscaling.targetMemoryUtilizationPercentage": (70, _SCALED),
    "autoscaling.behavior": ({"scaleDown": {"stabilizationWindowSeconds": 600}}, _SCALED),
    "podDisruptionBudget.enabled": False,
    "podDisruptionBudget.maxUnavailable": "50%",
    "podDisruptionBudget.minAvailable": 1,
    "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "100%"}},
    "revisionHistoryLimit": 2,
    "terminationGracePeriodSeconds": 90,
    "resources": {"requests": {"cpu": "1"}},
    "nodeSelector": {"disk": "ssd"},
    "tolerations": [{"key": "a", "operator": "Exists"}],
    "affinity": _AFFINITY,
    "topologySpread.keys": ["kubernetes.io/hostname"],
    "topologySpreadConstraints": [_SPREAD],
    "priorityClassName": "system-cluster-critical",
    "podAnnotations": {"a.example/b": "c"},
    "podLabels": {"a": "b"},
    "podSecurityContext": {"fsGroup": 7},
    "securityContext": {"runAsUser": 7},
    "serviceAccount.create": False,
    "serviceAccount.name": "somebody",
    "serviceAccount.annotations": {"a.example/b": "c"},
    "service.annotations": {"a.example/b": "c"},
    "service.ipFamilyPolicy": "PreferDualStack",
    "service.ipFamilies": ["IPv4"],
    "networkPolicy.enabled": True,
    "networkPolicy.metricsFrom": ([{"namespaceSelector": _SELECTOR}], {"networkPolicy.enabled": True}),
    "startupProbe": {"failureThreshold": 5},
    "readinessProbe": {"periodSeconds": 5},
    "env": {"A": "b", "NUMBER": 7},
    "extraEnv": [{"name": "X", "valueFrom": {"fieldRef": {"fieldPath": "status.hostIP"}}}],
    "extraVolumes": [_VOLUME],
    "extraVolumeMounts": ([_MOUNT], {"extraVolumes": [_VOLUME]}),
    "metrics.annotations": False,
}


def _monitor(name: str) -> dict[str, Toggle]:
    beside = {f"{name}.enabled": True}
    rule = {"action": "drop", "sourceLabels": ["a"], "regex": "b"}
    return {
        f"{name}.enabled": True,
        f"{name}.labels": ({"release": "prometheus"}, beside),
        f"{name}.interval": ("30s", beside),
        f"{name}.relabelings": ([rule], beside),
        f"{name}.metricRelabelings": ([rule], beside),
    }


TOGGLES: Final[Mapping[str, Mapping[str, Toggle]]] = {
    "meshctl-crds": {"install": "never", "commonLabels": {"team": "edge"}},
    "meshctl": {
        **_SHARED,
        **_monitor("serviceMonitor"),
        "nameOverride": "other",
        "defaultRevision": (True, {"revision": "canary"}),
        "meshConfig": {"accessLogFile": "/dev/stdout"},
        "gatewayNamespaces": ["edge", "istio-system"],
        "rbac.create": False,
        "bindAddress": "[::]",
        "ports.xds": 16010,
        "ports.http": 16014,
        "ports.webhook": 16017,
        "webhook.enabled": False,
        "webhook.failurePolicy": "Fail",
        "webhook.timeoutSeconds": 9,
        "networkPolicy.xdsFrom": ([{"podSelector": _SELECTOR}], {"networkPolicy.enabled": True}),
        "logLevel": "debug",
        "logFormat": "text",
        "extraArgs": ["--recompute"],
        "livenessProbe": {"periodSeconds": 5},
        "metrics.pilotNames": True,
    },
    "meshctl-gateway": {
        **_SHARED,
        **_monitor("podMonitor"),
        "labels": {"app": "mine", "istio": "mine"},
        "bootstrapImage.repository": "elsewhere/operator",
        "bootstrapImage.tag": "v9",
        "bootstrapImage.digest": "sha256:" + "1" * 64,
        "xds.address": "meshctl.mesh.svc:15010",
        "network": "network-1",
        "nodeMetadata": {"HTTP10": "1"},
        "preStopSeconds": 0,
        "concurrency": 0,
        "maxHeapMiB": 512,
        "drainSeconds": 10,
        "logLevel": "info",
        "componentLogLevel": "",
        "bootstrapResources": {"requests": {"cpu": "1"}},
        "service.type": "ClusterIP",
        "service.ports": [{"name": "tcp", "port": 9000, "targetPort": 9000}],
        "service.loadBalancerIP": "192.0.2.1",
        "service.loadBalancerClass": "example.com/class",
        "service.loadBalancerSourceRanges": ["192.0.2.0/24"],
        "service.externalTrafficPolicy": "Local",
        "service.internalTrafficPolicy": "Local",
        "networkPolicy.from": ([{"ipBlock": {"cidr": "192.0.2.0/24"}}], {"networkPolicy.enabled": True}),
        "ports.admin": 16000,
        "ports.status": 16021,
        "ports.metrics": 16090,
        "extraArgs": ["--ignore-unknown-dynamic-fields"],
    },
}


def split(toggle: Toggle) -> tuple[object, Mapping[str, object]]:
    """Return a value and the others beside it."""
    return toggle if isinstance(toggle, tuple) else (toggle, {})


def nested(values: Mapping[str, object]) -> dict[str, object]:
    """Return values with dotted names as Helm takes them."""
    found: dict[str, object] = {}
    for name, value in values.items():
        node = found
        *parents, last = name.split(".")
        for parent in parents:
            inner = node.setdefault(parent, {})
            assert isinstance(inner, dict)
            node = inner
        node[last] = value
    return found
