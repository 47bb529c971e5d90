"""Tests of endpoints of other networks."""

from __future__ import annotations

from meshctl_operator.apis.kinds import Kind
from meshctl_operator.base.labels import freeze
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.compiler.plan.localities import Candidate, candidates
from meshctl_operator.compiler.plan.networks import across_networks
from meshctl_operator.model.endpoints import Endpoint
from meshctl_operator.model.networks import NO_NETWORKS, NetworkGateway, PodNetworks
from meshctl_operator.model.proxies import Locality

SLICE = ObjectKey(Kind.ENDPOINT_SLICE, "default", "web-1")
ENTRY = ObjectKey(Kind.SERVICE_ENTRY, "default", "web")
MUTUAL = freeze({"security.istio.io/tlsMode": "istio"})
TWO = (NetworkGateway("n2", "203.0.113.1", 15443), NetworkGateway("n2", "203.0.113.2", 15443))


def endpoint(address: str, network: str = "", source: ObjectKey = SLICE, place: str = "", account: str = "", **labels: str) -> Endpoint:
    """Return an endpoint that takes mutual TLS."""
    carried = freeze({**dict(MUTUAL), **labels})
    return Endpoint(
        address,
        80,
        "http",
        source,
        network=network,
        labels=carried,
        locality=Locality.parse(place) if place else Locality(),
        service_account=account,
    )


def shown(found: tuple[Candidate, ...]) -> list[tuple[str, int, int]]:
    """Return (address, port, weight)."""
    return [(each.input.address, each.input.port, each.input.weight) for each in found]


def test_without_gateways_nothing_changes() -> None:
    """One network is as good as another where nothing leads into them."""
    found = candidates([endpoint("10.0.0.1", "n1"), endpoint("10.0.0.2", "n2")], "c")
    assert across_networks(found, (), "n1", NO_NETWORKS, "http") == found


def test_gateways_stand_in() -> None:
    """Endpoints of another network become its gateways, which share their weight; all weights are scaled so that nothing is lost."""
    found = candidates(
        [endpoint("10.0.0.1", "n1"), endpoint("10.0.0.2", "n2"), endpoint("10.0.0.3", "n2"), endpoint("10.0.0.4", "n3")], "c"
    )
    assert shown(across_networks(found, TWO, "n1", NO_NETWORKS, "http")) == [
        ("10.0.0.1", 80, 2),
        ("10.0.0.4", 80, 2),
        ("203.0.113.1", 15443, 2),
        ("203.0.113.2", 15443, 2),
    ]


def test_a_proxy_of_no_network_reaches_all() -> None:
    """Who does not say is taken to be everywhere."""
    found = candidates([endpoint("10.0.0.2", "n2")], "c")
    assert shown(across_networks(found, TWO, "", NO_NETWORKS, "http")) == [("10.0.0.2", 80, 2)]


def test_what_takes_no_mutual_tls_is_out_of_reach() -> None:
    """A gateway sees server names alone, so plain text does not pass it."""
    plain = Endpoint("10.0.0.2", 80, "http", SLICE, network="n2")
    declared = Endpoint("10.0.0.3", 80, "http", ENTRY, network="n2", service_account="a")
    assert across_networks(candidates([plain], "c"), TWO, "n1", NO_NETWORKS, "http") == ()
    assert len(across_networks(candidates([declared], "c"), TWO, "n1", NO_NETWORKS, "http")) == 2


def test_pods_are_of_the_default_network() -> None:
    """Pods that do not say are of the mesh's network, entries of none."""
    found = candidates([endpoint("10.0.0.1"), endpoint("10.0.0.2", source=ENTRY)], "c")
    assert [address for address, _, _ in shown(across_networks(found, TWO, "n1", PodNetworks("n2"), "http"))] == [
        "10.0.0.2",
        "203.0.113.1",
        "203.0.113.2",
    ]


def test_gateways_are_where_their_endpoints_are() -> None:
    """A gateway stands in the locality of the endpoints that it stands in for."""
    found = candidates([endpoint("10.0.0.2", "n2", place="r1/z1"), endpoint("10.0.0.3", "n2", place="r2")], "c")
    places = [str(each.endpoint.locality) for each in across_networks(found, TWO[:1], "n1", NO_NETWORKS, "http")]
    assert places == ["r1/z1", "r2"]
