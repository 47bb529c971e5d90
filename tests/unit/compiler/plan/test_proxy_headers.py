"""Headers that proxies add by themselves."""

from __future__ import annotations

from typing import Any

import pytest

from meshctl_operator.compiler.inputs.listeners import ClientCertForwarding
from meshctl_operator.compiler.inputs.routes import RouteConfigurationInput
from meshctl_operator.compiler.plan.connection_managers import SERVER_NAME, gateway_manager, inbound_manager, outbound_manager
from meshctl_operator.compiler.plan.listener_settings import listener_settings
from meshctl_operator.compiler.plan.proxy_headers import HeaderSettings, counts_attempts, forwards_host, header_settings
from meshctl_operator.model.protocols import Protocol
from tests.support.mesh_text import TextMesh


def mesh(declared: dict[str, Any]) -> TextMesh:
    """Return a mesh with these headers."""
    return TextMesh("", default_config={"proxyHeaders": declared})


def test_usual() -> None:
    """Without being told, proxies do what Istio's do."""
    empty = TextMesh("")
    assert empty.evaluate(header_settings) == HeaderSettings()
    assert (empty.evaluate(counts_attempts), empty.evaluate(forwards_host)) == (True, False)


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ({"server": {"value": "shop"}}, HeaderSettings(server="shop")),
        ({"server": {"disabled": True, "value": "shop"}}, HeaderSettings(server=None)),
        ({"server": {"value": "a\nb"}}, HeaderSettings()),
        ({"requestId": {"disabled": True}}, HeaderSettings(request_id=False)),
        ({"requestId": {"disabled": False}}, HeaderSettings()),
        ({"envoyDebugHeaders": {"disabled": True}}, HeaderSettings(debug=False)),
        ({"xForwardedPort": {"enabled": True}}, HeaderSettings(forwarded_port=True)),
        ({"forwardedClientCert": "SANITIZE"}, HeaderSettings(client_cert=ClientCertForwarding.SANITIZE)),
        (
            {"setCurrentClientCertDetails": {"subject": False, "cert": True}},
            HeaderSettings(certificate_details=("cert", "dns", "uri")),
        ),
    ],
)
def test_declared(declared: dict[str, Any], expected: HeaderSettings) -> None:
    """Each field does what its name says; what is not said stays as it is."""
    assert mesh(declared).evaluate(header_settings) == expected


def test_routes() -> None:
    """Attempts are counted, and former hosts passed on, as the mesh says."""
    changed = mesh({"attemptCount": {"disabled": True}, "xForwardedHost": {"enabled": True}})
    assert (changed.evaluate(counts_attempts), changed.evaluate(forwards_host)) == (False, True)


@pytest.mark.parametrize(
    ("declared", "names"), [({}, ["", SERVER_NAME, SERVER_NAME]), ({"value": "shop"}, ["shop"] * 3), ({"disabled": True}, [None] * 3)]
)
def test_server_of_every_side(declared: dict[str, Any], names: list[str | None]) -> None:
    """The three sides name themselves alike once the mesh says how."""
    settings = mesh({"server": declared, "requestId": {"disabled": True}}).evaluate(listener_settings)
    managers = (
        outbound_manager(settings, "l", "80", protocol=Protocol.HTTP, http10=False),
        inbound_manager(settings, "p", RouteConfigurationInput("r"), protocol=Protocol.HTTP, http10=False),
        gateway_manager(settings, "p", "r", protocol=Protocol.HTTP, http10=False),
    )
    assert [manager.server_name for manager in managers] == names
    assert not any(manager.request_ids for manager in managers)
