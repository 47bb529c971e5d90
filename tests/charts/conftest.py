"""An API server without the CRDs of routing kinds, with those of the Prometheus operator, and Helm."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.api_server import ApiServer, api_server
from tests.support.helm import Helm
from tests.support.meshes import RawObject

MONITORING = "monitoring.coreos.com"


def monitoring_crd(kind: str) -> RawObject:
    """Return a CRD of the Prometheus operator that takes everything."""
    plural = f"{kind.lower()}s"
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{MONITORING}"},
        "spec": {
            "group": MONITORING,
            "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural, "singular": kind.lower()},
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": anything}}],
        },
    }


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """A cluster on which charts are installed; what a test installs it uninstalls."""
    with api_server(tmp_path_factory.mktemp("charts"), crds=False, audited=True) as server:
        server.apply(monitoring_crd("ServiceMonitor"), monitoring_crd("PodMonitor"))
        for name in ("istio-system", "edge"):
            server.namespace(name)
        yield server


@pytest.fixture
def helm(tmp_path: Path) -> Helm:
    """Helm without a cluster."""
    return Helm(tmp_path / "helm")


@pytest.fixture
def cluster_helm(cluster: ApiServer, tmp_path: Path) -> Helm:
    """Helm as the administrator of the cluster."""
    return Helm(tmp_path / "helm", cluster.kubeconfig())
