"""Endpoints of other networks: reached through the gateways of those, which stand in for them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from meshctl_operator.apis.kinds import Kind
from meshctl_operator.compiler.inputs.endpoints import LbEndpointInput
from meshctl_operator.compiler.plan.localities import Candidate
from meshctl_operator.model.endpoints import Endpoint
from meshctl_operator.model.locality_policies import NETWORK_LABEL
from meshctl_operator.model.networks import NetworkGateway, PodNetworks
from meshctl_operator.model.proxies import Locality


def across_networks(
    found: Iterable[Candidate], gateways: tuple[NetworkGateway, ...], own: str, pods: PodNetworks, port_name: str
) -> tuple[Candidate, ...]:
    """Return endpoints that a proxy of network ``own`` can reach (empty: of any).

    Those of its own network, and of networks without a gateway, stay. Of others the ones that take mutual TLS are replaced by gateways of
    their network in the same locality, which share their weight; the rest is left out, since a gateway tells connections apart by their
    server names alone. Weights are multiplied so that shares are whole numbers.
    """
    endpoints = tuple(found)
    if not gateways:
        return endpoints
    by_network: dict[str, list[NetworkGateway]] = {}
    for gateway in gateways:
        by_network.setdefault(gateway.network, []).append(gateway)
    scale = math.lcm(*map(len, by_network.values()))
    kept: list[Candidate] = []
    shares: Counter[tuple[Locality, NetworkGateway]] = Counter()
    for each in endpoints:
        network = _network(each.endpoint, pods)
        weight = each.input.weight * scale
        ways = by_network.get(network, ())
        if own in {"", network} or not network or not ways:
            kept.append(replace(each, input=replace(each.input, weight=weight)))
        elif each.endpoint.takes_mutual_tls:
            for gateway in ways:
                shares[each.endpoint.locality, gateway] += weight // len(ways)
    return (*kept, *(_gateway(gateway, place, shares[place, gateway], endpoints[0], port_name) for place, gateway in sorted(shares)))


def _network(endpoint: Endpoint, pods: PodNetworks) -> str:
    """Return the network of an endpoint; of pods that do not say it may be known all the same."""
    of_pod = endpoint.source.kind in {Kind.ENDPOINT_SLICE, Kind.ENDPOINTS, Kind.POD}
    return endpoint.network or (pods.of(endpoint.address) if of_pod else "")


def _gateway(gateway: NetworkGateway, place: Locality, weight: int, beside: Candidate, port_name: str) -> Candidate:
    endpoint = Endpoint(
        gateway.address, gateway.port, port_name, beside.endpoint.source, locality=place, labels=((NETWORK_LABEL, gateway.network),)
    )
    return Candidate(endpoint, dict(endpoint.labels), LbEndpointInput(gateway.address, gateway.port, weight=weight))
