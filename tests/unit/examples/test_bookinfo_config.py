"""The YAML of the example holds together: what is referred to exists, every scenario is explained, and the local run knows every workload."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from meshctl_operator.apis.changes import Upsert
from meshctl_operator.apis.decode import decode
from tests.unit.examples.bookinfo_processes import BOOKINFO

SCENARIOS = sorted(path.name for path in (BOOKINFO / "scenarios").iterdir() if path.is_dir())
EXPECTED_SCENARIOS = {
    "all-v1",
    "jason-v2",
    "canary-90-10",
    "canary-50-50",
    "canary-100",
    "fault-delay",
    "fault-abort",
    "timeout-retry",
    "mirror",
    "tls-gateway",
    "external-service",
    "egress-gateway",
    "redirect-rewrite",
}
APPS = {"productpage": ["v1"], "details": ["v1"], "reviews": ["v1", "v2", "v3"], "ratings": ["v1"]}
GATEWAYS = "istio-ingressgateway", "istio-egressgateway"


@dataclass(frozen=True, slots=True)
class Thing:
    """One YAML object of the example."""

    kind: str
    namespace: str
    name: str
    spec: Mapping[str, object]
    path: Path


@dataclass(slots=True)
class Config:
    """The objects of the mesh, or of the mesh with one scenario over it."""

    things: dict[tuple[str, str, str], Thing] = field(default_factory=dict)

    def of(self, kind: str) -> list[Thing]:
        """Return the objects of one kind."""
        return [thing for (kind_, _, _), thing in sorted(self.things.items()) if kind_ == kind]

    def one(self, kind: str, namespace: str, name: str) -> Thing:
        """Return one object."""
        return self.things[kind, namespace, name]


def read(folder: Path) -> list[Thing]:
    """Read every object of a folder; each names its API version, its kind, itself and, but for a Namespace, its namespace."""
    things = []
    for path in sorted(folder.glob("*.yaml")):
        for document in yaml.safe_load_all(path.read_text()):
            assert document["apiVersion"] in {"v1", "apps/v1", "networking.istio.io/v1"}, path
            meta = document["metadata"]
            namespace = "" if document["kind"] == "Namespace" else meta["namespace"]
            things.append(Thing(document["kind"], namespace, meta["name"], document.get("spec", {}), path))
    return things


def config(scenario: str | None = None) -> Config:
    """Return the mesh, with a scenario over it."""
    things = read(BOOKINFO / "mesh") + (read(BOOKINFO / "scenarios" / scenario) if scenario else [])
    return Config({(thing.kind, thing.namespace, thing.name): thing for thing in things})


def found(value: object, name: str) -> Iterator[object]:
    """Yield every value under the key `name`, however deep."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key == name:
                yield inner
            yield from found(inner, name)
    elif isinstance(value, list):
        for inner in value:
            yield from found(inner, name)


def at(value: object, *path: str | int) -> object:
    """Return one value by its path."""
    for step in path:
        value = value[step]  # type: ignore[index]  # YAML has no types; a wrong path fails the test as it should
    return value


def labels(deployment: Thing) -> dict[str, str]:
    """Return the labels of a Deployment's pods."""
    found_labels = at(deployment.spec, "template", "metadata", "labels")
    assert isinstance(found_labels, dict)
    return found_labels


def full_name(host: str) -> str:
    """Return the full name of a host as a rule in namespace default means it."""
    return host if "." in host else f"{host}.default.svc.cluster.local"


def hosts(given: Config) -> dict[str, set[int]]:
    """Return the hosts that the mesh knows, with their ports."""
    known = {
        f"{thing.name}.{thing.namespace}.svc.cluster.local": {
            number for number in found(at(thing.spec, "ports"), "port") if isinstance(number, int)
        }
        for thing in given.of("Service")
    }
    for entry in given.of("ServiceEntry"):
        for host in at(entry.spec, "hosts"):  # type: ignore[attr-defined]  # as in at()
            known[host] = {number for number in found(at(entry.spec, "ports"), "number") if isinstance(number, int)}
    return known


def destinations(given: Config) -> Iterator[tuple[Thing, Mapping[str, object]]]:
    """Yield every destination of every VirtualService, mirrors included."""
    for thing in given.of("VirtualService"):
        for key in ("destination", "mirror"):
            for destination in found(thing.spec, key):
                assert isinstance(destination, Mapping)
                yield thing, destination


def test_the_scenarios_are_those_that_the_tour_tells() -> None:
    """Every lesson has its folder, and the tour and the list agree."""
    assert set(SCENARIOS) == EXPECTED_SCENARIOS
    tour = (BOOKINFO.parents[1] / "docs" / "tasks" / "bookinfo.md").read_text()
    assert {name for name in SCENARIOS if f"`{name}`" not in tour} == set()


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_scenario_is_rules_and_an_explanation(scenario: str) -> None:
    """A scenario holds routing objects and a README that starts with its name and says how to run it and how to look."""
    folder = BOOKINFO / "scenarios" / scenario
    assert {path.suffix for path in folder.iterdir()} == {".yaml", ".md"}
    things = read(folder)
    assert {thing.kind for thing in things} <= {"VirtualService", "DestinationRule", "ServiceEntry", "Gateway"}
    assert len({(thing.kind, thing.namespace, thing.name) for thing in things}) == len(things) > 0
    text = (folder / "README.md").read_text()
    assert text.startswith(f"# {scenario}: ")
    assert f"meshctl dev examples/bookinfo --scenario {scenario}\n" in text
    assert "curl -s" in text


@pytest.mark.parametrize("scenario", [None, *SCENARIOS])
def test_destinations_exist(scenario: str | None) -> None:
    """Every destination is a host of the mesh; its port is one of the host's, and a host with several ports is not left without; its subset is defined."""
    given = config(scenario)
    known = hosts(given)
    subsets = {
        (full_name(str(at(rule.spec, "host"))), name)
        for rule in given.of("DestinationRule")
        for name in found(at(rule.spec, "subsets"), "name")
    }
    for thing, destination in destinations(given):
        host = full_name(str(destination["host"]))
        assert host in known, thing
        if "port" in destination:
            assert at(destination, "port", "number") in known[host], thing
        else:
            assert len(known[host]) == 1, thing
        if "subset" in destination:
            assert (host, destination["subset"]) in subsets, thing


@pytest.mark.parametrize("scenario", [None, *SCENARIOS])
def test_gateways_exist_and_are_used(scenario: str | None) -> None:
    """A VirtualService names gateways that exist, every Gateway has one, and its selector finds the pods of a gateway Deployment."""
    given = config(scenario)
    named = {str(name) for thing in given.of("VirtualService") for names in found(thing.spec, "gateways") for name in names}  # type: ignore[attr-defined]  # as in at()
    assert named - {"mesh"} == {thing.name for thing in given.of("Gateway")}
    pods = [labels(given.one("Deployment", "istio-system", name)) for name in GATEWAYS]
    for gateway in given.of("Gateway"):
        selector = at(gateway.spec, "selector")
        assert isinstance(selector, dict)
        assert sum(selector.items() <= pod.items() for pod in pods) == 1


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_weights_add_up(scenario: str) -> None:
    """Where destinations have weights, they are shares of 100."""
    for thing in config(scenario).of("VirtualService"):
        for routes in found(thing.spec, "route"):
            weights = list(found(routes, "weight"))
            assert weights == [] or sum(weight for weight in weights if isinstance(weight, int)) == 100


@pytest.mark.parametrize("path", sorted(BOOKINFO.glob("scenarios/*/*.yaml")), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_scenarios_are_accepted_without_a_remark(path: Path) -> None:
    """The models accept every rule of every scenario, with no warning about it."""
    for document in yaml.safe_load_all(path.read_text()):
        decoded = decode(document)
        assert isinstance(decoded, Upsert)
        assert decoded.diagnostics == ()


def test_reviews_take_turns_without_a_scenario() -> None:
    """The mesh itself has no VirtualService but that of the Gateway."""
    assert [(thing.namespace, thing.name) for thing in config().of("VirtualService")] == [("default", "bookinfo")]


@pytest.mark.parametrize(("app", "versions"), APPS.items())
def test_every_version_is_deployed_and_is_a_subset(app: str, versions: list[str]) -> None:
    """A Service on 9080 selects a Deployment for each version, whose labels the subsets name, under a service account that exists."""
    given = config()
    service = given.one("Service", "default", app)
    assert at(service.spec, "ports") == [{"name": "http", "port": 9080, "targetPort": 9080}]
    rule = given.one("DestinationRule", "default", app)
    assert at(rule.spec, "subsets") == [{"name": version, "labels": {"version": version}} for version in versions]
    for version in versions:
        deployment = given.one("Deployment", "default", f"{app}-{version}")
        assert labels(deployment) == at(deployment.spec, "selector", "matchLabels") == {"app": app, "version": version}
        assert at(service.spec, "selector") == {"app": app}
        account = str(at(deployment.spec, "template", "spec", "serviceAccountName"))
        assert account in {thing.name for thing in given.of("ServiceAccount") if thing.namespace == "default"}
        container = at(deployment.spec, "template", "spec", "containers", 0)
        assert at(container, "ports", 0, "containerPort") == 9080
        assert {"name": "WORKLOAD", "value": f"{app}-{version}"} in list(at(container, "env"))  # type: ignore[call-overload]  # as in at()


@pytest.mark.parametrize("name", GATEWAYS)
def test_gateway_pods_are_proxies(name: str) -> None:
    """A gateway's Service leads 80 to 8080 and 443 to 8443 of pods that ask for the gateway template."""
    given = config()
    service, deployment = given.one("Service", "istio-system", name), given.one("Deployment", "istio-system", name)
    ports = at(service.spec, "ports")
    assert isinstance(ports, list)
    assert [(port["port"], port["targetPort"]) for port in ports] == [(80, 8080), (443, 8443)]
    assert at(deployment.spec, "template", "metadata", "annotations") == {"inject.istio.io/templates": "gateway"}
    selector = at(service.spec, "selector")
    assert isinstance(selector, dict)
    assert selector.items() <= labels(deployment).items()


def test_the_local_run_knows_every_workload() -> None:
    """meshctl-dev.yaml runs each Deployment that is no gateway with a script that exists, under the Deployment's own name."""
    dev = yaml.safe_load((BOOKINFO / "meshctl-dev.yaml").read_text())
    deployments = {thing.name for thing in config().of("Deployment")} - set(GATEWAYS)
    assert {workload["deployment"] for workload in dev["workloads"]} == deployments
    for workload in dev["workloads"]:
        assert workload["env"]["WORKLOAD"] == workload["deployment"]
        assert workload["deployment"].startswith(Path(workload["command"][1]).stem)
    for command in [entry["command"] for entry in dev["workloads"] + dev["processes"]]:
        assert command[0] == "python3"
        assert (BOOKINFO / command[1]).is_file()
    for folder in [*dev["config"], dev["scenarios"]]:
        assert (BOOKINFO / folder).is_dir()
    assert yaml.safe_load((BOOKINFO / dev["meshConfig"]).read_text())["enableAutoMtls"] is False


def test_outside_listens_where_the_service_entries_say() -> None:
    """The process `outside` listens at the endpoint of quotes.example.org."""
    dev = yaml.safe_load((BOOKINFO / "meshctl-dev.yaml").read_text())
    (outside,) = dev["processes"]
    assert outside["listen"] == f"{outside['env']['ADDRESS']}:{outside['env']['PORT']}"
    for scenario in ("external-service", "egress-gateway"):
        entry = config(scenario).one("ServiceEntry", "default", "quotes")
        assert f"{at(entry.spec, 'endpoints', 0, 'address')}:{at(entry.spec, 'ports', 0, 'targetPort')}" == outside["listen"]


def test_certificates_are_made_not_kept() -> None:
    """Every credential of a Gateway is made at the start, in the namespace of the gateway's pods; no Secret is in the example."""
    dev = yaml.safe_load((BOOKINFO / "meshctl-dev.yaml").read_text())
    made = {(entry["namespace"], entry["secret"]) for entry in dev["certificates"]}
    for scenario in SCENARIOS:
        given = config(scenario)
        assert given.of("Secret") == []
        for gateway in given.of("Gateway"):
            assert {("istio-system", str(name)) for name in found(gateway.spec, "credentialName")} <= made


def test_the_gateway_lets_through_what_the_page_links_to() -> None:
    """Each path of the productpage is matched by the VirtualService of the Gateway."""
    matches = list(found(at(config().one("VirtualService", "default", "bookinfo").spec, "http", 0, "match"), "uri"))
    exact = {str(at(match, "exact")) for match in matches if isinstance(match, dict) and "exact" in match}
    prefixes = tuple(str(at(match, "prefix")) for match in matches if isinstance(match, dict) and "prefix" in match)
    paths = (
        "/",
        "/productpage",
        "/login",
        "/logout",
        "/quotes",
        "/static/icon.svg",
        "/api/v1/products",
        "/api/v1/products/0",
        "/api/v1/stats/reviews-v3",
    )
    assert [path for path in paths if path not in exact and not path.startswith(prefixes)] == []
