"""Releases in an API server: installed, upgraded, rolled back, uninstalled, or applied without Helm; what is somebody else's stays as it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from meshctl_operator.apis.kinds import KINDS, Kind
from tests.support.api_server import ROUTING, ApiServer, ApiServerError, object_path, permissive_crd
from tests.support.helm import CHARTS, Helm, chosen, documents
from tests.support.meshes import istio

pytestmark = [pytest.mark.helm, pytest.mark.apiserver]

NAMESPACE = ("--namespace", "istio-system")
PART_OF = ("-l", "app.kubernetes.io/part-of=meshctl")


@pytest.fixture
def clean(cluster: ApiServer) -> Iterator[ApiServer]:
    """The cluster; CRDs are taken away afterwards."""
    yield cluster
    for info in ROUTING:
        cluster.kubectl("delete", "crd", f"{info.plural}.{info.group}", "--ignore-not-found")


def stored(cluster: ApiServer, objects: list[Any]) -> list[Any]:
    """Return those of the objects that are in the API server, as they are there."""
    found = []
    for each in objects:
        try:
            found.append(cluster.request("GET", object_path(each)))
        except ApiServerError:
            continue
    return found


def generations(cluster: ApiServer, objects: list[Any]) -> list[tuple[str, str, int]]:
    """Return how often the specs of objects were changed."""
    found = (each["metadata"] | {"kind": each["kind"]} for each in stored(cluster, objects))
    return [(meta["kind"], meta["name"], meta.get("generation", 0)) for meta in found]


def crd_names(cluster: ApiServer, *selector: str) -> set[str]:
    """Return the names of CRDs."""
    lines = cluster.kubectl("get", "crd", "-o", "name", *selector).stdout.split()
    return {line.rpartition("/")[2] for line in lines}


@pytest.mark.parametrize(
    ("chart", "release", "change"),
    [
        ("meshctl", "meshctl", {"replicaCount": 4, "gatewayNamespaces": ["edge"]}),
        ("meshctl-gateway", "istio-ingressgateway", {"replicaCount": 4}),
    ],
)
def test_a_release_comes_changes_goes_back_and_goes(
    cluster: ApiServer, cluster_helm: Helm, chart: str, release: str, change: dict[str, object]
) -> None:
    """``helm install``, ``upgrade``, ``rollback`` and ``uninstall``; nothing is left in the end."""
    folder = str(CHARTS / chart)
    cluster_helm.run("install", release, folder, *NAMESPACE)
    objects = list(documents(cluster_helm.run("get", "manifest", release, *NAMESPACE).stdout))
    everything = [*objects]

    def replicas() -> int:
        (deployment,) = [each for each in stored(cluster, objects) if each["kind"] == "Deployment"]
        return int(deployment["spec"]["replicas"])

    assert len(stored(cluster, objects)) == len(objects)
    assert replicas() == 2
    cluster_helm.run("upgrade", release, folder, *NAMESPACE, values=change)
    everything += documents(cluster_helm.run("get", "manifest", release, *NAMESPACE).stdout)
    assert replicas() == 4
    cluster_helm.run("rollback", release, "1", *NAMESPACE)
    assert replicas() == 2
    assert len(stored(cluster, objects)) == len(objects)
    cluster_helm.run("uninstall", release, *NAMESPACE)
    assert stored(cluster, everything) == []


@pytest.mark.parametrize("chart", ["meshctl-crds", "meshctl", "meshctl-gateway"])
def test_rendered_charts_can_be_applied(clean: ApiServer, helm: Helm, chart: str) -> None:
    """``helm template | kubectl apply -f -``, twice: no hooks, nothing too large for the copy that kubectl keeps, all namespaces named."""
    text = helm.template(chart, release=chart)
    assert "helm.sh/hook" not in text
    objects = list(documents(text))
    try:
        clean.kubectl("apply", "-f", "-", stdin=text)
        first = generations(clean, objects)
        assert len(first) == len(objects)
        clean.kubectl("apply", "-f", "-", stdin=text)
        assert generations(clean, objects) == first
    finally:
        clean.kubectl("delete", "-f", "-", "--ignore-not-found", stdin=text)


def test_kinds_are_installed_and_stay(clean: ApiServer, cluster_helm: Helm) -> None:
    """Uninstalling the release leaves kinds and objects; a new release of the name takes them over again."""
    folder = str(CHARTS / "meshctl-crds")
    cluster_helm.run("install", "meshctl-crds", folder, *NAMESPACE)
    ours = {f"{info.plural}.{info.group}" for info in ROUTING}
    assert crd_names(clean, *PART_OF) == ours
    clean.kubectl("wait", "--for=condition=Established", "crd", "--timeout=30s", *PART_OF)
    rule = istio("VirtualService", "kept", {"hosts": ["a.test"], "http": [{"directResponse": {"status": 200}}]})
    clean.apply(rule)
    cluster_helm.run("uninstall", "meshctl-crds", *NAMESPACE)
    assert crd_names(clean, *PART_OF) == ours
    assert stored(clean, [rule])
    cluster_helm.run("install", "meshctl-crds", folder, *NAMESPACE, values={"commonLabels": {"again": "yes"}})
    assert crd_names(clean, "-l", "again=yes") == ours
    cluster_helm.run("upgrade", "meshctl-crds", folder, *NAMESPACE, values={"commonLabels": {"third": "time"}})
    assert crd_names(clean, "-l", "third=time") == ours
    cluster_helm.run("uninstall", "meshctl-crds", *NAMESPACE)


def test_kinds_of_others_are_left_alone(clean: ApiServer, cluster_helm: Helm) -> None:
    """``auto`` installs what is missing, ``always`` refuses to share, ``never`` does nothing."""
    theirs = KINDS[Kind.GATEWAY]
    clean.install(theirs)
    before = clean.request("GET", object_path(permissive_crd(theirs)))
    folder = str(CHARTS / "meshctl-crds")
    refused = cluster_helm.run("install", "strict", folder, *NAMESPACE, values={"install": "always"}, check=False)
    assert refused.returncode != 0
    assert "invalid ownership metadata" in refused.stderr
    cluster_helm.run("uninstall", "strict", *NAMESPACE, "--ignore-not-found")
    cluster_helm.run("install", "none", folder, *NAMESPACE, values={"install": "never"})
    assert crd_names(clean, *PART_OF) == set()
    cluster_helm.run("uninstall", "none", *NAMESPACE)
    cluster_helm.run("install", "meshctl-crds", folder, *NAMESPACE)
    assert len(crd_names(clean, *PART_OF)) == len(ROUTING) - 1
    assert clean.request("GET", object_path(permissive_crd(theirs))) == before
    cluster_helm.run("uninstall", "meshctl-crds", *NAMESPACE)


def test_two_revisions_stand_side_by_side(cluster: ApiServer, cluster_helm: Helm) -> None:
    """A second release in the same namespace takes nothing from the first, and its webhook asks about its own objects only."""
    folder = str(CHARTS / "meshctl")
    cluster_helm.run("install", "meshctl", folder, *NAMESPACE)
    cluster_helm.run("install", "meshctl-canary", folder, *NAMESPACE, values={"revision": "canary"})
    canary = list(documents(cluster_helm.run("get", "manifest", "meshctl-canary", *NAMESPACE).stdout))
    hook = chosen(canary, "ValidatingWebhookConfiguration")["webhooks"][0]
    assert hook["objectSelector"] == {"matchLabels": {"istio.io/rev": "canary"}}
    cluster_helm.run("uninstall", "meshctl", *NAMESPACE)
    assert len(stored(cluster, canary)) == len(canary)
    cluster_helm.run("uninstall", "meshctl-canary", *NAMESPACE)
