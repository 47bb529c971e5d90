"""Structure of ServiceEntry."""

from __future__ import annotations

import pytest

from meshctl_operator.apis.networking.service_entry import Location, Resolution, ServiceEntrySpec
from tests.support.documents import spec_of


def test_defaults() -> None:
    """A ServiceEntry is external and not resolved unless it says so."""
    spec: ServiceEntrySpec = spec_of("ServiceEntry", "{hosts: [a.com]}")
    assert (spec.location, spec.resolution) == (Location.MESH_EXTERNAL, Resolution.NONE)


@pytest.mark.parametrize("resolution", list(Resolution))
def test_which_resolutions_use_dns(resolution: Resolution) -> None:
    """DNS and DNS_ROUND_ROBIN are resolved by the proxy while it runs."""
    assert resolution.is_dns == (resolution in {Resolution.DNS, Resolution.DNS_ROUND_ROBIN})
