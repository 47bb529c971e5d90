"""Annotations of pods: each is read, and judged. What each changes in the pod is in the golden files."""

from __future__ import annotations

from dataclasses import replace

import pytest

from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.injector.annotations import PodOptions, read_options
from meshctl_operator.injector.settings import InjectorSettings, Resources

KEY = ObjectKey("Pod", "default", "x")


def read(**annotations: str) -> tuple[PodOptions, list[str]]:
    """Return the options and the codes of the findings; ``__`` stands for a slash, ``_`` for a dot."""
    given = {key.replace("__", "/").replace("_", "."): value for key, value in annotations.items()}
    options, findings = read_options(given, InjectorSettings(), KEY)
    return options, [finding.code for finding in findings]


def test_the_default() -> None:
    """Everything is intercepted but where Envoy answers for itself."""
    options, findings = read()
    assert findings == []
    assert options.kept_out == (15090, 15021, 15020)
    assert options.include_outbound_ranges.everything
    assert not options.is_gateway


def test_one_resource_drops_the_defaults_of_all() -> None:
    """Who states one states all."""
    assert read()[0].resources == InjectorSettings().resources
    assert read(sidecar_istio_io__proxyCPU="1")[0].resources == Resources(cpu="1")


@pytest.mark.parametrize(
    ("kind", "image"),
    [("distroless", "docker.io/envoyproxy/envoy:distroless-v1.40.0"), ("default", "docker.io/envoyproxy/envoy:v1.40.0")],
)
def test_types_of_images(kind: str, image: str) -> None:
    """They are part of the tag, as in the repository of the stock images."""
    assert read(sidecar_istio_io__proxyImageType=kind)[0].image == image


@pytest.mark.parametrize("image", ["registry:5000/envoy", "envoy@sha256:abc"])
def test_images_without_a_tag(image: str) -> None:
    """There is nothing to put a type before."""
    assert read(sidecar_istio_io__proxyImage=image, sidecar_istio_io__proxyImageType="debug")[0].image == image


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("sidecar.istio.io/interceptionMode", "BOTH"),
        ("traffic.sidecar.istio.io/includeOutboundIPRanges", "everything"),
        ("traffic.sidecar.istio.io/excludeOutboundIPRanges", "*"),
        ("traffic.sidecar.istio.io/includeInboundPorts", "http"),
        ("traffic.sidecar.istio.io/excludeInboundPorts", "*"),
        ("traffic.sidecar.istio.io/includeOutboundPorts", "70000"),
        ("traffic.sidecar.istio.io/excludeOutboundPorts", "-1"),
        ("traffic.sidecar.istio.io/excludeInterfaces", "a/b"),
        ("traffic.sidecar.istio.io/kubevirtInterfaces", "a b"),
        ("istio.io/reroute-virtual-interfaces", "a b"),
        ("status.sidecar.istio.io/port", "none"),
        ("readiness.status.sidecar.istio.io/initialDelaySeconds", "1s"),
        ("readiness.status.sidecar.istio.io/periodSeconds", "-1"),
        ("readiness.status.sidecar.istio.io/failureThreshold", ""),
        ("sidecar.istio.io/proxyCPU", "much"),
        ("sidecar.istio.io/proxyMemory", "1 Gi"),
        ("sidecar.istio.io/proxyImage", "a b"),
        ("sidecar.istio.io/proxyImageType", "small"),
        ("sidecar.istio.io/logLevel", "loud"),
        ("sidecar.istio.io/componentLogLevel", "upstream"),
        ("sidecar.istio.io/userVolume", "{"),
        ("sidecar.istio.io/userVolume", "[]"),
        ("sidecar.istio.io/userVolumeMount", '[{"mountPath": "/a"}]'),
        ("sidecar.istio.io/capNetBindService", "yes"),
        ("sidecar.istio.io/nativeSidecar", "maybe"),
        ("sidecar.istio.io/rewriteAppHTTPProbers", "no"),
        ("sidecar.istio.io/statsInclusionRegexps", "("),
        ("sidecar.istio.io/statsHistogramBuckets", "{"),
        ("sidecar.istio.io/statsHistogramBuckets", "{}"),
        ("sidecar.istio.io/statsHistogramBuckets", '{"a": [5, 1]}'),
        ("sidecar.istio.io/statsHistogramBuckets", '{"a": ["x"]}'),
        ("sidecar.istio.io/statsFlushInterval", "5"),
        ("sidecar.istio.io/statsEvictionInterval", "-5s"),
        ("prometheus.istio.io/merge-metrics", "on"),
        ("proxy.istio.io/config", "concurrency: many"),
        ("inject.istio.io/templates", "grpc-agent"),
        ("inject.istio.io/templates", "sidecar,spire"),
        ("sidecar.istio.io/bootstrapOverride", "mine"),
    ],
)
def test_unusable_values_are_errors(key: str, value: str) -> None:
    """The finding names the annotation, and the rest is read as if it were not there."""
    options, findings = read_options({key: value}, InjectorSettings(), KEY)
    (finding,) = findings
    assert finding.severity == "error"
    assert finding.path == f'metadata.annotations["{key}"]'
    assert replace(options, resources=read()[0].resources) == read()[0]


@pytest.mark.parametrize("key", ["sidecar.istio.io/agentLogLevel", "prometheus.istio.io/scrape-targets"])
def test_what_has_no_effect_is_told(key: str) -> None:
    """There is no agent."""
    (finding,) = read_options({key: "x"}, InjectorSettings(), KEY)[1]
    assert (finding.severity, finding.code) == ("warning", "MC4303")


def test_misspelled_annotations() -> None:
    """With the name that was meant; annotations of others are none of our business."""
    (finding,) = read_options({"sidecar.istio.io/proxyCpu": "1", "example.org/x": "y"}, InjectorSettings(), KEY)[1]
    assert finding.hint == "did you mean sidecar.istio.io/proxyCPU?"
    assert finding.severity == "warning"


def test_fields_without_effect() -> None:
    """Those of the ProxyConfig too."""
    assert read(proxy_istio_io__config="tracing: {}")[1] == ["MC4303"]
