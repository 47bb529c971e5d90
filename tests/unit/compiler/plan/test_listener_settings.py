"""What the mesh settings say about listeners."""

from __future__ import annotations

import json
from typing import Any

import pytest

from meshctl_operator.compiler.inputs.listeners import AccessLogInput, ClientCertForwarding, EscapedSlashes
from meshctl_operator.compiler.plan.listener_settings import (
    DEFAULT_FIELDS,
    DEFAULT_TEXT,
    ListenerSettings,
    listener_settings,
    settings_findings,
)
from tests.support.mesh_text import TextMesh


def settings(**mesh: Any) -> ListenerSettings:
    """Return the settings of a mesh."""
    return TextMesh("", **mesh).evaluate(listener_settings)


def test_defaults() -> None:
    """Without settings there is no access log, paths are normalised, detection never ends, and the ports are Istio's."""
    found = settings()
    assert found.access_log is None
    assert (found.normalize_path, found.merge_slashes, found.escaped_slashes) == (True, False, EscapedSlashes.DEFAULT)
    assert found.detection_timeout.nanos == 0
    assert (found.outbound_port, found.inbound_port) == (15001, 15006)
    assert (found.trusted_hops, found.gateway_client_cert) == (0, ClientCertForwarding.SANITIZE_SET)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("NONE", (False, False, EscapedSlashes.DEFAULT)),
        ("BASE", (True, False, EscapedSlashes.DEFAULT)),
        ("DEFAULT", (True, False, EscapedSlashes.DEFAULT)),
        ("MERGE_SLASHES", (True, True, EscapedSlashes.DEFAULT)),
        ("DECODE_AND_MERGE_SLASHES", (True, True, EscapedSlashes.UNESCAPE_AND_FORWARD)),
    ],
)
def test_path_normalization(kind: str, expected: tuple[bool, bool, EscapedSlashes]) -> None:
    """Each kind of normalisation is a combination of Envoy's three switches."""
    found = settings(pathNormalization={"normalization": kind})
    assert (found.normalize_path, found.merge_slashes, found.escaped_slashes) == expected


@pytest.mark.parametrize(
    ("mesh", "expected"),
    [
        ({}, AccessLogInput("/dev/stdout", text=DEFAULT_TEXT)),
        ({"accessLogFormat": "%PATH%\n"}, AccessLogInput("/dev/stdout", text="%PATH%\n")),
        ({"accessLogFormat": "%PATH%"}, AccessLogInput("/dev/stdout", text="%PATH%\n")),
        ({"accessLogFormat": "%NOPE%"}, AccessLogInput("/dev/stdout", text=DEFAULT_TEXT)),
        ({"accessLogEncoding": "JSON"}, AccessLogInput("/dev/stdout", fields=DEFAULT_FIELDS)),
        (
            {"accessLogEncoding": "JSON", "accessLogFormat": '{"p": "%PATH%", "a": "%PROTOCOL%"}'},
            AccessLogInput("/dev/stdout", fields=(("a", "%PROTOCOL%"), ("p", "%PATH%"))),
        ),
        ({"accessLogEncoding": "JSON", "accessLogFormat": "no json"}, AccessLogInput("/dev/stdout", fields=DEFAULT_FIELDS)),
    ],
)
def test_access_log(mesh: dict[str, Any], expected: AccessLogInput) -> None:
    """The access log is text or JSON, in the default format or in one of the user's; what is no JSON object falls back to the default."""
    assert settings(accessLogFile="/dev/stdout", **mesh).access_log == expected


def test_gateway_topology() -> None:
    """What stands in front of gateways says how many proxies to trust and what becomes of client certificates."""
    found = settings(defaultConfig={"gatewayTopology": {"numTrustedProxies": 2, "forwardClientCertDetails": "FORWARD_ONLY"}})
    assert (found.trusted_hops, found.gateway_client_cert) == (2, ClientCertForwarding.FORWARD_ONLY)


def test_other_settings_change_nothing() -> None:
    """An edit of what listeners do not depend on gives equal settings, so nothing above is planned again."""
    assert settings() == settings(connectTimeout="3s")


@pytest.mark.parametrize(
    ("mesh", "words"),
    [
        ({"accessLogFormat": "%PATH% %NOPE%"}, "NOPE"),
        ({"accessLogFormat": "100%"}, "%"),
        ({"accessLogFormat": "no json", "accessLogEncoding": "JSON"}, "JSON"),
        ({"accessLogFormat": '{"a": "%NOPE%"}', "accessLogEncoding": "JSON"}, "NOPE"),
    ],
)
def test_format_that_envoy_refuses(mesh: dict[str, Any], words: str) -> None:
    """A format that would cost every listener is reported at the mesh settings."""
    (finding,) = TextMesh("", accessLogFile="/dev/stdout", **mesh).evaluate(settings_findings)
    assert (finding.code, finding.subject.kind, finding.path) == ("MC2286", "MeshConfig", "accessLogFormat")
    assert words in finding.message


def test_formats_that_envoy_takes() -> None:
    """The default formats and those of users with known operators are fine; without a file no format matters."""
    assert TextMesh("", accessLogFile="/x", accessLogFormat=DEFAULT_TEXT).evaluate(settings_findings) == ()
    assert (
        TextMesh("", accessLogFile="/x", accessLogEncoding="JSON", accessLogFormat=json.dumps(dict(DEFAULT_FIELDS))).evaluate(
            settings_findings
        )
        == ()
    )
    assert TextMesh("", accessLogFormat="%NOPE%").evaluate(settings_findings) == ()
