"""Selection of virtual hosts."""

from __future__ import annotations

import pytest

from meshctl_operator.simulation.virtual_hosts import select_virtual_host
from tests.support.simulations import route_configuration

DOMAINS = ("a.com", "*.a.com", "*.b.a.com", "*-x.com", "api.*", "[::1]", "*")


@pytest.mark.parametrize(
    ("authority", "domain"),
    [
        ("A.com", "a.com"),
        ("a.com:8080", "a.com"),
        ("x.a.com", "*.a.com"),
        ("x.b.a.com", "*.b.a.com"),
        (".a.com", "*"),
        ("1-x.com", "*-x.com"),
        ("api.net", "api.*"),
        ("api.a.com", "*.a.com"),
        ("[::1]:80", "[::1]"),
        ("other", "*"),
    ],
)
def test_specificity(authority: str, domain: str) -> None:
    """Exact domains beat wildcards in front, these those at the end, and all beat the one for everything; longer ones beat shorter ones."""
    hosts = [{"name": f"h{number}", "domains": [each]} for number, each in enumerate(DOMAINS)]
    found = select_virtual_host(route_configuration("r", *hosts, ignore_port_in_host_matching=True), authority)
    assert found is not None
    assert (found[0].name, found[1]) == (f"h{DOMAINS.index(domain)}", domain)


def test_ports_count_unless_ignored() -> None:
    """Without the flag the port is part of the name."""
    config = route_configuration("r", {"name": "h", "domains": ["a.com"]})
    assert select_virtual_host(config, "a.com:80") is None
    assert select_virtual_host(config, "a.com") is not None
