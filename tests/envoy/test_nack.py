"""What an Envoy refuses is told once with the object that it came from, and holds up nothing else."""

from __future__ import annotations

import logging
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.bootstrap.options import XdsVariant
from meshctl_operator.compiler.emit import resources
from meshctl_operator.compiler.emit.listeners import emit_listener
from meshctl_operator.compiler.inputs.listeners import ListenerInput
from tests.support.envoy_versions import newest
from tests.support.fleet import Fleet

pytestmark = [pytest.mark.envoy, pytest.mark.netns]

PORT = 9999
NOWHERE = "nowhere"  # no address at all, which Envoy refuses; our own compiler would never let it through
GATEWAY = {
    "apiVersion": "networking.istio.io/v1",
    "kind": "Gateway",
    "metadata": {"name": "elsewhere", "namespace": "default"},
    "spec": {
        "selector": {"istio": "ingressgateway"},
        "servers": [{"port": {"number": PORT, "name": "http", "protocol": "HTTP"}, "hosts": ["*"]}],
    },
}
KEY = ObjectKey("Gateway", "default", "elsewhere")


@pytest.fixture(autouse=True)
def broken_listener(monkeypatch: pytest.MonkeyPatch) -> None:
    """Emit the listener of that Gateway so that Envoy refuses it: what passes our checks is accepted, so a fault has to be made."""

    def emit_broken(listener: ListenerInput) -> Any:
        message = emit_listener(listener)
        if message.address.socket_address.port_value == PORT:
            message.address.socket_address.address = NOWHERE
        return message

    monkeypatch.setattr(resources, "emit_listener", emit_broken)


@pytest.mark.parametrize("variant", list(XdsVariant), ids=lambda variant: variant.name)
async def test_a_nack_names_the_object_and_the_rest_goes_on(tmp_path: Path, variant: XdsVariant, caplog: pytest.LogCaptureFixture) -> None:
    """A Gateway whose listener Envoy refuses: one NACK, logged once with the Gateway; routes of the same proxy still change."""
    async with AsyncExitStack() as stack:
        fleet = Fleet(tmp_path, newest(), variant, proxies=("router:istio-ingressgateway.istio-system",))
        await fleet.start(stack)
        with caplog.at_level(logging.WARNING, logger="meshctl"):
            fleet.source.apply(GATEWAY)
            await fleet.plane.settled()
            (nack,) = fleet.nacks()
            assert (nack.type, nack.objects, NOWHERE in nack.detail) == ("LDS", (KEY,), True)
            (finding,) = (found for found in fleet.plane.diagnostics() if found.subject == KEY)
            assert NOWHERE in finding.message

            await fleet.lay_over("redirect-rewrite")
            assert "/old" in str(await fleet.envoys["istio-ingressgateway.istio-system"].config_dump())
            await fleet.lay_over("all-v1")
            assert "/old" not in str(await fleet.envoys["istio-ingressgateway.istio-system"].config_dump())
        assert not fleet.nacks()
        assert len([record for record in caplog.records if record.message == "nack"]) == 1

        fleet.source.delete(KEY)
        await fleet.plane.settled()
        assert not [found for found in fleet.plane.diagnostics() if found.subject == KEY]
