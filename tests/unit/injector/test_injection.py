"""Pods with their proxy, and without it again."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.injector.injection import inject, is_injected, uninject
from meshctl_operator.injector.settings import InjectorSettings

KEY = ObjectKey("Pod", "shop", "web")
SETTINGS = InjectorSettings()


def pod(*containers: Any, labels: dict[str, str] | None = None, annotations: dict[str, str] | None = None, **spec: Any) -> Any:
    """Return a pod of an application and other containers."""
    meta = {**({"labels": labels} if labels else {}), **({"annotations": annotations} if annotations else {})}
    return {
        "metadata": meta,
        "spec": {**spec, "containers": [{"name": "app", "image": "x", "ports": [{"containerPort": 80}]}, *containers]},
    }


def injected(raw: Any, settings: InjectorSettings = SETTINGS) -> Any:
    """Return the pod with its proxy; asserts that nothing is wrong, that twice is once, and that it can be taken out."""
    before = json.dumps(raw)
    done = inject(raw, settings, subject=KEY, workload="web", owner="o")
    assert not [finding for finding in done.diagnostics if finding.severity == "error"]
    assert json.dumps(raw) == before
    assert is_injected(done.value)
    assert inject(done.value, settings, subject=KEY, workload="web", owner="o").value == done.value
    assert uninject(done.value) == raw
    return done.value


def names(raw: Any, kind: str = "containers") -> list[str]:
    """Return the names of containers."""
    return [container["name"] for container in raw["spec"].get(kind, [])]


def proxy(raw: Any) -> Any:
    """Return the proxy of a pod."""
    return next(each for each in (*raw["spec"]["containers"], *raw["spec"].get("initContainers", [])) if each["name"] == "istio-proxy")


def test_containers() -> None:
    """The proxy comes last, and the interception is set up after other init containers: those have no proxy yet."""
    done = injected(pod(initContainers=[{"name": "first"}]))
    assert names(done, "initContainers") == ["first", "istio-init"]
    assert names(done) == ["app", "istio-proxy"]


def test_native_sidecars() -> None:
    """The proxy starts before other init containers, which may use it, and is no container like the others."""
    done = injected(pod(initContainers=[{"name": "first"}]), replace(SETTINGS, native_sidecars=True))
    assert names(done, "initContainers") == ["istio-init", "istio-proxy", "first"]
    assert names(done) == ["app"]
    assert proxy(done)["restartPolicy"] == "Always"
    assert "startupProbe" in proxy(done)


def test_from_native_to_plain() -> None:
    """Other settings give what they would have given at first."""
    raw = pod(initContainers=[{"name": "first"}])
    native = injected(raw, replace(SETTINGS, native_sidecars=True))
    assert inject(native, SETTINGS, subject=KEY, workload="web", owner="o").value == injected(raw)


@pytest.mark.parametrize("settings", [replace(SETTINGS, cni=True)], ids=["cni"])
def test_without_an_init_container(settings: InjectorSettings) -> None:
    """Where somebody else intercepts."""
    assert names(injected(pod(), settings), "initContainers") == []


def test_without_interception() -> None:
    """With NONE nothing is intercepted, so probes stay where they are."""
    probe = {"httpGet": {"port": 80}}
    raw = pod({"name": "other", "readinessProbe": probe}, annotations={"sidecar.istio.io/interceptionMode": "NONE"})
    done = injected(raw)
    assert names(done, "initContainers") == []
    assert done["spec"]["containers"][1]["readinessProbe"] == probe


def test_probes_come_back() -> None:
    """Rewritten once, they are known again by the originals that the proxy carries."""
    probe = {"httpGet": {"port": 80, "path": "/a$(b)$$"}, "periodSeconds": 9}
    done = injected(pod({"name": "other", "livenessProbe": probe, "startupProbe": {"tcpSocket": {"port": 81}}}))
    assert done["spec"]["containers"][1]["livenessProbe"]["httpGet"] == {"path": "/app-health/other/livez", "port": 15020}
    assert "81" in done["spec"]["initContainers"][0]["args"][done["spec"]["initContainers"][0]["args"].index("-d") + 1].split(",")


def test_ports_that_are_kept_out_are_told() -> None:
    """Traffic that bypasses the sidecar is worth knowing of."""
    raw = pod({"name": "other", "readinessProbe": {"tcpSocket": {"port": 81}}})
    (finding,) = inject(raw, SETTINGS, subject=KEY).diagnostics
    assert (finding.code, finding.severity) == ("MC4306", "info")


def test_errors_change_nothing() -> None:
    """The pod comes out as it went in."""
    raw = pod(annotations={"sidecar.istio.io/proxyCPU": "much"})
    done = inject(raw, SETTINGS, subject=KEY)
    assert done.value is raw
    assert done.diagnostics[0].code == "MC4301"


def test_a_proxy_of_ones_own() -> None:
    """A container of that name is laid over ours, and its user is the one whose traffic is let through."""
    own = {"name": "istio-proxy", "image": "auto", "securityContext": {"runAsUser": 2000}, "env": [{"name": "X", "value": "1"}]}
    done = inject(pod(own), SETTINGS, subject=KEY).value
    mine = proxy(done)
    assert mine["image"] == SETTINGS.proxy_image
    assert mine["securityContext"]["runAsUser"] == 2000
    assert {"name": "X", "value": "1"} in mine["env"]
    assert mine["args"][0] == "--config-yaml"
    words = as_any(done)["spec"]["initContainers"][0]["args"]
    assert words[words.index("-u") + 1] == "2000"
    assert inject(done, SETTINGS, subject=KEY).value == done
    assert uninject(done) == pod(own)


def as_any(value: Any) -> Any:
    """Return the value, of which types say little."""
    return value


def test_gateways() -> None:
    """A pod that is nothing but its proxy: no interception, no init container."""
    raw: Any = {
        "metadata": {"labels": {"istio": "ingressgateway"}, "annotations": {"inject.istio.io/templates": "gateway"}},
        "spec": {"containers": [{"name": "istio-proxy", "image": "auto", "ports": [{"containerPort": 8080}]}]},
    }
    done = injected(raw)
    assert names(done) == ["istio-proxy"]
    assert names(done, "initContainers") == []
    assert [port["containerPort"] for port in proxy(done)["ports"]] == [15090, 8080]
    assert "router~" in proxy(done)["args"][1]


def test_marks_of_the_pod_win() -> None:
    """Labels and annotations that it has stay, and stay when the proxy is taken out."""
    labels = {"service.istio.io/canonical-name": "mine", "version": "v7"}
    annotations = {"kubectl.kubernetes.io/default-container": "other", "prometheus.io/port": "9000"}
    done = injected(pod(labels=labels, annotations=annotations), replace(SETTINGS, network="net1", mtls=True))
    assert done["metadata"]["labels"] == {
        **labels,
        "service.istio.io/canonical-revision": "v7",
        "topology.istio.io/network": "net1",
        "security.istio.io/tlsMode": "istio",
    }
    assert done["metadata"]["annotations"]["kubectl.kubernetes.io/default-container"] == "other"
    assert "prometheus.io/path" not in done["metadata"]["annotations"]


@pytest.mark.parametrize(
    ("annotations", "scraped"),
    [
        ({}, True),
        ({"prometheus.io/scrape": "false"}, False),
        ({"prometheus.io/path": "/m"}, False),
        ({"prometheus.istio.io/merge-metrics": "false"}, False),
    ],
)
def test_prometheus_is_led_to_the_proxy(annotations: dict[str, str], *, scraped: bool) -> None:
    """Unless it is led elsewhere, or nowhere."""
    assert (injected(pod(annotations=annotations))["metadata"]["annotations"].get("prometheus.io/port") == "15090") is scraped


def test_volumes_and_secrets() -> None:
    """What is there already is not added, nor taken away."""
    volumes = json.dumps({"mine": {"emptyDir": {}}, "new": {"emptyDir": {}}})
    raw = pod(
        annotations={"sidecar.istio.io/userVolume": volumes}, volumes=[{"name": "mine", "emptyDir": {}}], imagePullSecrets=[{"name": "a"}]
    )
    done = injected(raw, replace(SETTINGS, image_pull_secrets=("a", "b")))
    assert [volume["name"] for volume in done["spec"]["volumes"]] == ["mine", "new"]
    assert [secret["name"] for secret in done["spec"]["imagePullSecrets"]] == ["a", "b"]


def test_holding_the_application() -> None:
    """The proxy goes first; that nobody waits for it without native sidecars is told."""
    raw = pod(annotations={"proxy.istio.io/config": "holdApplicationUntilProxyStarts: true"})
    done = inject(raw, SETTINGS, subject=KEY)
    assert names(done.value) == ["istio-proxy", "app"]
    assert [finding.code for finding in done.diagnostics] == ["MC4303"]
    assert inject(raw, replace(SETTINGS, native_sidecars=True), subject=KEY).diagnostics == ()


def test_transparent_proxying_needs_root() -> None:
    """A pod that forbids it cannot have it."""
    raw = pod(annotations={"sidecar.istio.io/interceptionMode": "TPROXY"}, securityContext={"runAsNonRoot": True})
    done = inject(raw, SETTINGS, subject=KEY)
    assert done.value is raw
    assert done.diagnostics[0].code == "MC4302"


def test_what_was_never_injected() -> None:
    """Stays."""
    raw = pod()
    assert uninject(raw) is raw


def test_broken_status() -> None:
    """Somebody wrote nonsense into what we keep there: nothing is taken out, and nothing crashes."""
    raw = pod(annotations={"sidecar.istio.io/status": "{"})
    assert names(inject(raw, SETTINGS, subject=KEY).value) == ["app", "istio-proxy"]
