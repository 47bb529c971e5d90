"""The annotation proxy.istio.io/config."""

from __future__ import annotations

import pytest

from meshctl_operator.injector.proxy_config import ProxyConfig, read_proxy_config


def test_every_field() -> None:
    """As Istio spells them."""
    config = read_proxy_config("""
        concurrency: 3
        discoveryAddress: istiod.istio-system.svc:15010
        drainDuration: 1m
        terminationDrainDuration: 7s
        holdApplicationUntilProxyStarts: true
        image: {imageType: distroless}
        interceptionMode: TPROXY
        statusPort: 15999
        proxyMetadata: {ISTIO_META_NETWORK: net1, OTHER: x}
        runtimeValues: {a.b: "1"}
        proxyStatsMatcher: {inclusionPrefixes: [a], inclusionSuffixes: [b], inclusionRegexps: [c]}
        extraStatTags: [t]
    """)
    assert (config.concurrency, config.status_port, config.hold_application) == (3, 15999, True)
    assert (config.drain_seconds, config.termination_drain_seconds) == (60, 7)
    assert (config.image_type, config.interception, config.discovery_address) == ("distroless", "TPROXY", "istiod.istio-system.svc:15010")
    assert config.node_metadata == {"NETWORK": "net1"}
    assert config.runtime == {"a.b": "1"}
    stats = config.stats
    assert (stats.inclusion_prefixes, stats.inclusion_suffixes, stats.inclusion_regexps, stats.extra_tags) == (
        ("a",),
        ("b",),
        ("c",),
        ("t",),
    )
    assert config.ignored == ()


def test_nothing() -> None:
    """An empty annotation says nothing."""
    assert read_proxy_config("") == ProxyConfig()


def test_what_has_no_effect_is_told() -> None:
    """Fields for an agent, and DNS capture, which nobody would answer."""
    config = read_proxy_config("tracing: {}\nproxyMetadata: {ISTIO_META_DNS_CAPTURE: 'true'}")
    assert [message.split()[1 if message.startswith("field") else 0] for message in config.ignored] == [
        "tracing",
        "proxyMetadata.ISTIO_META_DNS_CAPTURE",
    ]
    assert config.node_metadata == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[", "not YAML"),
        ("- a", "fields of a ProxyConfig"),
        ("concurrency: many", "concurrency"),
        ("concurrency: true", "concurrency"),
        ("statusPort: 70000", "statusPort"),
        ("holdApplicationUntilProxyStarts: 'yes'", "neither true nor false"),
        ("image: {imageType: 3}", "image.imageType"),
        ("interceptionMode: MAYBE", "interceptionMode"),
        ("discoveryAddress: istiod", "HOST:PORT"),
        ("drainDuration: 45", "drainDuration"),
        ("drainDuration: soon", "drainDuration"),
        ("proxyMetadata: {A: 1}", "proxyMetadata"),
        ("extraStatTags: a", "extraStatTags"),
    ],
)
def test_mistakes_name_the_field(text: str, message: str) -> None:
    """A pod is not run otherwise than its author meant."""
    with pytest.raises(ValueError, match=message):
        read_proxy_config(text)
