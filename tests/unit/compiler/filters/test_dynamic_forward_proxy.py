"""Tests of the filters that resolve hosts while a request is there."""

from __future__ import annotations

from meshctl_operator.compiler.emit.dynamic_forward_proxy import emit_dns_cache
from meshctl_operator.compiler.filters import dynamic_forward_proxy
from meshctl_operator.compiler.inputs.clusters import DnsCacheInput, DnsFamily
from tests.support.mesh_text import as_json

CACHE = DnsCacheInput("c", DnsFamily.V6_ONLY)


def test_filters_name_the_cache_of_the_cluster() -> None:
    """Both filters fill the cache that the cluster reads; the one of connections knows the port, which no server name has."""
    assert as_json(dynamic_forward_proxy.http_filter(CACHE))["typed_config"]["dns_cache_config"] == as_json(emit_dns_cache(CACHE))
    network = as_json(dynamic_forward_proxy.network_filter(CACHE, 8443))["typed_config"]
    assert (network["dns_cache_config"], network["port_value"]) == (as_json(emit_dns_cache(CACHE)), 8443)
