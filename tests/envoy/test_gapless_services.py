"""A service that goes takes no request with it but its own, and serves again soon after it is back: gateway and sidecar, SotW and Delta."""

from __future__ import annotations

from pathlib import Path
from time import monotonic

import pytest

from meshctl_operator.bootstrap.options import XdsVariant
from tests.support.gapless import BLOG, BLOGGERS, SHOP, destination, entry, rule, running

pytestmark = pytest.mark.envoy

AROUND = 5
BACK_WITHIN = 1.0
CART = "cart.example.org"
variants = pytest.mark.parametrize("variant", list(XdsVariant), ids=lambda variant: variant.name)


@variants
async def test_a_service_that_no_other_route_names_goes_and_comes(tmp_path: Path, variant: XdsVariant) -> None:
    """Nothing else is touched: every other request is answered."""
    async with running(tmp_path, variant) as mesh, mesh.serving():
        cart = entry(CART, {"v3": mesh.ports["v3"]})
        await mesh.edit(cart)
        await mesh.ready()
        await mesh.traffic.load(*mesh.targets(SHOP, BLOG))
        await mesh.answered_by("v1")
        for _ in range(AROUND):
            await mesh.edit(gone=(cart,))
            await mesh.traffic.more(10)
            await mesh.edit(cart)
            await mesh.traffic.more(10)


@variants
async def test_only_the_route_to_a_deleted_service_fails(tmp_path: Path, variant: XdsVariant) -> None:
    """The rest of its virtual host and all other hosts are answered; the route itself says 503, and serves within a second of its return."""
    async with running(tmp_path, variant, may_fail={"cart": "503"}) as mesh, mesh.serving():
        cart = entry(CART, {"v3": mesh.ports["v3"]})
        await mesh.edit(cart, rule(SHOP, destination(SHOP, "v1"), matches={"/cart": destination(CART)}))
        await mesh.ready()
        await mesh.traffic.load(*mesh.targets(SHOP, BLOG), *mesh.path(SHOP, "/cart"))
        await mesh.answered_by("v3", target="cart")
        for _ in range(AROUND):
            await mesh.edit(gone=(cart,))
            await mesh.failing("cart")
            await mesh.edit(cart)
            begin = monotonic()
            await mesh.answered_by("v3", target="cart")
            assert monotonic() - begin < BACK_WITHIN


@variants
async def test_a_route_moves_before_its_service_goes(tmp_path: Path, variant: XdsVariant) -> None:
    """In one apply: the route is led elsewhere and the service it went to is deleted; and the other way around."""
    async with running(tmp_path, variant) as mesh, mesh.serving():
        cart = entry(CART, {"v3": mesh.ports["v3"]})
        await mesh.ready()
        await mesh.traffic.load(*mesh.targets(SHOP, BLOG))
        await mesh.answered_by("v1")
        for _ in range(AROUND):
            mesh.change(cart, rule(SHOP, destination(CART)))
            await mesh.answered_by("v3")
            await mesh.edit(rule(SHOP, destination(SHOP, "v1")), gone=(cart,))
            await mesh.answered_by("v1")


@variants
async def test_the_endpoints_of_a_service_go_and_come(tmp_path: Path, variant: XdsVariant) -> None:
    """Without endpoints a service says 503 and no other is touched; it serves within a second of their return."""
    async with running(tmp_path, variant, may_fail={"blog": "503"}) as mesh, mesh.serving():
        await mesh.ready()
        await mesh.traffic.load(*mesh.targets(SHOP, BLOG))
        await mesh.answered_by(BLOGGERS[0], target="blog")
        for _ in range(AROUND):
            await mesh.edit(entry(BLOG, {}))
            await mesh.failing("blog")
            begin = monotonic()
            mesh.change(entry(BLOG, {BLOGGERS[1]: mesh.ports[BLOGGERS[1]]}))
            await mesh.answered_by(BLOGGERS[1], target="blog")
            assert monotonic() - begin < BACK_WITHIN
