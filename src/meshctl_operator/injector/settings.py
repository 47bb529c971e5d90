"""What an installation says about the sidecars it injects: images, addresses, defaults. One pod may say otherwise by annotations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from meshctl_operator import __version__
from meshctl_operator.base.labels import selects

DEFAULT_REVISION: Final = "default"
IGNORED_NAMESPACES: Final = frozenset({"kube-system", "kube-public", "kube-node-lease", "local-path-storage"})
"""Namespaces of the cluster itself: without them no node would start, so nothing may stand in their way."""


@dataclass(frozen=True, slots=True)
class LabelSelector:
    """A selector of Kubernetes: pairs that must be there, and expressions ``(key, operator, values)``."""

    labels: Mapping[str, str] = field(default_factory=dict)
    expressions: tuple[tuple[str, str, tuple[str, ...]], ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Tell whether labels are selected; an empty selector selects nothing here, as in Istio's settings."""
        if not self.labels and not self.expressions:
            return False
        return selects(self.labels, labels) and all(matches_expression(expression, labels) for expression in self.expressions)


def matches_expression(expression: tuple[str, str, tuple[str, ...]], labels: Mapping[str, str]) -> bool:
    """Tell whether labels meet an expression (``metav1.LabelSelectorRequirement``); an unknown operator is met by none."""
    key, operator, values = expression
    match operator:
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return key not in labels or labels[key] not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
        case _:
            return False


@dataclass(frozen=True, slots=True)
class Resources:
    """What a container asks for and may use; empty parts are not stated."""

    cpu: str = ""
    memory: str = ""
    cpu_limit: str = ""
    memory_limit: str = ""


NO_RESOURCES: Final = Resources()


@dataclass(frozen=True, slots=True)
class InjectorSettings:
    """The installation.

    ``native_sidecars`` needs an API server of version 1.29 or newer (init containers with ``restartPolicy: Always``). ``cni`` says that
    somebody else sets up the interception, so that no init container is needed. ``mtls`` marks pods as reachable by mutual TLS.
    ``include_...`` and ``exclude_...`` are the defaults of the annotations of the same names. Times are in seconds.
    """

    revision: str = DEFAULT_REVISION
    xds_host: str = "meshctl.istio-system.svc"
    xds_port: int = 15010
    proxy_image: str = "docker.io/envoyproxy/envoy:v1.40.0"
    init_image: str = f"meshctl-operator:{__version__}"
    image_pull_secrets: tuple[str, ...] = ()
    cluster_domain: str = "cluster.local"
    cluster_id: str = "Kubernetes"
    network: str = ""
    mesh_id: str = ""
    native_sidecars: bool = False
    cni: bool = False
    ipv6: bool = False
    dual_stack: bool = False
    mtls: bool = False
    merge_prometheus: bool = True
    rewrite_probes: bool = True
    hold_application: bool = False
    enabled_by_default: bool = False
    policy_enabled: bool = True
    never_inject: tuple[LabelSelector, ...] = ()
    always_inject: tuple[LabelSelector, ...] = ()
    concurrency: int = 2
    log_level: str = "warning"
    component_log_level: str = "misc:error"
    resources: Resources = Resources("100m", "128Mi", "2", "1Gi")
    include_outbound_ranges: str = "*"
    exclude_outbound_ranges: str = ""
    include_inbound_ports: str = "*"
    exclude_inbound_ports: str = ""
    include_outbound_ports: str = ""
    exclude_outbound_ports: str = ""
    drain_seconds: int = 45
    termination_drain_seconds: int = 5
    proxy_metadata: Mapping[str, str] = field(default_factory=dict)
