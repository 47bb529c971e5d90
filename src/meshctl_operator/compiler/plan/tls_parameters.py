"""TLS versions, cipher suites and curves that a server offers: its own, else those of the mesh. What Envoy would refuse is left out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from meshctl_operator.apis.mesh_config import TlsDefaults
from meshctl_operator.apis.networking.common import ServerTls, TlsProtocol
from meshctl_operator.apis.validation.tls_parameters import CURVES, adds_cipher_suites, is_cipher_suite
from meshctl_operator.base.diagnostics import Diagnostic
from meshctl_operator.compiler.inputs.listeners import TlsVersion
from meshctl_operator.model import gateway_codes as codes
from meshctl_operator.model.gateways import GatewayServer

_VERSIONS: Final = {
    TlsProtocol.TLS_AUTO: TlsVersion.TLS_AUTO,
    TlsProtocol.TLSV1_0: TlsVersion.TLSV1_0,
    TlsProtocol.TLSV1_1: TlsVersion.TLSV1_1,
    TlsProtocol.TLSV1_2: TlsVersion.TLSV1_2,
    TlsProtocol.TLSV1_3: TlsVersion.TLSV1_3,
}
_ORDER: Final = tuple(TlsProtocol)


@dataclass(frozen=True, slots=True)
class TlsParameters:
    """What is offered to clients."""

    minimum: TlsVersion = TlsVersion.TLS_AUTO
    maximum: TlsVersion = TlsVersion.TLS_AUTO
    cipher_suites: tuple[str, ...] = ()
    curves: tuple[str, ...] = ()


def plan_tls_parameters(tls: ServerTls, defaults: TlsDefaults | None, server: GatewayServer, found: list[Diagnostic]) -> TlsParameters:
    """Return the parameters of a server, with findings about what had to be left out of its own."""
    minimum, maximum = tls.min_protocol_version, tls.max_protocol_version
    if defaults is not None and minimum is TlsProtocol.TLS_AUTO:
        minimum = defaults.min_protocol_version
    if maximum is not TlsProtocol.TLS_AUTO and _ORDER.index(minimum) > _ORDER.index(maximum):
        message = f"is {maximum.value}, below the minimum of {minimum.value}, so no client can connect"
        found.append(codes.TLS_VERSIONS_EMPTY.warning(server.gateway, f"{server.path}.tls.maxProtocolVersion", message))
    return TlsParameters(
        minimum=_VERSIONS[minimum],
        maximum=_VERSIONS[maximum],
        cipher_suites=_own_ciphers(server, tls, found) if tls.cipher_suites or defaults is None else usable_ciphers(defaults.cipher_suites),
        curves=_own_curves(server, tls, found) if tls.ecdh_curves or defaults is None else usable_curves(defaults.ecdh_curves),
    )


def usable_ciphers(suites: Iterable[str]) -> tuple[str, ...]:
    """Return what Envoy takes of a list, in its order; what takes suites away must stand behind one that offers some."""
    usable = list(dict.fromkeys(suite for suite in suites if is_cipher_suite(suite)))
    while usable and not adds_cipher_suites(usable[0]):
        del usable[0]
    return tuple(usable)


def _own_ciphers(server: GatewayServer, tls: ServerTls, found: list[Diagnostic]) -> tuple[str, ...]:
    usable = usable_ciphers(tls.cipher_suites)
    seen: set[str] = set()
    for index, cipher in enumerate(tls.cipher_suites):
        if cipher in seen or cipher not in usable:
            reason = "is named twice" if cipher in seen else "is not known to Envoy"
            message = f'is "{cipher}", which {reason}; it is left out'
            found.append(codes.CIPHER_UNKNOWN.warning(server.gateway, f"{server.path}.tls.cipherSuites[{index}]", message))
        seen.add(cipher)
    return usable


def usable_curves(curves: Iterable[str]) -> tuple[str, ...]:
    """Return what Envoy takes of a list, in its order."""
    return tuple(dict.fromkeys(curve for curve in curves if curve in CURVES))


def _own_curves(server: GatewayServer, tls: ServerTls, found: list[Diagnostic]) -> tuple[str, ...]:
    for index, curve in enumerate(tls.ecdh_curves):
        if curve not in CURVES:
            message = f'is "{curve}", which is no curve of Envoy; it is left out'
            found.append(codes.CURVE_UNKNOWN.warning(server.gateway, f"{server.path}.tls.ecdhCurves[{index}]", message))
    return usable_curves(tls.ecdh_curves)
