"""Which Deployments run on this machine, and as what."""

from __future__ import annotations

import pytest

from meshctl_operator.dev.config import WorkloadEntry
from meshctl_operator.dev.workloads import Role, Server, paths_to_open, place, servers_of, target_port
from tests.support.local_objects import decoded, deployment, gateway, service

RUN_V1 = WorkloadEntry(deployment="reviews-v1", command=("run",))


def test_an_entry_makes_an_application() -> None:
    """A Deployment with an entry runs as its process; its targets are those of its Services."""
    placement = place(decoded(deployment("reviews-v1") + "---" + service("reviews")), [RUN_V1])
    (workload,) = placement.workloads
    assert (workload.role, workload.entry, workload.targets) == (Role.APPLICATION, RUN_V1, (9080,))
    assert placement.findings == ()


@pytest.mark.parametrize(
    "text",
    [
        deployment("gw", labels="{istio: ingressgateway}"),
        deployment("gw", labels="{istio: egressgateway}"),
        deployment("gw", annotations="{inject.istio.io/templates: gateway}"),
        deployment("gw", labels="{inject.istio.io/templates: gateway}"),
        deployment("gw", labels="{role: edge}") + "---" + gateway("entrance"),
    ],
    ids=["ingress label", "egress label", "annotation", "template label", "selected by a Gateway"],
)
def test_gateways(text: str) -> None:
    """A gateway is known by its labels, its template, or a Gateway that selects it; it needs no entry."""
    (workload,) = place(decoded(text), []).workloads
    assert workload.role is Role.GATEWAY


def test_a_gateway_without_a_selector_makes_no_gateway() -> None:
    """An empty selector means every gateway workload, and says nothing about which workloads those are."""
    assert place(decoded(deployment("reviews-v1") + "---" + gateway("entrance", selector="{}")), []).workloads == ()


def test_what_does_not_run_is_said() -> None:
    """A Deployment without an entry, and an entry without a Deployment, are findings that say what to do."""
    placement = place(decoded(deployment("reviews-v1")), [WorkloadEntry(deployment="review-v1", command=("run",))])
    assert placement.workloads == ()
    not_run, homeless = placement.findings
    assert (not_run.code, not_run.subject.name) == ("MC4101", "reviews-v1")
    assert "- deployment: reviews-v1" in (not_run.hint or "")
    assert (homeless.code, homeless.hint) == ("MC4102", 'did you mean "reviews-v1"?')


def test_an_entry_may_name_the_namespace() -> None:
    """Of two Deployments with one name the namespace tells which is meant."""
    entry = WorkloadEntry(deployment="reviews-v1", namespace="shop", command=("run",))
    placement = place(decoded(deployment("reviews-v1")), [entry])
    assert [finding.code for finding in placement.findings] == ["MC4101", "MC4102"]


def test_gateways_come_first_and_the_entrance_before_all() -> None:
    """Ingress gateways, other gateways, applications, each by name."""
    text = "---".join(
        (
            deployment("a-app"),
            deployment("b-egress", labels="{istio: egressgateway}"),
            deployment("c-ingress", labels="{istio: ingressgateway}"),
        )
    )
    placement = place(decoded(text), [WorkloadEntry(deployment="a-app", command=("run",))])
    assert [workload.name for workload in placement.workloads] == ["c-ingress", "b-egress", "a-app"]
    assert [workload.is_ingress for workload in placement.workloads] == [True, False, False]


def test_targets_by_name_and_by_container() -> None:
    """A named target port is that of the container; a workload without a Service listens where its containers do."""
    (named,) = place(
        decoded(deployment("reviews-v1") + "---" + service("reviews", ports="[{port: 80, targetPort: http}]")), [RUN_V1]
    ).workloads
    assert named.targets == (9080,)
    (alone,) = place(decoded(deployment("reviews-v1", ports="[{containerPort: 7000}, {containerPort: 7001}]")), [RUN_V1]).workloads
    assert alone.targets == (7000, 7001)


def test_an_unknown_port_name_has_no_number() -> None:
    """A target port that no container declares is left out."""
    (obj,) = decoded(deployment("reviews-v1"))
    assert target_port(obj, "grpc") == 0
    (workload,) = place(
        decoded(deployment("reviews-v1") + "---" + service("reviews", ports="[{port: 80, targetPort: grpc}]")), [RUN_V1]
    ).workloads
    assert workload.targets == (9080,)


def test_services_of_other_namespaces_or_without_selector_do_not_count() -> None:
    """A Service selects pods of its own namespace, and only if it has a selector."""
    text = "---".join(
        (
            deployment("reviews-v1"),
            service("far", namespace="shop", ports="[{port: 1000}]"),
            service("bare", selector="{}", ports="[{port: 2000}]"),
        )
    )
    (workload,) = place(decoded(text), [RUN_V1]).workloads
    assert workload.targets == (9080,)


def test_server_ports_are_translated_by_services() -> None:
    """A Gateway declares port 80, the Service sends it to 8080: that is where the gateway listens."""
    text = "---".join(
        (
            deployment("gw", labels="{role: edge}"),
            gateway("entrance"),
            gateway("other", port=9000),
            service("gw", selector="{role: edge}", ports="[{port: 80, targetPort: 8080}]"),
        )
    )
    (workload,) = place(decoded(text), []).workloads
    assert workload.servers == (Server(80, 8080), Server(9000, 9000))


def test_a_gateway_without_a_selector_means_every_gateway() -> None:
    """Its servers are entrances as well; those of a Gateway for others are not."""
    text = "---".join((gateway("all", selector="{}", port=81), gateway("other", selector="{role: other}", port=82)))
    (edge,) = decoded(deployment("gw", labels="{role: edge}"))
    assert servers_of(edge, decoded(text)) == (Server(81, 81),)


@pytest.mark.parametrize(
    ("protocol", "scheme"), [("HTTP2", "http"), ("HTTPS", "https"), ("tls", "https"), ("TCP", "tcp"), ("MONGO", "tcp")]
)
def test_the_scheme_of_a_server(protocol: str, scheme: str) -> None:
    """What a URL of the port starts with follows from its protocol, not from its number."""
    assert Server(443, 443, protocol).scheme == scheme


def virtual_service(gateways: str, match: str) -> str:
    """Return a VirtualService with one rule."""
    return f"""
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: entrance}}
spec:
  hosts: [shop.example.org]
  gateways: {gateways}
  http: [{{match: {match}, route: [{{destination: {{host: reviews}}}}]}}]
"""


@pytest.mark.parametrize(
    ("gateways", "match", "paths"),
    [
        ("[gw]", "[{uri: {exact: /}}, {uri: {prefix: /static}}, {uri: {exact: /productpage}}]", ("/productpage",)),
        ("[mesh]", "[{uri: {exact: /productpage}}]", ()),
        ("[gw]", "[{method: {exact: GET}}]", ()),
    ],
    ids=["exact path", "inside the mesh", "no path"],
)
def test_paths_to_open(gateways: str, match: str, paths: tuple[str, ...]) -> None:
    """The first exact path at a gateway is where to click."""
    assert paths_to_open(decoded(virtual_service(gateways, match))) == paths
