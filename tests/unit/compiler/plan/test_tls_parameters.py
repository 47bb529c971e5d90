"""TLS versions, cipher suites and curves of servers."""

from __future__ import annotations

from typing import Any

from meshctl_operator.apis.mesh_config import TlsDefaults
from meshctl_operator.apis.networking.common import ServerTls
from meshctl_operator.base.diagnostics import Diagnostic
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.compiler.inputs.listeners import TlsVersion
from meshctl_operator.compiler.plan.tls_parameters import TlsParameters, plan_tls_parameters
from meshctl_operator.model.gateways import GatewayServer
from meshctl_operator.model.protocols import Protocol


def server(tls: ServerTls) -> GatewayServer:
    """Return a terminating server with these settings."""
    key = ObjectKey("Gateway", "default", "gw")
    return GatewayServer(key, 0, 443, 443, "", "0.0.0.0", Protocol.HTTPS, "", "https", ("a.com",), tls, "https.443.https.gw.default")


def plan(raw: dict[str, Any], defaults: dict[str, Any] | None = None) -> tuple[TlsParameters, list[str]]:
    """Return the parameters for a tls block, and the codes and paths of the findings."""
    tls, found = ServerTls.model_validate(raw), list[Diagnostic]()
    mesh = TlsDefaults.model_validate(defaults) if defaults is not None else None
    parameters = plan_tls_parameters(tls, mesh, server(tls), found)
    return parameters, [f"{finding.code} {finding.path.removeprefix('spec.servers[0].tls.')}" for finding in found]


def test_nothing_said() -> None:
    """Envoy's own parameters hold where nobody says anything."""
    assert plan({}) == (TlsParameters(), [])


def test_versions() -> None:
    """Declared versions are offered; a range that is empty is warned about."""
    parameters, found = plan({"minProtocolVersion": "TLSV1_2", "maxProtocolVersion": "TLSV1_3"})
    assert (parameters.minimum, parameters.maximum, found) == (TlsVersion.TLSV1_2, TlsVersion.TLSV1_3, [])
    assert plan({"minProtocolVersion": "TLSV1_3", "maxProtocolVersion": "TLSV1_2"})[1] == ["MC2115 maxProtocolVersion"]


def test_cipher_suites() -> None:
    """Unknown and repeated suites are left out with a warning each, the order stays."""
    parameters, found = plan({"cipherSuites": ["AES256-SHA", "RC4-SHA", "AES128-SHA", "AES256-SHA"]})
    assert parameters.cipher_suites == ("AES256-SHA", "AES128-SHA")
    assert found == ["MC2114 cipherSuites[1]", "MC2114 cipherSuites[3]"]


def test_exclusions() -> None:
    """What takes suites away is kept behind one that offers some; Envoy refuses a list that starts with it."""
    parameters, found = plan({"cipherSuites": ["-AES128-SHA", "ALL", "-AES256-SHA"]})
    assert (parameters.cipher_suites, found) == (("ALL", "-AES256-SHA"), ["MC2114 cipherSuites[0]"])


def test_curves() -> None:
    """Curves that not every Envoy knows are left out with a warning; one named twice counts once."""
    parameters, found = plan({"ecdhCurves": ["P-256", "brainpoolP256r1", "X25519", "P-256"]})
    assert (parameters.curves, found) == (("P-256", "X25519"), ["MC2116 ecdhCurves[1]"])


def test_mesh_defaults() -> None:
    """Defaults of the mesh hold where the server says nothing, part by part."""
    defaults = {"minProtocolVersion": "TLSV1_3", "cipherSuites": ["AES128-SHA", "NOPE"], "ecdhCurves": ["P-384"]}
    assert plan({}, defaults) == (TlsParameters(TlsVersion.TLSV1_3, TlsVersion.TLS_AUTO, ("AES128-SHA",), ("P-384",)), [])
    own = {"minProtocolVersion": "TLSV1_2", "cipherSuites": ["AES256-SHA"], "ecdhCurves": ["P-256"]}
    assert plan(own, defaults)[0] == TlsParameters(TlsVersion.TLSV1_2, TlsVersion.TLS_AUTO, ("AES256-SHA",), ("P-256",))
