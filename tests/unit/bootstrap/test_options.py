"""Defaults of a bootstrap."""

from __future__ import annotations

from meshctl_operator.bootstrap.options import BootstrapOptions, XdsVariant
from meshctl_operator.model.proxies import Proxy, ProxyRole


def test_defaults_are_istios_ports_and_delta() -> None:
    """Without further words a proxy speaks Delta xDS to port 15010 and has its admin interface on 15000."""
    options = BootstrapOptions(Proxy(ProxyRole.ROUTER, "gw", "edge"))
    assert (options.xds_port, options.admin_port, options.variant) == (15010, 15000, XdsVariant.DELTA)


def test_memory_of_gateways() -> None:
    """A gateway has a limit of memory unless it is told otherwise, a sidecar has none."""
    gateway, sidecar = Proxy(ProxyRole.ROUTER, "gw", "edge"), Proxy(ProxyRole.SIDECAR, "web", "default")
    assert [BootstrapOptions(proxy).heap_limit for proxy in (gateway, sidecar)] == [1024**3, 0]
    assert [BootstrapOptions(proxy, max_heap_bytes=5).heap_limit for proxy in (gateway, sidecar)] == [5, 5]
    assert BootstrapOptions(gateway, max_heap_bytes=0).heap_limit == 0
