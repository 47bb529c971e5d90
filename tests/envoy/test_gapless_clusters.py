"""No request is lost while clusters, endpoints and weights change under load: gateway and sidecar, SotW and Delta."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshctl_operator.bootstrap.options import XdsVariant
from meshctl_operator.xds.streams import XdsStream
from tests.support.gapless import BLOG, SHOP, VERSIONS, destination, entry, rule, running, subsets

pytestmark = pytest.mark.envoy

CHANGES = 50
variants = pytest.mark.parametrize("variant", list(XdsVariant), ids=lambda variant: variant.name)


async def rename_subsets(folder: Path, variant: XdsVariant, times: int) -> None:
    """Rename the subset in use in the DestinationRule and in the route to it, so often, under load; AssertionError if a request is lost."""
    async with running(folder, variant) as mesh, mesh.serving():
        await mesh.ready()
        await mesh.traffic.load(*mesh.targets(SHOP, BLOG))
        await mesh.answered_by("v1")
        for number in range(times):
            name, version = f"turn-{number}", VERSIONS[number % 3]
            mesh.change(subsets(SHOP, {name: version}), rule(SHOP, destination(SHOP, name)))
            await mesh.answered_by(version)
        await mesh.settled()
        await mesh.traffic.more(20)


@variants
async def test_subsets_are_renamed_together_with_their_route(tmp_path: Path, variant: XdsVariant) -> None:
    """Fifty times in one apply: the subset in use gets another name in the DestinationRule and in the route to it."""
    await rename_subsets(tmp_path, variant, CHANGES)


@variants
async def test_requests_are_lost_where_nothing_waits(tmp_path: Path, variant: XdsVariant, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same with removals that do not wait for the routes: the load notices what the gate is for."""
    monkeypatch.setattr(XdsStream, "_may_remove", lambda _stream, _state: True)
    with pytest.raises(AssertionError, match="cluster_not_found"):
        await rename_subsets(tmp_path, variant, CHANGES // 2)


@variants
async def test_subsets_are_renamed_faster_than_envoys_follow(tmp_path: Path, variant: XdsVariant) -> None:
    """The same without waiting for anything but the ACKs, so that changes overtake each other in Envoy's workers."""
    async with running(tmp_path, variant) as mesh, mesh.serving():
        await mesh.ready()
        await mesh.traffic.load(*mesh.targets(SHOP, BLOG))
        await mesh.answered_by("v1")
        for number in range(CHANGES):
            name, version = f"turn-{number}", VERSIONS[number % 3]
            await mesh.edit(subsets(SHOP, {name: version}), rule(SHOP, destination(SHOP, name)))
        await mesh.answered_by(VERSIONS[(CHANGES - 1) % 3])


@variants
async def test_all_endpoints_are_replaced(tmp_path: Path, variant: XdsVariant) -> None:
    """Fifty times: all endpoints of a service go and others come."""
    async with running(tmp_path, variant) as mesh, mesh.serving():
        await mesh.ready()
        await mesh.edit(rule(SHOP, destination(SHOP)))
        await mesh.traffic.load(*mesh.targets(SHOP, BLOG))
        for number in range(CHANGES):
            versions = ("v1",) if number % 2 else ("v2", "v3")
            mesh.change(entry(SHOP, {version: mesh.ports[version] for version in versions}))
            await mesh.answered_by(*versions)
        await mesh.settled()


@variants
async def test_weights_shift(tmp_path: Path, variant: XdsVariant) -> None:
    """From one subset to the other and back in steps of ten."""
    async with running(tmp_path, variant) as mesh, mesh.serving():
        await mesh.ready()
        await mesh.traffic.load(*mesh.targets(SHOP, BLOG))
        await mesh.answered_by("v1")
        for weight in (*range(10, 101, 10), *range(90, -1, -10)):
            await mesh.edit(rule(SHOP, destination(SHOP, "v1", 100 - weight), destination(SHOP, "v2", weight)))
            await mesh.traffic.more(5)
        await mesh.answered_by("v1")
