"""What ``translate -o envoy`` prints runs as it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshctl_operator.controlplane.proxy_descriptions import parse_proxy
from meshctl_operator.controlplane.translation import stand_alone, translate
from tests.support.dev_mesh import BOOKINFO, SCENARIOS
from tests.support.envoy_process import EnvoyProcess
from tests.support.envoy_versions import BINARIES
from tests.support.fleet import PROXIES, certificate, decoded
from tests.support.golden import load_objects

pytestmark = [pytest.mark.envoy, pytest.mark.netns]

CASES = [("newest", scenario, proxy) for scenario in SCENARIOS for proxy in PROXIES if proxy != "sidecar:reviews-v2.default"]
CASES += [("oldest", "tls-gateway", proxy) for proxy in PROXIES]


@pytest.mark.parametrize(("end", "scenario", "proxy"), CASES)
async def test_static_bootstrap_runs(tmp_path: Path, end: str, scenario: str, proxy: str) -> None:
    """Each scenario's configuration of each proxy starts from one file, without a control plane."""
    changes, _ = load_objects([BOOKINFO / "mesh", BOOKINFO / "scenarios" / scenario])
    translation = translate([*changes, decoded(certificate())], parse_proxy(proxy))
    config, findings = stand_alone(translation)
    assert bool(findings) == (scenario == "tls-gateway" and "ingress" in proxy), "a throw-away certificate is told about, and only there"
    async with EnvoyProcess(config, tmp_path, binary=BINARIES[end](), isolated=True) as envoy:
        assert Path(f"/proc/{envoy.pid}/ns/net").readlink() != Path("/proc/self/ns/net").readlink(), "it runs in our own network"
        listeners = await envoy.get("/listeners?format=json")
    assert all(str(listener["name"]) in listeners for listener in translation.served.listeners)
    assert translation.served.listeners or "egress" in proxy
