"""Defaults of a bootstrap."""

from __future__ import annotations

from meshctl_operator.bootstrap.options import BootstrapOptions, XdsVariant
from meshctl_operator.model.proxies import Proxy, ProxyRole


def test_defaults_are_istios_ports_and_delta() -> None:
    """Without further words a proxy speaks Delta xDS to port 15010 and has its admin interface on 15000."""
    options = BootstrapOptions(Proxy(ProxyRole.ROUTER, "gw", "edge"))
    assert (options.xds_port, options.admin_port, options.variant) == (15010, 15000, XdsVariant.DELTA)
