"""Connection managers as messages."""

from __future__ import annotations

from typing import Any

from meshctl_operator.compiler.emit.http_connection_manager import emit_http_connection_manager
from meshctl_operator.compiler.inputs.clusters import DnsCacheInput
from meshctl_operator.compiler.inputs.listeners import ClientCertForwarding, EscapedSlashes, HttpConnectionManagerInput
from meshctl_operator.compiler.inputs.routes import RouteConfigurationInput
from meshctl_operator.compiler.ordering import HttpFilterName
from tests.support.mesh_text import as_json


def shown(manager: HttpConnectionManagerInput) -> dict[str, Any]:
    """Return the configuration as JSON."""
    config: dict[str, Any] = as_json(emit_http_connection_manager(manager))["typed_config"]
    return config


def test_rds() -> None:
    """Routes by name come over ADS, and the listener waits for them without limit."""
    config = shown(HttpConnectionManagerInput("p", "80", (HttpFilterName.ROUTER,)))
    assert config["rds"] == {
        "route_config_name": "80",
        "config_source": {"ads": {}, "resource_api_version": "V3", "initial_fetch_timeout": "0s"},
    }
    assert (config["stream_idle_timeout"], config["proxy_100_continue"], config["normalize_path"]) == ("0s", True, True)
    assert config["upgrade_configs"] == [{"upgrade_type": "websocket"}]
    assert {"use_remote_address", "forward_client_cert_details", "http_protocol_options", "merge_slashes"}.isdisjoint(config)


def test_inline_route() -> None:
    """Routes that are given stand in the manager."""
    config = shown(HttpConnectionManagerInput("p", RouteConfigurationInput("r"), (HttpFilterName.ROUTER,)))
    assert config["route_config"]["name"] == "r"
    assert "rds" not in config


def test_every_filter() -> None:
    """Each filter name has an entry with a typed configuration."""
    filters = shown(HttpConnectionManagerInput("p", "80", tuple(HttpFilterName), dns_caches=(DnsCacheInput("c"),)))["http_filters"]
    assert [entry["name"] for entry in filters] == [name.value for name in HttpFilterName]
    assert all(entry["typed_config"]["@type"] for entry in filters)


def test_options() -> None:
    """Each option of the input has its field."""
    config = shown(
        HttpConnectionManagerInput(
            "p",
            "80",
            (HttpFilterName.ROUTER,),
            server_name="s",
            use_remote_address=True,
            trusted_hops=2,
            client_cert=ClientCertForwarding.ALWAYS_FORWARD_ONLY,
            certificate_details=("subject", "uri"),
            normalize_path=False,
            merge_slashes=True,
            escaped_slashes=EscapedSlashes.UNESCAPE_AND_FORWARD,
            accept_http10=True,
            allow_absolute_url=True,
            http2_options=True,
            websocket=False,
        )
    )
    assert (config["server_name"], config["use_remote_address"], config["xff_num_trusted_hops"]) == ("s", True, 2)
    assert config["forward_client_cert_details"] == "ALWAYS_FORWARD_ONLY"
    assert config["set_current_client_cert_details"] == {"subject": True, "uri": True}
    assert (config["normalize_path"], config["merge_slashes"]) == (False, True)
    assert config["path_with_escaped_slashes_action"] == "UNESCAPE_AND_FORWARD"
    assert config["http_protocol_options"] == {"accept_http_10": True, "allow_absolute_url": True}
    assert config["http2_protocol_options"] == {}
    assert "upgrade_configs" not in config
