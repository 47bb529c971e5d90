"""Every Envoy accepts everything: what it runs is what it was served, for each scenario, proxy, protocol variant and supported end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio

from meshctl_operator.base.shards import EMPTY_MAP
from meshctl_operator.bootstrap.options import XdsVariant
from meshctl_operator.compiler.emit.rendering import as_json
from meshctl_operator.xds.resources import TypeUrl
from meshctl_operator.xds.virtual_hosts import is_shell, route_of
from tests.support.dev_mesh import SCENARIOS
from tests.support.envoy_versions import BINARIES
from tests.support.fleet import Fleet
from tests.support.served_config import endpoint_addresses, held_by_envoy, is_split, same

pytestmark = [pytest.mark.envoy, pytest.mark.netns, pytest.mark.asyncio(loop_scope="module")]


def still_served(type_url: TypeUrl, name: str, served: Mapping[TypeUrl, Collection[str]]) -> bool:
    """Tell what is left out: a removed listener drains for ten minutes, and what it refers to lives on in Envoy as long."""
    match type_url:
        case TypeUrl.ROUTE | TypeUrl.SECRET:
            return name in served[type_url]
        case TypeUrl.VIRTUAL_HOST:
            return route_of(name) in served[TypeUrl.ROUTE]
        case _:
            return True


@pytest_asyncio.fixture(
    scope="module", loop_scope="module", params=[(end, variant) for end in sorted(BINARIES) for variant in XdsVariant], ids=str
)
async def fleet(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Fleet]:
    """Bookinfo's proxies on one end of the supported versions, in one variant of the protocol."""
    end, variant = request.param
    async with AsyncExitStack() as stack:
        running = Fleet(tmp_path_factory.mktemp(f"{end}-{variant.name}"), BINARIES[end](), variant)
        await running.start(stack)
        yield running


@pytest.mark.parametrize("scenario", SCENARIOS)
async def test_envoy_runs_what_it_was_served(fleet: Fleet, scenario: str) -> None:
    """No NACK, nothing warming, and each resource in Envoy equals the one that was served, names and versions included.

    Virtual hosts are resources of their own where the Envoy takes them, and their versions are those that it acknowledged: it shows none.
    """
    await fleet.lay_over(scenario)
    assert not fleet.nacks()
    delta = fleet.variant is XdsVariant.DELTA
    for session in fleet.plane.sessions:
        envoy = fleet.envoys[session.proxy_id]
        assert session.served is not None
        assert session.settled, f"{session.proxy_id} has not answered"
        held = held_by_envoy(await envoy.config_dump(), versions=delta)
        served = session.served.compiled.split if fleet.splits else session.served.compiled.resources
        for type_url in TypeUrl:
            compiled = served.get(type_url, EMPTY_MAP)
            shown = {name: entry for name, entry in held[type_url].items() if still_served(type_url, name, served)}
            if type_url is TypeUrl.ENDPOINT:
                for name, resource in compiled.items():
                    assert endpoint_addresses(shown[name][1]) == endpoint_addresses(as_json(resource)), f"{session.proxy_id} {name}"
                continue
            unversioned = type_url is TypeUrl.VIRTUAL_HOST or not delta
            assert {name: version for name, (version, _) in shown.items()} == {
                name: "" if unversioned or is_shell(resource.version) else resource.version for name, resource in compiled.items()
            }, f"{session.proxy_id} {type_url.short}"
            acked = session.held.get(type_url, {})
            assert {name: acked.get(name) for name in compiled} == {name: resource.version for name, resource in compiled.items()}, (
                f"{session.proxy_id} {type_url.short}"
            )
            for name, (_, message) in shown.items():
                assert message is None or same(message, as_json(compiled[name])), f"{session.proxy_id} {name}"


async def test_only_an_envoy_that_takes_split_routes_has_them(fleet: Fleet) -> None:
    """The newest Envoy has the route configurations of its ports split, by Delta; the oldest, and both by SotW, have them whole."""
    await fleet.lay_over("all-v1")
    for name, route in (("productpage-v1.default", "9080"), ("istio-ingressgateway.istio-system", "http.8080")):
        held = held_by_envoy(await fleet.envoys[name].config_dump())
        assert is_split(held, route) == fleet.splits
        hosts = [name.partition("/")[0] for name in held[TypeUrl.VIRTUAL_HOST]]
        assert (route in hosts) == fleet.splits
        assert bool(held[TypeUrl.ROUTE][route][1].virtual_hosts) != fleet.splits


async def test_the_check_can_fail(fleet: Fleet) -> None:
    """The comparison tells two configurations apart: of two Envoys, and of one that lost a virtual host or a route."""
    one, other = (fleet.envoys[name] for name in ("productpage-v1.default", "istio-ingressgateway.istio-system"))
    dump = await one.config_dump()
    held = held_by_envoy(dump)
    assert held != held_by_envoy(await other.config_dump())
    (route,) = (
        entry["route_config"]
        for section in dump["configs"]
        for entry in section.get("dynamic_route_configs", ())
        if entry["route_config"]["name"] == "9080"
    )
    assert held_by_envoy(dump) == held
    host = next(host for host in route["virtual_hosts"] if "reviews" in host["name"])
    removed = host["routes"].pop()
    assert held_by_envoy(dump) != held
    host["routes"].append(removed)
    assert held_by_envoy(dump) == held
    route["virtual_hosts"].remove(host)
    assert held_by_envoy(dump) != held
