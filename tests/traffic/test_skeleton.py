"""One pod calls another; both are intercepted, and neither knows."""

from __future__ import annotations

import json
from typing import Any

import pytest

from meshctl_operator.bootstrap.bootstrap import bootstrap, to_json
from meshctl_operator.bootstrap.options import BootstrapOptions
from meshctl_operator.model.proxies import Proxy, ProxyRole
from tests.support.pod_cluster import NODE_ADDRESS, PodCluster
from tests.support.dev_mesh import BOOKINFO

pytestmark = pytest.mark.traffic


def injected(name, containers, labels) -> Any:
    proxy = Proxy(ProxyRole.SIDECAR, name, "default", ("$(INSTANCE_IP)",), labels=tuple(labels.items()))
    text = to_json(bootstrap(BootstrapOptions(proxy, NODE_ADDRESS, 15010, status_port=15021, prometheus_port=15090)))
    return {
        "metadata": {"labels": labels},
        "spec": {
            "initContainers": [{"name": "istio-init", "command": ["meshctl"], "args": ["iptables", "apply", "-d", "15090,15021,15020"]}],
            "containers": [
                *containers,
                {
                    "name": "istio-proxy",
                    "command": ["envoy"],
                    "args": ["--config-yaml", text, "--concurrency", "1", "--disable-hot-restart", "--log-level", "warning"],
                    "env": [{"name": "INSTANCE_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}],
                    "securityContext": {"runAsUser": 1337, "runAsGroup": 1337},
                    "readinessProbe": {"httpGet": {"port": 15021, "path": "/healthz/ready"}},
                },
            ],
        },
    }


async def test_walks() -> None:
    """It walks."""
    async with PodCluster() as cluster:
        await cluster.apply({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "ratings", "namespace": "default"}, "spec": {"selector": {"app": "ratings"}, "ports": [{"name": "http", "port": 9080}]}})
        app = {"name": "ratings", "command": ["python3", str(BOOKINFO / "services/ratings.py")], "env": [{"name": "PORT", "value": "9080"}, {"name": "ADDRESS", "value": "0.0.0.0"}], "ports": [{"containerPort": 9080}]}
        server = cluster.place("ratings-v1-0", injected("ratings-v1-0", [app], {"app": "ratings"}))
        client = cluster.place("client-0", injected("client-0", [], {"app": "client"}))
        await cluster.start_pods(server, client)
        async with cluster.client(client.netns).get("http://ratings:9080/ratings/0") as response:
            print(response.status, dict(response.headers), await response.text())
            assert response.status == 200
        print(await server.counter("inbound.*downstream_rq_2xx"), await client.counter("outbound.*downstream_rq_2xx"))
        assert await server.counter("inbound.*downstream_rq_2xx")
