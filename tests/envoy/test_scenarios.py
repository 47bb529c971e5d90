"""Every scenario of bookinfo does what its README says, by real requests through real Envoys."""

from __future__ import annotations

import asyncio
import math
import ssl
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.support.dev_mesh import BOOKINFO, DevMesh
from tests.support.envoy_versions import newest

pytestmark = [pytest.mark.envoy, pytest.mark.asyncio(loop_scope="module")]

ALL_VERSIONS = {"reviews-v1", "reviews-v2", "reviews-v3"}


async def eventually(check: Callable[[], Awaitable[bool]], what: str, within: float = 10.0) -> None:
    """Ask again until it holds: for what arrives beside the answer, such as a mirrored request."""
    deadline = time.monotonic() + within
    while not await check():
        assert time.monotonic() < deadline, f"in {within} s it did not happen that {what}"
        await asyncio.sleep(0.02)


async def test_all_versions_take_turns(plain: DevMesh) -> None:
    """Without a VirtualService for reviews all three versions answer."""
    assert set(await plain.reviewers(120)) == ALL_VERSIONS


async def test_the_page_passes_every_sidecar(plain: DevMesh) -> None:
    """A page goes through the gateway and the sidecars of productpage, reviews and ratings: the counters of each move."""
    inbound = ["productpage-v1", "reviews-v2", "ratings-v1", "istio-ingressgateway"]
    stat = r"http\.(in|out)bound_.*\.downstream_rq_2xx"
    await plain.apply("jason-v2")
    before = {name: await plain.counter(name, stat) for name in inbound}
    page = await plain.product(user="jason")
    assert page["reviews"]["workload"] == "reviews-v2"
    assert page["reviews"]["ratings"]["workload"] == "ratings-v1"
    after = {name: await plain.counter(name, stat) for name in inbound}
    assert all(after[name] > before[name] for name in inbound), (before, after)
    status, html = await plain.get("/productpage", user="jason")
    assert (status, "served by reviews-v2" in html) == (200, True)


async def test_all_v1(plain: DevMesh) -> None:
    """Everybody gets version 1."""
    await plain.apply("all-v1")
    assert await plain.reviewers(100) == {"reviews-v1": 100}


async def test_jason_v2(plain: DevMesh) -> None:
    """200 requests of jason all show v2, 200 others all show v3."""
    await plain.apply("jason-v2")
    assert await plain.reviewers(200, user="jason") == {"reviews-v2": 200}
    assert await plain.reviewers(200) == {"reviews-v3": 200}


@pytest.mark.parametrize(("scenario", "share"), [("canary-90-10", 0.1), ("canary-50-50", 0.5)])
async def test_canary(plain: DevMesh, scenario: str, share: float) -> None:
    """The canary's share of 2,000 requests lies within five standard deviations of its weight."""
    await plain.apply(scenario)
    count = 2000
    seen = await plain.reviewers(count)
    assert set(seen) == {"reviews-v1", "reviews-v3"}
    assert abs(seen["reviews-v3"] - count * share) < 5 * math.sqrt(count * share * (1 - share)), seen


async def test_canary_100(plain: DevMesh) -> None:
    """At the end of the roll-out everybody gets the new version."""
    await plain.apply("canary-100")
    assert await plain.reviewers(100) == {"reviews-v3": 100}


async def _timed(request: Awaitable[dict[str, Any]]) -> tuple[dict[str, Any], float]:
    start = time.monotonic()
    return await request, time.monotonic() - start


async def test_fault_delay(plain: DevMesh) -> None:
    """Jason waits two seconds at ratings and still gets the whole page; others do not pass the delay."""
    await plain.apply("fault-delay")
    fault = r"http\..*\.fault\.delays_injected"
    page, took = await _timed(plain.product(user="jason"))
    assert page["reviews"]["ratings"]["workload"] == "ratings-v1"
    assert took >= 2.0
    assert await plain.counter("reviews-v2", fault) == 1
    await plain.product()
    assert await plain.counter("reviews-v2", fault) == 1


async def test_fault_abort(plain: DevMesh) -> None:
    """Jason's page says that ratings are missing and stays 200; others have them."""
    await plain.apply("fault-abort")
    status, html = await plain.get("/productpage", user="jason")
    assert (status, "Ratings are not available right now" in html) == (200, True)
    assert (await plain.product(user="jason"))["reviews"]["ratings"]["error"] == 500
    assert (await plain.product())["reviews"]["ratings"]["workload"] == "ratings-v1"


async def test_timeout_retry(plain: DevMesh) -> None:
    """A failure is tried again, a slow attempt is given up and tried again, and what never answers ends in 504 at the time-out."""
    await plain.apply("timeout-retry")
    assert (await plain.product(x_demo_fail="reviews=2"))["reviews"]["attempt"] == 3
    assert (await plain.product(x_demo_slow="reviews=1"))["reviews"]["attempt"] == 2
    page, took = await _timed(plain.product(x_demo_slow="reviews=9"))
    assert page["reviews"]["error"] == 504
    assert took >= 1.5


async def test_mirror(plain: DevMesh) -> None:
    """Version 1 answers all requests, and version 3 gets a copy of each."""
    await plain.apply("mirror")

    async def requests(workload: str) -> int:
        status, body = await plain.get(f"/api/v1/stats/{workload}")
        assert status == 200, body
        import json

        return int(json.loads(body)["requests"])

    before = {name: await requests(name) for name in ("reviews-v1", "reviews-v3")}
    assert await plain.reviewers(40) == {"reviews-v1": 40}
    assert await requests("reviews-v1") == before["reviews-v1"] + 40

    async def copied() -> bool:
        return await requests("reviews-v3") == before["reviews-v3"] + 40

    await eventually(copied, "version 3 got 40 copies")


async def test_tls_gateway(plain: DevMesh) -> None:
    """The gateway ends TLS with the certificate of the Secret, by SDS."""
    before = await plain.listeners("istio-ingressgateway")
    await plain.apply("tls-gateway")
    (address,) = set(await plain.listeners("istio-ingressgateway")) - set(before)  # the port opened when the object was applied
    host, _, port = address.partition(":")
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # a throw-away certificate is what the scenario promises
    async with plain.http.get(f"https://{address}/productpage", ssl=context) as response:
        assert (response.status, "served by" in await response.text()) == (200, True)
    _, writer = await asyncio.open_connection(host, int(port), ssl=context, server_hostname="bookinfo.example.org")
    certificate = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    assert b"bookinfo.example.org" in certificate
    status, _ = await plain.get("/productpage")
    assert status == 200


async def test_external_service(plain: DevMesh) -> None:
    """A host that a ServiceEntry makes known is reached from the sidecar; before, nobody knows it."""
    assert (await plain.get("/quotes"))[0] == 502
    await plain.apply("external-service")
    status, body = await plain.get("/quotes")
    assert (status, '"workload": "outside"' in body) == (200, True), body


async def test_egress_gateway(plain: DevMesh) -> None:
    """Requests to the outside pass the egress gateway: its counters move."""
    await plain.apply("egress-gateway")
    stat = r"http\.(in|out)bound_.*\.downstream_rq_2xx"
    before = await plain.counter("istio-egressgateway", stat)
    for _ in range(5):
        status, body = await plain.get("/quotes")
        assert (status, '"workload": "outside"' in body) == (200, True), body
    assert await plain.counter("istio-egressgateway", stat) == before + 5


async def test_redirect_rewrite(plain: DevMesh) -> None:
    """An old path leads to the new one, a nicer one is rewritten, and others stay unknown."""
    await plain.apply("redirect-rewrite")
    async with plain.http.get(f"http://{plain.gateway()}/old", allow_redirects=False) as response:
        assert response.status == 302
        assert response.headers["location"] == f"http://{plain.gateway()}/productpage"
    status, body = await plain.get("/books/0")
    assert (status, '"title"' in body) == (200, True)
    assert (await plain.get("/nothing"))[0] == 404


async def test_the_debug_page_knows_both_forms_of_routes(plain: DevMesh) -> None:
    """Every proxy is in sync, whether it has virtual hosts as resources of their own (the newest Envoy) or as part of their routes."""
    await plain.apply("canary-50-50")
    rows = {row["proxy"]: row["types"] for row in await plain.syncz()}
    assert len(rows) == len(plain.proxies())
    assert {kind["status"] for types in rows.values() for kind in types.values()} <= {"SYNCED", "NOT SENT"}
    assert bool(rows["productpage-v1.default"]["VHDS"]["held"]) == (plain.envoy == newest())
    assert rows["productpage-v1.default"]["RDS"]["held"] == 1


async def test_every_scenario_has_its_test(plain: DevMesh) -> None:
    """A scenario that nobody tests is a promise that nobody keeps."""
    tested = {"canary-90-10", "canary-50-50"} | {
        name.removeprefix("test_").replace("_", "-") for name in globals() if name.startswith("test_")
    }
    assert {folder.name for folder in (BOOKINFO / "scenarios").iterdir()} <= tested
    assert plain.ready
