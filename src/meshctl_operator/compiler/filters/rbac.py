"""Refusal of everything: ``envoy.filters.http.rbac`` and ``envoy.filters.network.rbac`` with a list of permissions that is empty."""

from __future__ import annotations

from typing import Final

from envoy.config.listener.v3 import listener_components_pb2
from envoy.config.rbac.v3 import rbac_pb2
from envoy.extensions.filters.http.rbac.v3 import rbac_pb2 as http_rbac_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2 as hcm_pb2
from envoy.extensions.filters.network.rbac.v3 import rbac_pb2 as network_rbac_pb2

from meshctl_operator.compiler.ordering import HttpFilterName

NETWORK_FILTER: Final = "envoy.filters.network.rbac"
STAT_PREFIX: Final = "unsupported_policies."


def http_filter() -> hcm_pb2.HttpFilter:
    """Return the entry of a filter chain that answers every request 403."""
    entry = hcm_pb2.HttpFilter(name=HttpFilterName.RBAC.value)
    entry.typed_config.Pack(http_rbac_pb2.RBAC(rules=_nobody()), deterministic=True)
    return entry


def network_filter() -> listener_components_pb2.Filter:
    """Return the network filter that closes every connection."""
    entry = listener_components_pb2.Filter(name=NETWORK_FILTER)
    entry.typed_config.Pack(network_rbac_pb2.RBAC(rules=_nobody(), stat_prefix=STAT_PREFIX), deterministic=True)
    return entry


def _nobody() -> rbac_pb2.RBAC:
    """Return rules that allow what one of no policies allows."""
    return rbac_pb2.RBAC(action=rbac_pb2.RBAC.ALLOW)
