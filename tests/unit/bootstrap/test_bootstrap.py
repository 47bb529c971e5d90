"""The bootstrap that attaches an Envoy to a control plane."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from meshctl_operator.bootstrap.bootstrap import bootstrap, to_dict, to_json, to_yaml
from meshctl_operator.bootstrap.options import BootstrapOptions, XdsVariant
from meshctl_operator.model.proxies import LocalBinding, Locality, Proxy, ProxyRole

PROXY = Proxy(ProxyRole.SIDECAR, "reviews-v1", "default", ("127.0.0.7",), locality=Locality("eu", "eu-1"))


def written(options: BootstrapOptions) -> Any:
    """Return the bootstrap as plain values."""
    return to_dict(bootstrap(options))


@pytest.mark.parametrize(("variant", "api_type"), [(XdsVariant.DELTA, "DELTA_GRPC"), (XdsVariant.SOTW, "GRPC")], ids=["delta", "sotw"])
def test_ads_in_both_variants(variant: XdsVariant, api_type: str) -> None:
    """Clusters and listeners come by ADS without a time-out, in the variant asked for; the node is sent once."""
    resources = written(BootstrapOptions(PROXY, variant=variant))["dynamic_resources"]
    assert resources["lds_config"] == {"ads": {}, "initial_fetch_timeout": "0s", "resource_api_version": "V3"}
    assert resources["cds_config"] == resources["lds_config"]
    assert resources["ads_config"].get("api_type") == api_type
    assert resources["ads_config"]["set_node_on_first_message_only"] is True
    assert resources["ads_config"]["grpc_services"] == [{"envoy_grpc": {"cluster_name": "xds-grpc"}}]


@pytest.mark.parametrize(("host", "kind"), [("127.0.0.1", "STATIC"), ("::1", "STATIC"), ("istiod.mesh", "STRICT_DNS")])
def test_control_plane_by_address_or_name(host: str, kind: str) -> None:
    """An address needs no DNS, a name is resolved again and again."""
    (cluster,) = written(BootstrapOptions(PROXY, xds_host=host, xds_port=15999))["static_resources"]["clusters"]
    assert cluster["type"] == kind
    socket = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"]["socket_address"]
    assert socket == {"address": host, "port_value": 15999}


def test_control_plane_is_watched_by_pings() -> None:
    """The connection to the control plane is HTTP/2 with pings at 30 s."""
    (cluster,) = written(BootstrapOptions(PROXY))["static_resources"]["clusters"]
    protocol = cluster["typed_extension_protocol_options"]["envoy.extensions.upstreams.http.v3.HttpProtocolOptions"]
    keepalive = protocol["explicit_http_config"]["http2_protocol_options"]["connection_keepalive"]
    assert keepalive == {"interval": "30s", "timeout": "10s"}


def test_node_and_admin() -> None:
    """The node carries id, cluster, metadata and locality; the admin interface stays on loopback."""
    result = written(BootstrapOptions(PROXY, admin_port=15001, metadata={"EXTRA": "x"}))
    assert result["node"]["id"] == "sidecar~127.0.0.7~reviews-v1.default~default.svc.cluster.local"
    assert result["node"]["cluster"] == "reviews-v1.default"
    assert result["node"]["metadata"]["EXTRA"] == "x"
    assert result["node"]["locality"] == {"region": "eu", "zone": "eu-1"}
    assert result["admin"]["address"]["socket_address"] == {"address": "127.0.0.1", "port_value": 15001}


def test_no_locality_is_no_message() -> None:
    """A proxy that does not know where it stands says nothing about it."""
    assert "locality" not in written(BootstrapOptions(Proxy(ProxyRole.ROUTER, "gw", "edge")))["node"]


def test_ports_stay_whole_numbers() -> None:
    """Ports inside the node metadata are printed as 8080, not 8080.0, although a Struct keeps doubles."""
    proxy = Proxy(ProxyRole.ROUTER, "gw", "edge", local=LocalBinding("127.0.0.1", ((80, 8080),)))
    local = written(BootstrapOptions(proxy, metadata={"LIST": [1, 2.5]}))["node"]["metadata"]
    assert json.dumps(local["MESHCTL_LOCAL"]["ports"]) == '{"80": 8080}'
    assert json.dumps(local["LIST"]) == "[1, 2.5]"


def test_yaml_and_json_say_the_same() -> None:
    """Both notations hold the same message."""
    message = bootstrap(BootstrapOptions(PROXY))
    assert yaml.safe_load(to_yaml(message)) == json.loads(to_json(message))
