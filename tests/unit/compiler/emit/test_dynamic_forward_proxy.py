"""Tests of the dynamic forward proxy."""

from __future__ import annotations

import pytest

from meshctl_operator.compiler.emit.dynamic_forward_proxy import emit_dns_cache, emit_forward_proxy_type
from meshctl_operator.compiler.inputs.clusters import DnsCacheInput, DnsFamily
from tests.support.mesh_text import as_json


@pytest.mark.parametrize("family", DnsFamily)
def test_the_cache_of_a_cluster_is_that_of_its_filters(family: DnsFamily) -> None:
    """Envoy refuses two caches of one name that differ, so both come from one place."""
    cache = DnsCacheInput("c", family)
    shown = as_json(emit_forward_proxy_type(cache))
    assert shown["name"] == "envoy.clusters.dynamic_forward_proxy"
    assert shown["typed_config"]["dns_cache_config"] == as_json(emit_dns_cache(cache))
    assert as_json(emit_dns_cache(cache)).get("dns_lookup_family", "AUTO") == family.value
