"""Probes of applications."""

from __future__ import annotations

from typing import Any

import pytest

from meshctl_operator.bootstrap.options import AppProbe
from meshctl_operator.injector.json_values import JsonObject
from meshctl_operator.injector.probes import restore_probes, rewrite_probes


def container(**fields: Any) -> JsonObject:
    """Return a container with a named port."""
    return {"name": "app", "ports": [{"name": "web", "containerPort": 8080}], **fields}


def test_probes_by_http() -> None:
    """Each gets a path of its own at the proxy; timing stays; names of ports are resolved."""
    probe = {"httpGet": {"path": "/ok?x=1", "port": "web", "httpHeaders": [{"name": "Host", "value": "h"}, {"name": "X-A", "value": "1"}]}}
    given = container(readinessProbe={**probe, "periodSeconds": 3}, livenessProbe={"httpGet": {"port": 8081, "scheme": "HTTPS"}})
    done = rewrite_probes([given], 15020, skip="istio-proxy")
    assert done.containers[0]["readinessProbe"] == {"httpGet": {"path": "/app-health/app/readyz", "port": 15020}, "periodSeconds": 3}
    assert done.containers[0]["livenessProbe"] == {"httpGet": {"path": "/app-health/app/livez", "port": 15020}}
    assert done.probes == (
        AppProbe("/app-health/app/readyz", 8080, "/ok?x=1", (("x-a", "1"),), "h"),
        AppProbe("/app-health/app/livez", 8081, "/", tls=True),
    )
    assert given["readinessProbe"] == {**probe, "periodSeconds": 3}
    assert restore_probes(list(done.containers), done.originals) == [given]


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("startupProbe", "/app-health/app/startupz"),
        ("preStop", "/app-lifecycle/app/prestopz"),
        ("postStart", "/app-lifecycle/app/poststartz"),
    ],
)
def test_every_handler_has_its_path(kind: str, path: str) -> None:
    """Hooks of the life cycle as well."""
    handler = {"httpGet": {"port": 1}}
    given = container(**({kind: handler} if kind.endswith("Probe") else {"lifecycle": {kind: handler}}))
    (probe,) = rewrite_probes([given], 15020, skip="").probes
    assert probe.path == path


@pytest.mark.parametrize("probe", [{"tcpSocket": {"port": "web"}}, {"grpc": {"port": 8080}}], ids=["tcp", "grpc"])
def test_other_kinds_keep_their_port_out(probe: JsonObject) -> None:
    """They stay as they are."""
    given = container(readinessProbe=probe, livenessProbe=probe)
    done = rewrite_probes([given], 15020, skip="")
    assert done.containers == (given,)
    assert done.kept_out == (8080,)
    assert done.probes == ()


@pytest.mark.parametrize(
    "probe",
    [
        {"exec": {"command": ["true"]}},
        {"httpGet": {"port": "unknown"}},
        {"httpGet": {"port": 1, "host": "elsewhere"}},
        {"httpGet": {"port": True}},
        {"httpGet": {}},
    ],
    ids=str,
)
def test_what_stays(probe: JsonObject) -> None:
    """Commands, probes of other hosts, and what Kubernetes will refuse itself."""
    given = container(readinessProbe=probe)
    done = rewrite_probes([given], 15020, skip="")
    assert (done.containers, done.probes, done.kept_out) == ((given,), (), ())


def test_the_proxy_itself() -> None:
    """It answers for itself."""
    given = container(name="istio-proxy", readinessProbe={"httpGet": {"port": 15021}})
    assert rewrite_probes([given], 15020, skip="istio-proxy").containers == (given,)
