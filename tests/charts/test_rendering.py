"""What charts become: Helm finds no fault, API servers take it to the letter, and every value does something."""

from __future__ import annotations

from typing import Any

import pytest

from deploy.values_comments import read
from tests.support.api_server import ApiServer, ApiServerError, object_path
from tests.support.chart_values import TOGGLES, nested, split
from tests.support.helm import CHARTS, Helm

pytestmark = [pytest.mark.helm, pytest.mark.apiserver]

CHART_NAMES = tuple(TOGGLES)


def tried(cluster: ApiServer, objects: list[Any]) -> None:
    """Let the API server judge objects strictly, without keeping any."""
    for each in objects:
        query = "?dryRun=All&fieldManager=tests&force=true&fieldValidation=Strict"
        try:
            cluster.request("PATCH", object_path(each) + query, each, content="application/apply-patch+yaml")
        except ApiServerError as error:
            raise AssertionError(f"{each['kind']} {each['metadata']['name']}: {error}") from error


@pytest.mark.parametrize("chart", CHART_NAMES)
def test_lint_finds_nothing(helm: Helm, chart: str) -> None:
    """``helm lint --strict``, with the schema of the values."""
    assert "0 chart(s) failed" in helm.run("lint", "--strict", str(CHARTS / chart)).stdout


@pytest.mark.parametrize("chart", CHART_NAMES)
def test_every_value_is_tried(chart: str) -> None:
    """The table of other values leaves none out and has none that does not exist."""
    described = {each.name for each in read((CHARTS / chart / "values.yaml").read_text())}
    assert set(TOGGLES[chart]) == described


@pytest.mark.parametrize("chart", CHART_NAMES)
def test_defaults_are_accepted(cluster: ApiServer, helm: Helm, chart: str) -> None:
    """Strict field validation of everything that a chart makes without any value."""
    objects = helm.objects(chart)
    assert objects
    tried(cluster, objects)


@pytest.mark.parametrize("chart", CHART_NAMES)
def test_every_value_does_something_that_is_accepted(cluster: ApiServer, helm: Helm, chart: str) -> None:
    """Each value toggled by itself changes what is rendered; what it changes is accepted strictly."""
    plain: dict[str, list[Any]] = {}
    for name, toggle in TOGGLES[chart].items():
        value, beside = split(toggle)
        if str(beside) not in plain:
            plain[str(beside)] = helm.objects(chart, values=nested(beside))
        before = plain[str(beside)]
        objects = helm.objects(chart, values=nested({**beside, name: value}))
        assert objects != before, f"{name} does nothing"
        tried(cluster, [each for each in objects if each not in before])


@pytest.mark.parametrize("chart", ["meshctl", "meshctl-gateway"])
def test_all_values_at_once(cluster: ApiServer, helm: Helm, chart: str) -> None:
    """They do not get into each other's way."""
    values: dict[str, object] = {}
    for name, toggle in TOGGLES[chart].items():
        value, beside = split(toggle)
        values |= {**beside, name: value}
    values |= {"serviceAccount.create": True, "autoscaling.enabled": True, "podDisruptionBudget.enabled": True}
    values |= {"rbac.create": True} if chart == "meshctl" else {"service.type": "LoadBalancer"}
    tried(cluster, helm.objects(chart, values=nested(values)))


@pytest.mark.parametrize("chart", CHART_NAMES)
@pytest.mark.parametrize(
    ("name", "value"), [("replicaCuont", 2), ("install", "sometimes"), ("revision", "Not A Name"), ("ports", {"xds": "many"})]
)
def test_mistakes_in_values_are_refused(helm: Helm, chart: str, name: str, value: object) -> None:
    """Unknown names and impossible values do not become something else in silence."""
    assert helm.run("template", "r", str(CHARTS / chart), values={name: value}, check=False).returncode != 0


@pytest.mark.parametrize("chart", ["meshctl", "meshctl-gateway"])
def test_pods_are_hardened(helm: Helm, chart: str) -> None:
    """What the restricted Pod Security Standard asks for, and a root file system that nobody writes to."""
    for deployment in (each for each in helm.objects(chart) if each["kind"] == "Deployment"):
        pod = deployment["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] > 0
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in (*pod.get("initContainers", ()), *pod["containers"]):
            security = container["securityContext"]
            assert (security["allowPrivilegeEscalation"], security["readOnlyRootFilesystem"]) == (False, True)
            assert security["capabilities"] == {"drop": ["ALL"]}
            assert container["resources"]["requests"]


@pytest.mark.parametrize("chart", ["meshctl", "meshctl-gateway"])
def test_the_restricted_standard_is_met(cluster: ApiServer, helm: Helm, chart: str) -> None:
    """The API server's own admission of pods in a restricted namespace takes them."""
    cluster.namespace("restricted", **{"pod-security.kubernetes.io/enforce": "restricted"})
    for deployment in (each for each in helm.objects(chart, namespace="restricted") if each["kind"] == "Deployment"):
        template = deployment["spec"]["template"]
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {**template["metadata"], "name": "p", "namespace": "restricted"}}
        tried(cluster, [{**pod, "spec": template["spec"]}])


def test_one_registry_is_in_front_of_all_images(helm: Helm) -> None:
    """Whoever mirrors images says so once."""
    for chart in ("meshctl", "meshctl-gateway"):
        text = helm.template(chart, "--set", "global.imageRegistry=mirror.example")
        images = [line.split()[-1] for line in text.splitlines() if line.strip().startswith("image:")]
        assert images
        assert all(image.startswith("mirror.example/") for image in images)


def test_a_gateway_is_selected_as_in_istio(helm: Helm) -> None:
    """The release ``istio-ingressgateway`` is what ``istio: ingressgateway`` selects."""
    objects = helm.objects("meshctl-gateway", release="istio-ingressgateway")
    labels = {"app": "istio-ingressgateway", "istio": "ingressgateway"}
    for each in objects:
        if each["kind"] == "Deployment":
            assert labels.items() <= each["spec"]["template"]["metadata"]["labels"].items()
        if each["kind"] == "Service":
            assert each["spec"]["selector"] == labels


def test_secrets_are_read_where_they_are_said_to_be(helm: Helm) -> None:
    """With namespaces of gateways there is a role in each of them, and none of the cluster."""

    def readers(objects: list[Any]) -> list[tuple[str, str]]:
        rules = [(each, rule) for each in objects if each["kind"] in {"ClusterRole", "Role"} for rule in each["rules"]]
        found = [each for each, rule in rules if "secrets" in rule["resources"] and "list" in rule["verbs"]]
        return [(each["kind"], each["metadata"].get("namespace", "")) for each in found]

    assert readers(helm.objects("meshctl")) == [("ClusterRole", "")]
    named = helm.objects("meshctl", values={"gatewayNamespaces": ["edge", "istio-system"]})
    assert sorted(readers(named)) == [("Role", "edge"), ("Role", "istio-system")]


def test_two_releases_share_no_object(helm: Helm) -> None:
    """Two revisions stand side by side, in one namespace or in two."""

    def names(release: str, namespace: str) -> set[tuple[str, str, str]]:
        objects = helm.objects("meshctl", release=release, namespace=namespace, values={"serviceMonitor": {"enabled": True}})
        return {(each["kind"], each["metadata"].get("namespace", ""), each["metadata"]["name"]) for each in objects}

    assert not names("meshctl", "a") & names("meshctl", "b")
    assert not names("meshctl", "a") & names("meshctl-canary", "a")
