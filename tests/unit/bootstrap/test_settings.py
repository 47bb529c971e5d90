"""Process-wide settings of an Envoy."""

from __future__ import annotations

import re

import pytest

from meshctl_operator.bootstrap.options import StatsOptions
from meshctl_operator.bootstrap.settings import overload_manager, runtime, stats_config


def test_cluster_names_survive_their_dots() -> None:
    """The tag takes the whole cluster name, which ends at the semicolon, and cuts it out of the statistic's name."""
    tag = next(tag for tag in stats_config().stats_tags if tag.tag_name == "envoy.cluster_name")
    name = "cluster.outbound|9080|v1|reviews.default.svc.cluster.local;.upstream_rq_2xx"
    found = re.search(tag.regex or "", name)
    assert found is not None
    assert found[2] == "outbound|9080|v1|reviews.default.svc.cluster.local"
    assert name.replace(found[1], "") == "cluster.upstream_rq_2xx"


def test_default_tags_are_off() -> None:
    """Envoy refuses a tag that is both its own default and ours."""
    assert stats_config().use_all_default_tags is False


def test_runtime_can_be_changed_by_the_admin_interface() -> None:
    """Our limits lie under the admin layer."""
    layers = runtime().layers
    assert [layer.name for layer in layers] == ["meshctl", "admin"]
    assert layers[1].admin_layer is not None


def test_connections_are_limited_explicitly() -> None:
    """A limit is stated for downstream connections."""
    (monitor,) = overload_manager().resource_monitors
    assert monitor.name == "envoy.resource_monitors.global_downstream_max_connections"
    assert overload_manager(7) != overload_manager()


@pytest.mark.parametrize(("text", "value"), [("true", True), ("false", False), ("7", 7.0), ("-1.5", -1.5), ("1e3", "1e3"), ("x", "x")])
def test_runtime_values(text: str, value: object) -> None:
    """They lie over ours, as booleans and numbers where they read as such."""
    layer = runtime({"x": text}).layers[0].static_layer
    assert layer is not None
    values = layer.to_dict()
    assert isinstance(values, dict)
    assert values["x"] == value
    assert values["re2.max_program_size.error_level"] == 32768


def test_an_empty_runtime_value_takes_ours_away() -> None:
    """Envoy's own default is then back."""
    layer = runtime({"re2.max_program_size.error_level": ""}).layers[0].static_layer
    assert layer is not None
    assert list(layer.to_dict()) == ["envoy.reloadable_features.http_reject_path_with_fragment"]


def test_all_statistics_are_there_unless_some_are_chosen() -> None:
    """Those that say how Envoy itself is are always there."""
    assert stats_config().stats_matcher is None
    chosen = StatsOptions(inclusion_prefixes=("http.inbound",), inclusion_suffixes=("_2xx",), inclusion_regexps=("a.*b",))
    matcher = stats_config(chosen).stats_matcher
    assert matcher is not None
    assert matcher.inclusion_list is not None
    patterns = matcher.inclusion_list.patterns
    assert [each.prefix for each in patterns if each.prefix][-1] == "http.inbound"
    assert {"server", "cluster_manager", "cluster.xds-grpc"} <= {each.prefix for each in patterns}
    assert [each.suffix for each in patterns if each.suffix][-1] == "_2xx"
    assert [each.safe_regex.regex for each in patterns if each.safe_regex][-1] == "a.*b"


def test_extra_tags_and_buckets() -> None:
    """A tag is cut out of names that carry its value; buckets belong to histograms of a prefix."""
    config = stats_config(StatsOptions(extra_tags=("request.host",), buckets=(("istio", (1, 2.5)),)))
    tag = config.stats_tags[-1]
    found = re.search(tag.regex or "", "x.request.host=.=shop;.y")
    assert found is not None
    assert found[2] == "shop"
    (bucket,) = config.histogram_bucket_settings
    assert bucket.match is not None
    assert (bucket.match.prefix, bucket.buckets) == ("istio", [1, 2.5])


def test_memory_is_limited() -> None:
    """Near the limit memory is given back first, then requests are refused."""
    manager = overload_manager(max_heap_bytes=1000)
    assert [monitor.name for monitor in manager.resource_monitors][1:] == ["envoy.resource_monitors.fixed_heap"]
    shares = {action.name: trigger.threshold.value for action in manager.actions for trigger in action.triggers if trigger.threshold}
    assert shares == {"envoy.overload_actions.shrink_heap": 0.9, "envoy.overload_actions.stop_accepting_requests": 0.95}
