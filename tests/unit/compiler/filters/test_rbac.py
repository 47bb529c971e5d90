"""Tests of the filters that refuse everything."""

from __future__ import annotations

from meshctl_operator.compiler.filters import rbac
from tests.support.mesh_text import as_json


def test_nobody_is_allowed() -> None:
    """Allowing what one of no policies allows allows nothing."""
    assert as_json(rbac.http_filter())["typed_config"]["rules"] == {}
    network = as_json(rbac.network_filter())["typed_config"]
    assert (network["rules"], network["stat_prefix"]) == ({}, rbac.STAT_PREFIX)
