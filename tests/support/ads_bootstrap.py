"""The least bootstrap of an Envoy that gets its configuration by Delta ADS, for tests of single parts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

ADS: dict[str, Any] = {"ads": {}, "initial_fetch_timeout": "0s", "resource_api_version": "V3"}


def ads_bootstrap(server: str, node_id: str, asks_for: Iterable[str]) -> dict[str, Any]:
    """Return the bootstrap of a node that asks ``server`` (``host:port``) for ``cds``, ``lds`` or both."""
    host, port = server.split(":")
    endpoint = {"address": {"socket_address": {"address": host, "port_value": int(port)}}}
    options = {
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http2_protocol_options": {}},
    }
    control_plane = {
        "name": "control-plane",
        "type": "STATIC",
        "load_assignment": {"cluster_name": "control-plane", "endpoints": [{"lb_endpoints": [{"endpoint": endpoint}]}]},
        "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options},
    }
    source = {"api_type": "DELTA_GRPC", "transport_api_version": "V3", "grpc_services": [{"envoy_grpc": {"cluster_name": "control-plane"}}]}
    return {
        "node": {"id": node_id, "cluster": "test"},
        "static_resources": {"clusters": [control_plane]},
        "dynamic_resources": {"ads_config": source, **{f"{kind}_config": ADS for kind in asks_for}},
    }
