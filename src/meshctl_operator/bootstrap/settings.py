"""Process-wide settings of an Envoy that are the same for every proxy: runtime layers, overload limits, tags of statistics."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from meshctl_operator.bootstrap.options import MAX_CONNECTIONS, StatsOptions

if TYPE_CHECKING:
    from envoy_data_plane.envoy.config.bootstrap.v3 import LayeredRuntime
    from envoy_data_plane.envoy.config.metrics.v3 import HistogramBucketSettings, StatsConfig, StatsMatcher
    from envoy_data_plane.envoy.config.overload.v3 import OverloadManager

RuntimeValue = bool | int | float | str

_RUNTIME: Final[Mapping[str, RuntimeValue]] = {
    "re2.max_program_size.error_level": 32768,  # Istio's limit for regular expressions; Envoy's own of 100 refuses ordinary ones
    "envoy.reloadable_features.http_reject_path_with_fragment": False,  # as in Istio: the fragment is cut off, the request goes on
}

_HEAP_MONITOR: Final = "envoy.resource_monitors.fixed_heap"
_HEAP_ACTIONS: Final = (("envoy.overload_actions.shrink_heap", 0.9), ("envoy.overload_actions.stop_accepting_requests", 0.95))

# The first group is cut out of the name, the second is the value. Names of ours end in ";" because host names are full of dots.
_TAGS: Final = (
    ("envoy.cluster_name", r"^cluster(\.(.+?);)"),
    ("envoy.http_conn_manager_prefix", r"^http(\.(.+?);)"),
    ("envoy.tcp_prefix", r"^tcp(\.(.+?);)"),
)
_BUILT_IN_TAGS: Final = ("envoy.response_code", "envoy.response_code_class", "envoy.listener_address", "envoy.virtual_host")


_VITAL_PREFIXES: Final = (
    "cluster_manager",
    "listener_manager",
    "server",
    "cluster.xds-grpc",
    "wasm",
    "component",
    "istio",
    "reporter=",
)
_VITAL_SUFFIXES: Final = ("rbac.allowed", "rbac.denied", "shadow_allowed", "shadow_denied")
_VITAL_REGEXPS: Final = (r"vhost\..*\.route\..*",)
"""What is there whatever else is chosen, as in Istio's bootstrap."""


def runtime(values: Mapping[str, str] | None = None) -> LayeredRuntime:
    """Return the runtime: a static layer with our limits under the layer of the admin interface.

    ``values`` are laid over ours (``ProxyConfig.runtimeValues``): text that reads as a boolean or a number is one, an empty text deletes.
    """
    from envoy_data_plane.envoy.config.bootstrap.v3 import LayeredRuntime, RuntimeLayer, RuntimeLayerAdminLayer
    from envoy_data_plane.google.protobuf import Struct

    merged: dict[str, RuntimeValue] = {**_RUNTIME, **{key: _typed(text) for key, text in (values or {}).items()}}
    stated = {key: value for key, value in merged.items() if value != ""}
    return LayeredRuntime(
        layers=[
            RuntimeLayer(name="meshctl", static_layer=Struct.from_dict(stated)),
            RuntimeLayer(name="admin", admin_layer=RuntimeLayerAdminLayer()),
        ]
    )


def _typed(text: str) -> RuntimeValue:
    if text in ("true", "false"):
        return text == "true"
    return float(text) if re.fullmatch(r"-?\d+(\.\d+)?", text) else text


def overload_manager(max_connections: int = MAX_CONNECTIONS, max_heap_bytes: int = 0) -> OverloadManager:
    """Return the limits of the process: downstream connections and, unless it is 0, memory.

    Near the limit of memory Envoy first gives back what it can, then refuses requests, as it advises for edge proxies.
    """
    from envoy_data_plane.envoy.config.overload.v3 import OverloadAction, OverloadManager, ResourceMonitor, ThresholdTrigger, Trigger
    from envoy_data_plane.envoy.extensions.resource_monitors.downstream_connections.v3 import DownstreamConnectionsConfig
    from envoy_data_plane.envoy.extensions.resource_monitors.fixed_heap.v3 import FixedHeapConfig
    from envoy_data_plane.google.protobuf import Any

    limit = DownstreamConnectionsConfig(max_active_downstream_connections=max_connections)
    monitors = [ResourceMonitor(name="envoy.resource_monitors.global_downstream_max_connections", typed_config=Any.pack(limit))]
    actions = []
    if max_heap_bytes:
        heap = FixedHeapConfig(max_heap_size_bytes=max_heap_bytes)
        monitors.append(ResourceMonitor(name=_HEAP_MONITOR, typed_config=Any.pack(heap)))
        for name, share in _HEAP_ACTIONS:
            trigger = Trigger(name=_HEAP_MONITOR, threshold=ThresholdTrigger(value=share))
            actions.append(OverloadAction(name=name, triggers=[trigger]))
    return OverloadManager(resource_monitors=monitors, actions=actions)


def stats_config(options: StatsOptions | None = None) -> StatsConfig:
    """Return which statistics there are, and how their names are split into tags: ours by the ``;`` at the end, a few of Envoy's by its own rules."""
    from envoy_data_plane.envoy.config.metrics.v3 import StatsConfig, TagSpecifier

    wanted = options or StatsOptions()
    return StatsConfig(
        use_all_default_tags=False,
        stats_tags=[
            *(TagSpecifier(tag_name=name, regex=regex) for name, regex in _TAGS),
            *(TagSpecifier(tag_name=name) for name in _BUILT_IN_TAGS),
            *(TagSpecifier(tag_name=name, regex=rf"({re.escape(name)}=\.=(.*?);\.)") for name in wanted.extra_tags),
        ],
        stats_matcher=_matcher(wanted) if wanted.selects else None,
        histogram_bucket_settings=[_buckets(prefix, bounds) for prefix, bounds in wanted.buckets],
    )


def _matcher(options: StatsOptions) -> StatsMatcher:
    from envoy_data_plane.envoy.config.metrics.v3 import StatsMatcher
    from envoy_data_plane.envoy.type.matcher.v3 import ListStringMatcher, RegexMatcher, StringMatcher

    patterns = [
        *(StringMatcher(prefix=text) for text in (*_VITAL_PREFIXES, *options.inclusion_prefixes)),
        *(StringMatcher(suffix=text) for text in (*_VITAL_SUFFIXES, *options.inclusion_suffixes)),
        *(StringMatcher(safe_regex=RegexMatcher(regex=text)) for text in (*_VITAL_REGEXPS, *options.inclusion_regexps)),
    ]
    return StatsMatcher(inclusion_list=ListStringMatcher(patterns=patterns))


def _buckets(prefix: str, bounds: tuple[float, ...]) -> HistogramBucketSettings:
    from envoy_data_plane.envoy.config.metrics.v3 import HistogramBucketSettings
    from envoy_data_plane.envoy.type.matcher.v3 import StringMatcher

    return HistogramBucketSettings(match=StringMatcher(prefix=prefix), buckets=list(bounds))
