"""No request is lost while control planes are replaced, one after the other or one by another, with changes meanwhile."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshctl_operator.bootstrap.options import XdsVariant
from meshctl_operator.xds.options import ServerOptions
from tests.support.gapless import BLOG, SHOP, VERSIONS, destination, rule, running, subsets

pytestmark = pytest.mark.envoy

RESTARTS = 5
CHANGES = 30
variants = pytest.mark.parametrize("variant", list(XdsVariant), ids=lambda variant: variant.name)


@variants
async def test_a_control_plane_is_restarted(tmp_path: Path, variant: XdsVariant) -> None:
    """Five times; in Delta each time with a renamed subset and its route changed while there is none.

    A SotW client says no more of what it holds than a version, which a new control plane knows nothing of: it would lose the old cluster.
    """
    async with running(tmp_path, variant) as mesh:
        async with mesh.serving():
            await mesh.ready()
            await mesh.traffic.load(*mesh.targets(SHOP, BLOG))
            await mesh.answered_by("v1")
        for number in range(RESTARTS):
            await mesh.traffic.more(10)
            name, version = f"turn-{number}", VERSIONS[(number + 1) % 3]
            change = subsets(SHOP, {name: version}), rule(SHOP, destination(SHOP, name))
            if variant is XdsVariant.DELTA:
                mesh.change(*change)
            async with mesh.serving() as plane:
                if variant is XdsVariant.SOTW:
                    await mesh.connected(plane)
                    await mesh.settled()
                    mesh.change(*change)
                await mesh.answered_by(version)
                await mesh.settled()


@variants
async def test_two_replicas_take_turns(tmp_path: Path, variant: XdsVariant) -> None:
    """Envoys that change over to a replica with the same objects are told nothing in Delta; what changes afterwards loses no request."""
    async with running(tmp_path, variant, replicas=2) as mesh:
        async with mesh.serving(0):
            await mesh.ready()
            await mesh.traffic.load(*mesh.targets(SHOP, BLOG))
            await mesh.answered_by("v1")
            await mesh.traffic.more(10)
        for number in range(RESTARTS - 1):
            async with mesh.serving((number + 1) % 2) as replica:
                await mesh.connected(replica)
                await mesh.settled()
                told = replica.told()
                assert not told or variant is XdsVariant.SOTW, told
                name, version = f"turn-{number}", VERSIONS[(number + 1) % 3]
                mesh.change(subsets(SHOP, {name: version}), rule(SHOP, destination(SHOP, name)))
                await mesh.answered_by(version)
                await mesh.settled()


@variants
async def test_streams_come_to_an_end_all_the_time(tmp_path: Path, variant: XdsVariant) -> None:
    """Connections are ended when they are some hundred ms old, as the age limit does that spreads proxies over replicas."""
    options = ServerOptions(max_connection_age=0.4, max_connection_grace=0.1)
    async with running(tmp_path, variant, options=options) as mesh, mesh.serving():
        await mesh.ready()
        await mesh.traffic.load(*mesh.targets(SHOP, BLOG))
        await mesh.answered_by("v1")
        for number in range(CHANGES):
            name, version = f"turn-{number}", VERSIONS[number % 3]
            mesh.change(subsets(SHOP, {name: version}), rule(SHOP, destination(SHOP, name)))
            await mesh.answered_by(version)
