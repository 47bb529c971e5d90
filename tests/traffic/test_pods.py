"""Pods with a sidecar as Kubernetes runs them: probed, scraped, rolled, with native sidecars."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.support.bookinfo_pods import BookinfoPods
from tests.support.pods import Pod

pytestmark = [pytest.mark.traffic, pytest.mark.asyncio(loop_scope="session")]

PROBED = r"^cluster\.probe\|9080\|\|;?\.upstream_rq_2xx$"


def details(bookinfo: BookinfoPods, name: str, container: dict[str, Any] | None = None, **annotations: str) -> Pod:
    """Return one more pod of details, not started yet, with additions to its container and annotations."""
    template = bookinfo.template("details-v1")
    template["spec"]["containers"][0] |= container or {}
    template["metadata"]["annotations"] = {f"sidecar.istio.io/{key}": value for key, value in annotations.items()}
    template["metadata"]["labels"]["app"] = name
    return bookinfo.cluster.place(name, template)


async def test_probes_are_answered_by_the_application(bookinfo: BookinfoPods) -> None:
    """The kubelet asks Envoy, which asks the application: the pod is ready when it is, and not before."""
    probe = {"httpGet": {"path": "/healthz", "port": "http"}, "periodSeconds": 1}
    pod = details(bookinfo, "probed", {"readinessProbe": probe, "livenessProbe": probe})
    asked = pod.raw["spec"]["containers"][0]["readinessProbe"]["httpGet"]
    assert asked == {"path": "/app-health/details/readyz", "port": 15020}
    await bookinfo.cluster.start_pods(pod)
    assert await pod.counter(r"probe.*upstream_rq_2xx") >= 1
    pod.kill("details")
    async with asyncio.timeout(5):
        while await pod._answers(15020, "/app-health/details/readyz"):  # noqa: ASYNC110  (the state is in another process)
            await asyncio.sleep(0.02)
    assert await pod._answers(15021, "/healthz/ready")
    assert not await pod._answers(15020, "/app-health/other/readyz")
    await bookinfo.cluster.stop_pod(pod)


async def test_prometheus_scrapes_the_proxy(bookinfo: BookinfoPods) -> None:
    """Metrics are there for the node to ask, compressed or not; nothing else of the admin interface is."""
    ratings = bookinfo.pod("ratings-v1")
    session = bookinfo.cluster.client(bookinfo.cluster.node.netns)
    for encoding in ("identity", "gzip"):
        async with session.get(f"http://{ratings.address}:15090/stats/prometheus", headers={"accept-encoding": encoding}) as response:
            assert response.status == 200
            assert response.headers.get("content-encoding") == (None if encoding == "identity" else encoding)
            assert "envoy_server_live" in await response.text()
    async with session.get(f"http://{ratings.address}:15090/config_dump") as response:
        assert response.status == 404


async def test_native_sidecar(bookinfo: BookinfoPods) -> None:
    """The proxy is ready before the application starts, and ends after it."""
    pod = details(bookinfo, "native", nativeSidecar="true")
    assert [container["name"] for container in pod.raw["spec"]["initContainers"]] == ["istio-init", "istio-proxy"]
    assert [container["name"] for container in pod.raw["spec"]["containers"]] == ["details"]
    await bookinfo.cluster.start_pods(pod)
    async with bookinfo.cluster.client(bookinfo.client.netns).get(f"http://{pod.address}:9080/details/0") as response:
        assert response.status == 200
    assert await pod.counter(r"^http\.InboundPassthroughCluster.*downstream_rq_2xx$") == 1  # no Service selects it
    await bookinfo.cluster.stop_pod(pod)


async def test_rolling_loses_no_request(bookinfo: BookinfoPods) -> None:
    """While every pod of a Deployment is replaced, one by one, each request of a steady load is answered.

    The applications serve on for a moment when they are told to end, as they must wherever they are rolled under load.
    """
    cluster = bookinfo.cluster
    template = bookinfo.template("ratings-v1")
    template["metadata"]["labels"]["app"] = "rolled"
    template["spec"]["containers"][0]["lifecycle"] = {"preStop": {"sleep": {"seconds": 1}}}
    spec = {"selector": {"app": "rolled"}, "ports": [{"name": "http", "port": 9080}]}
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "rolled", "namespace": "default"}, "spec": spec}
    cluster.add(service)
    pods = [cluster.place(f"old-{number}", json.loads(json.dumps(template))) for number in range(3)]
    await cluster.start_pods(*pods)
    statuses: list[int] = []
    rolling = True
    session = cluster.client(bookinfo.client.netns)

    async def load() -> None:
        while rolling:
            async with session.get("http://rolled:9080/ratings/0") as response:
                await response.read()
                statuses.append(response.status)
            await asyncio.sleep(0.005)

    callers = [asyncio.create_task(load()) for _ in range(4)]
    try:
        for number, old in enumerate(pods):
            await cluster.start_pods(cluster.place(f"new-{number}", json.loads(json.dumps(template))))
            await cluster.stop_pod(old)
    finally:
        rolling = False
        await asyncio.gather(*callers)
    assert len(statuses) > 200
    assert set(statuses) == {200}, {status: statuses.count(status) for status in set(statuses)}
