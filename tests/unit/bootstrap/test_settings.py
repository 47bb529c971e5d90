"""Process-wide settings of an Envoy."""

from __future__ import annotations

import re

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
