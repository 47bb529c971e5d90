"""Process-wide settings of an Envoy that are the same for every proxy: runtime layers, overload limits, tags of statistics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from envoy_data_plane.envoy.config.bootstrap.v3 import LayeredRuntime
    from envoy_data_plane.envoy.config.metrics.v3 import StatsConfig
    from envoy_data_plane.envoy.config.overload.v3 import OverloadManager

_RUNTIME: Final = {
    "re2.max_program_size.error_level": 32768,  # Istio's limit for regular expressions; Envoy's own of 100 refuses ordinary ones
}
_MAX_CONNECTIONS: Final = 2**31 - 1  # as in Istio; stating it also silences Envoy's warning that there is no limit

# The first group is cut out of the name, the second is the value. Names of ours end in ";" because host names are full of dots.
_TAGS: Final = (
    ("envoy.cluster_name", r"^cluster(\.(.+?);)"),
    ("envoy.http_conn_manager_prefix", r"^http(\.(.+?);)"),
    ("envoy.tcp_prefix", r"^tcp(\.(.+?);)"),
)
_BUILT_IN_TAGS: Final = ("envoy.response_code", "envoy.response_code_class", "envoy.listener_address", "envoy.virtual_host")


def runtime() -> LayeredRuntime:
    """Return the runtime: a static layer with our limits under the layer of the admin interface."""
    from envoy_data_plane.envoy.config.bootstrap.v3 import LayeredRuntime, RuntimeLayer, RuntimeLayerAdminLayer
    from envoy_data_plane.google.protobuf import Struct

    return LayeredRuntime(
        layers=[
            RuntimeLayer(name="meshctl", static_layer=Struct.from_dict(dict(_RUNTIME))),
            RuntimeLayer(name="admin", admin_layer=RuntimeLayerAdminLayer()),
        ]
    )


def overload_manager() -> OverloadManager:
    """Return the limit of downstream connections (``envoy.resource_monitors.global_downstream_max_connections``)."""
    from envoy_data_plane.envoy.config.overload.v3 import OverloadManager, ResourceMonitor
    from envoy_data_plane.envoy.extensions.resource_monitors.downstream_connections.v3 import DownstreamConnectionsConfig
    from envoy_data_plane.google.protobuf import Any

    limit = DownstreamConnectionsConfig(max_active_downstream_connections=_MAX_CONNECTIONS)
    return OverloadManager(
        resource_monitors=[
            ResourceMonitor(name="envoy.resource_monitors.global_downstream_max_connections", typed_config=Any.pack(limit)),
        ]
    )


def stats_config() -> StatsConfig:
    """Return how names of statistics are split into tags: those of ours by the ``;`` at the end, a few of Envoy's by its own rules."""
    from envoy_data_plane.envoy.config.metrics.v3 import StatsConfig, TagSpecifier

    return StatsConfig(
        use_all_default_tags=False,
        stats_tags=[
            *(TagSpecifier(tag_name=name, regex=regex) for name, regex in _TAGS),
            *(TagSpecifier(tag_name=name) for name in _BUILT_IN_TAGS),
        ],
    )
