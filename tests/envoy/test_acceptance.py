"""Every Envoy accepts everything: what it runs is what it was served, for each scenario, proxy, protocol variant and supported end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio

from meshctl_operator.bootstrap.options import XdsVariant
from meshctl_operator.compiler.emit.rendering import as_json
from meshctl_operator.xds.resources import TypeUrl
from tests.support.dev_mesh import SCENARIOS
from tests.support.envoy_versions import BINARIES
from tests.support.fleet import Fleet
from tests.support.served_config import endpoint_addresses, held_by_envoy, same

pytestmark = [pytest.mark.envoy, pytest.mark.netns, pytest.mark.asyncio(loop_scope="module")]

DRAINING = {TypeUrl.ROUTE, TypeUrl.SECRET}
"""A removed listener drains for ten minutes, and what it refers to lives on in Envoy as long."""


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
    """No NACK, nothing warming, and each resource in Envoy equals the one that was served, names and versions included."""
    await fleet.lay_over(scenario)
    assert not fleet.nacks()
    delta = fleet.variant is XdsVariant.DELTA
    for session in fleet.plane.sessions:
        envoy = fleet.envoys[session.proxy_id]
        assert session.served is not None
        assert session.settled, f"{session.proxy_id} has not answered"
        held = held_by_envoy(await envoy.config_dump(), versions=delta)
        for type_url in TypeUrl:
            compiled = session.served.compiled.resources[type_url]
            state = session.served.state.of(type_url)
            shown = held[type_url]
            if type_url is TypeUrl.ENDPOINT:
                for name, resource in compiled.items():
                    assert endpoint_addresses(shown[name][1]) == endpoint_addresses(as_json(resource)), f"{session.proxy_id} {name}"
                continue
            if type_url in DRAINING:
                shown = {name: entry for name, entry in shown.items() if name in compiled}
            assert {name: version for name, (version, _) in shown.items()} == {
                name: state[name].version if delta else "" for name in compiled
            }, f"{session.proxy_id} {type_url.short}"
            for name, (_, message) in shown.items():
                assert message is None or same(message, as_json(compiled[name])), f"{session.proxy_id} {name}"


async def test_the_check_can_fail(fleet: Fleet) -> None:
    """The comparison tells two configurations apart: an Envoy does not run what another one was served."""
    one, other = (fleet.envoys[name] for name in ("productpage-v1.default", "istio-ingressgateway.istio-system"))
    assert held_by_envoy(await one.config_dump()) != held_by_envoy(await other.config_dump())
