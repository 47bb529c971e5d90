"""Every scenario of bookinfo in pods whose applications know nothing of a proxy: what they send and are sent is intercepted."""

from __future__ import annotations

import asyncio
import math
import ssl
import time
from collections.abc import Awaitable
from typing import Any

import pytest

from tests.support.bookinfo_pods import EGRESS, GATEWAY, HOST, BookinfoPods
from tests.support.dev_mesh import SCENARIOS
from tests.support.netns import connected

pytestmark = [pytest.mark.traffic, pytest.mark.asyncio(loop_scope="session")]

ALL_VERSIONS = {"reviews-v1", "reviews-v2", "reviews-v3"}
ANSWERED = r"^http\.(in|out)bound_.*downstream_rq_2xx$"


async def timed(request: Awaitable[dict[str, Any]]) -> tuple[dict[str, Any], float]:
    """Return an answer and how long it took."""
    start = time.monotonic()
    return await request, time.monotonic() - start


async def test_all_versions_take_turns(bookinfo: BookinfoPods) -> None:
    """Without a VirtualService for reviews all three versions answer."""
    assert set(await bookinfo.reviewers(60)) == ALL_VERSIONS


async def test_every_hop_is_intercepted(bookinfo: BookinfoPods) -> None:
    """A page passes both sidecars of each call: every one of them counts it in and out, though no application knows of any."""
    await bookinfo.apply("jason-v2")
    ways = {"productpage-v1": ("in", "out"), "details-v1": ("in",), "reviews-v2": ("in", "out"), "ratings-v1": ("in",), GATEWAY: ("out",)}

    async def counted() -> dict[tuple[str, str], int]:
        return {
            (name, way): await bookinfo.pod(name).counter(rf"^http\.{way}bound_.*downstream_rq_2xx$")
            for name, directions in ways.items()
            for way in directions
        }

    before = await counted()
    status, html = await bookinfo.get("/productpage", user="jason")
    assert (status, "served by reviews-v2" in html) == (200, True)
    after = await counted()
    assert all(after[key] > before[key] for key in before), (before, after)


async def test_all_v1(bookinfo: BookinfoPods) -> None:
    """Everybody gets version 1."""
    await bookinfo.apply("all-v1")
    assert await bookinfo.reviewers(40) == {"reviews-v1": 40}


async def test_jason_v2(bookinfo: BookinfoPods) -> None:
    """Jason sees v2, others v3."""
    await bookinfo.apply("jason-v2")
    assert await bookinfo.reviewers(40, user="jason") == {"reviews-v2": 40}
    assert await bookinfo.reviewers(40) == {"reviews-v3": 40}


@pytest.mark.parametrize(("scenario", "share"), [("canary-90-10", 0.1), ("canary-50-50", 0.5)])
async def test_canary(bookinfo: BookinfoPods, scenario: str, share: float) -> None:
    """The canary's share of the requests lies within five standard deviations of its weight."""
    await bookinfo.apply(scenario)
    count = 400
    seen = await bookinfo.reviewers(count)
    assert set(seen) == {"reviews-v1", "reviews-v3"}
    assert abs(seen["reviews-v3"] - count * share) < 5 * math.sqrt(count * share * (1 - share)), seen


async def test_canary_100(bookinfo: BookinfoPods) -> None:
    """At the end of the roll-out everybody gets the new version."""
    await bookinfo.apply("canary-100")
    assert await bookinfo.reviewers(40) == {"reviews-v3": 40}


async def test_fault_delay(bookinfo: BookinfoPods) -> None:
    """Jason waits two seconds at ratings and still gets the whole page."""
    await bookinfo.apply("fault-delay")
    page, took = await timed(bookinfo.product(user="jason"))
    assert page["reviews"]["ratings"]["workload"] == "ratings-v1"
    assert took >= 2.0


async def test_fault_abort(bookinfo: BookinfoPods) -> None:
    """Jason's page says that ratings are missing; others have them."""
    await bookinfo.apply("fault-abort")
    assert (await bookinfo.product(user="jason"))["reviews"]["ratings"]["error"] == 500
    assert (await bookinfo.product())["reviews"]["ratings"]["workload"] == "ratings-v1"


async def test_timeout_retry(bookinfo: BookinfoPods) -> None:
    """A failure is tried again, a slow attempt is given up and tried again, and what never answers ends in 504."""
    await bookinfo.apply("timeout-retry")
    assert (await bookinfo.product(x_demo_fail="reviews=2"))["reviews"]["attempt"] == 3
    assert (await bookinfo.product(x_demo_slow="reviews=1"))["reviews"]["attempt"] == 2
    assert (await bookinfo.product(x_demo_slow="reviews=9"))["reviews"]["error"] == 504


async def test_mirror(bookinfo: BookinfoPods) -> None:
    """Version 1 answers all requests, and version 3 gets a copy of each."""
    await bookinfo.apply("mirror")
    answered = r"^http\.inbound_.*downstream_rq_2xx$"
    before = await bookinfo.pod("reviews-v3").counter(answered)
    assert await bookinfo.reviewers(20) == {"reviews-v1": 20}
    async with asyncio.timeout(10):
        while await bookinfo.pod("reviews-v3").counter(answered) < before + 20:  # noqa: ASYNC110  (copies arrive beside the answers)
            await asyncio.sleep(0.02)


async def test_tls_gateway(bookinfo: BookinfoPods) -> None:
    """The gateway ends TLS with the certificate of the Secret, at the port that its Service has for 443."""
    await bookinfo.apply("tls-gateway")
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # a throw-away certificate is what the scenario promises
    address, _, port = bookinfo.gateway(8443).partition(":")
    sock = await connected(bookinfo.cluster.outside.socket(), address, int(port))
    _, writer = await asyncio.open_connection(sock=sock, ssl=context, server_hostname=HOST)
    certificate = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    assert HOST.encode() in certificate
    async with bookinfo.visitor.get(f"https://{bookinfo.gateway(8443)}/productpage", ssl=context) as response:
        assert (response.status, "served by" in await response.text()) == (200, True)


async def test_external_service(bookinfo: BookinfoPods) -> None:
    """A host that a ServiceEntry makes known is reached at the port that it says; without it, it is tried as the application asks."""
    assert (await bookinfo.get("/quotes"))[0] == 503  # nobody listens on port 80 out there
    await bookinfo.apply("external-service")
    status, body = await bookinfo.get("/quotes")
    assert (status, '"workload": "outside"' in body) == (200, True), body


async def test_egress_gateway(bookinfo: BookinfoPods) -> None:
    """Requests to the outside pass the egress gateway: its counters move."""
    await bookinfo.apply("egress-gateway")
    before = await bookinfo.pod(EGRESS).counter(ANSWERED)
    for _ in range(5):
        status, body = await bookinfo.get("/quotes")
        assert (status, '"workload": "outside"' in body) == (200, True), body
    assert await bookinfo.pod(EGRESS).counter(ANSWERED) == before + 5


async def test_redirect_rewrite(bookinfo: BookinfoPods) -> None:
    """An old path leads to the new one, a nicer one is rewritten, and others stay unknown."""
    await bookinfo.apply("redirect-rewrite")
    async with bookinfo.visitor.get(f"http://{bookinfo.gateway()}/old", allow_redirects=False) as response:
        assert response.status == 302
    status, body = await bookinfo.get("/books/0")
    assert (status, '"title"' in body) == (200, True)
    assert (await bookinfo.get("/nothing"))[0] == 404


async def test_every_scenario_has_its_test(bookinfo: BookinfoPods) -> None:
    """A scenario that nobody tests is a promise that nobody keeps."""
    tested = {name.removeprefix("test_").replace("_", "-") for name in globals() if name.startswith("test_")}
    assert set(SCENARIOS) <= tested | {"canary-90-10", "canary-50-50"}
    assert bookinfo.client.running("istio-proxy")
