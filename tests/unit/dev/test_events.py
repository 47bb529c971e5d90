"""The events of the local mesh as JSON lines."""

from __future__ import annotations

import io
import json
from typing import Any

from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.controlplane.events import Acked, ConfigApplied, Connected, Nacked
from meshctl_operator.dev import codes
from meshctl_operator.dev.config import WorkloadEntry
from meshctl_operator.dev.envoys import EnvoyAdmin
from meshctl_operator.dev.events import JsonReporter, ProcessDied, Ready
from meshctl_operator.dev.layout import LocalProxy
from meshctl_operator.dev.workloads import place
from tests.support.local_objects import decoded, deployment, gateway

KEY = ObjectKey("VirtualService", "default", "reviews")
FINDING = codes.NOT_RUN.warning(KEY, "", "is not run")


def ready() -> Ready:
    """Return a mesh of one gateway and one sidecar."""
    objects = decoded("---".join((deployment("gw", labels="{role: edge}"), gateway("entrance"), deployment("reviews-v1"))))
    edge, app = place(objects, [WorkloadEntry(deployment="reviews-v1", command=("run",))]).workloads
    proxies = (
        LocalProxy(edge, "127.0.0.1", EnvoyAdmin("127.0.0.1", 15000), ((80, 8080),)),
        LocalProxy(app, "127.0.9.1", EnvoyAdmin("127.0.0.1", 20000), (), ((9080, 20001),), 20002, 20001),
    )
    return Ready(2300.4, proxies, "127.0.0.1:15010", "127.0.0.1:15014", (FINDING,), "/logs/x")


def written(*events: Any) -> list[Any]:
    """Return what the reporter writes, decoded."""
    stream = io.StringIO()
    reporter = JsonReporter(stream)
    reporter.starting(ready().proxies)
    for event in events:
        reporter.ready(event) if isinstance(event, Ready) else reporter.event(event)
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_ready_is_the_first_line() -> None:
    """It has the addresses of gateways and sidecars, the servers of the control plane, and what was found."""
    assert written(ready()) == [
        {
            "event": "ready",
            "ms": 2300,
            "gateways": [{"name": "gw", "namespace": "default", "ports": {"80": "127.0.0.1:8080"}, "admin": "127.0.0.1:15000"}],
            "sidecars": [
                {
                    "name": "reviews-v1",
                    "namespace": "default",
                    "inbound": "127.0.9.1:9080",
                    "http_proxy": "127.0.0.1:20002",
                    "app": "127.0.0.1:20001",
                    "admin": "127.0.0.1:20000",
                }
            ],
            "xds": "127.0.0.1:15010",
            "http": "127.0.0.1:15014",
            "log": "/logs/x",
            "diagnostics": [FINDING.to_json()],
        }
    ]


def test_changes_answers_and_restarts_follow() -> None:
    """Edits, ACKs, NACKs and restarts are lines; who connects is not."""
    lines = written(
        ConfigApplied(7, (KEY,), (), 1),
        Connected("reviews-v1.default", "delta"),
        Acked("reviews-v1.default", "RDS", 7, 12.1),
        Nacked("reviews-v1.default", "RDS", 7, 12.1, "bad", ("9080",), (KEY,)),
        ProcessDied("reviews-v1", "exit code 1"),
    )
    assert [line["event"] for line in lines] == ["config", "ack", "nack", "restart"]
    assert lines[0]["changed"] == ["VirtualService/default/reviews"]
    assert lines[3] == {"event": "restart", "name": "reviews-v1", "reason": "exit code 1"}


async def test_nothing_is_asked_of_the_mesh() -> None:
    """Programs poll for themselves what they want to know."""
    mesh: Any = None
    await JsonReporter(io.StringIO()).watch(mesh)
