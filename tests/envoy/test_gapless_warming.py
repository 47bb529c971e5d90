"""No request is lost while Envoy has clusters that are not warm yet, or never will be: gateway and sidecar, SotW and Delta."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshctl_operator.bootstrap.options import XdsVariant
from meshctl_operator.controlplane.settings import Settings
from tests.support.envoy_versions import oldest
from tests.support.gapless import BLOG, SHOP, SLOW_NAME, VERSIONS, destination, entry, named_entry, rule, running, subsets

pytestmark = pytest.mark.envoy

AROUND = 10
CHANGES = 30
variants = pytest.mark.parametrize("variant", list(XdsVariant), ids=lambda variant: variant.name)


@variants
async def test_a_route_moves_to_a_new_service_found_by_dns(tmp_path: Path, variant: XdsVariant) -> None:
    """In one apply a service appears, whose cluster is warm only when its name is resolved, and the route that leads there."""
    async with running(tmp_path, variant) as mesh, mesh.serving():
        await mesh.ready()
        await mesh.traffic.load(*mesh.targets(SHOP, BLOG))
        await mesh.answered_by("v1")
        for number in range(AROUND):
            host = f"named-{number}.example.org"
            new = named_entry(host, SLOW_NAME, mesh.ports["v3"])
            mesh.change(new, rule(SHOP, destination(host)))
            await mesh.answered_by("v3")
            await mesh.edit(rule(SHOP, destination(SHOP, "v1")), gone=(new,))
            await mesh.answered_by("v1")


@variants
async def test_endpoints_of_a_service_are_found_another_way(tmp_path: Path, variant: XdsVariant) -> None:
    """A service with endpoints of its own becomes one that is found by DNS, and the other way around; its route stays as it is."""
    async with running(tmp_path, variant) as mesh, mesh.serving():
        await mesh.edit(rule(SHOP, destination(SHOP)), entry(SHOP, {"v1": mesh.ports["v1"]}))
        await mesh.ready()
        await mesh.traffic.load(*mesh.targets(SHOP, BLOG))
        await mesh.answered_by("v1")
        for _ in range(AROUND // 2):
            mesh.change(named_entry(SHOP, SLOW_NAME, mesh.ports["v2"]))
            await mesh.answered_by("v2")
            mesh.change(entry(SHOP, {"v1": mesh.ports["v1"]}))
            await mesh.answered_by("v1")


@variants
async def test_a_cluster_that_never_warms_holds_up_no_other(tmp_path: Path, variant: XdsVariant) -> None:
    """A service whose name is never resolved is there: subsets are renamed with their routes as ever, within a second each."""
    async with running(tmp_path, variant) as mesh, mesh.serving():
        await mesh.ready()
        await mesh.traffic.load(*mesh.targets(SHOP, BLOG))
        await mesh.answered_by("v1")
        mesh.change(named_entry("never.example.org", "never.example.org", 80))
        for number in range(AROUND):
            name, version = f"turn-{number}", VERSIONS[(number + 1) % 3]
            mesh.change(subsets(SHOP, {name: version}), rule(SHOP, destination(SHOP, name)))
            await mesh.answered_by(version, within=5.0)


@variants
async def test_changes_overtake_each_other(tmp_path: Path, variant: XdsVariant) -> None:
    """Subsets are renamed with their routes before the Envoys have answered the last time, so that states are skipped."""
    async with running(tmp_path, variant) as mesh, mesh.serving():
        await mesh.ready()
        await mesh.traffic.load(*mesh.targets(SHOP, BLOG))
        await mesh.answered_by("v1")
        for number in range(CHANGES):
            name, version = f"turn-{number}", VERSIONS[number % 3]
            mesh.change(subsets(SHOP, {name: version}), rule(SHOP, destination(SHOP, name)))
            await mesh.traffic.more(1)
        await mesh.answered_by(VERSIONS[(CHANGES - 1) % 3])


@pytest.mark.parametrize("envoy", ["whole routes", "oldest"])
async def test_route_configurations_that_are_not_split(tmp_path: Path, envoy: str) -> None:
    """Delta clients with whole route configurations, by the setting or because their Envoy is too old for split ones."""
    binary = oldest() if envoy == "oldest" else None
    async with (
        running(tmp_path, XdsVariant.DELTA, binary=binary, settings=Settings(split_routes=False, drain_grace=0.1)) as mesh,
        mesh.serving(),
    ):
        await mesh.ready()
        await mesh.traffic.load(*mesh.targets(SHOP, BLOG))
        await mesh.answered_by("v1")
        for number in range(CHANGES):
            name, version = f"turn-{number}", VERSIONS[number % 3]
            mesh.change(subsets(SHOP, {name: version}), rule(SHOP, destination(SHOP, name)))
            await mesh.answered_by(version)
