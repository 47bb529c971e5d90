"""Scalar types and messages that several routing kinds share."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import BeforeValidator, Field, PlainSerializer, PlainValidator, WithJsonSchema

from meshctl_operator.apis.meta import OneOfModel, StrictModel
from meshctl_operator.apis.support import validated_only
from meshctl_operator.base.durations import Duration

if TYPE_CHECKING:
    FrozenMap = Mapping
else:
    FrozenMap = dict  # pydantic copies a dict four times faster than a Mapping; readers are held to Mapping by the type checker

UINT32_MAX: Final = 2**32 - 1
INT32_MAX: Final = 2**31 - 1


@lru_cache(maxsize=4096)
def _parse_duration(text: str) -> Duration:
    return Duration.parse(text)


def _duration(value: object) -> Duration:
    if isinstance(value, str):
        return _parse_duration(value)
    if isinstance(value, Duration):
        return value
    msg = "a duration is text with a unit"
    raise ValueError(msg)


def _base64(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return base64.b64decode(value.replace("-", "+").replace("_", "/") + "=" * (-len(value) % 4), validate=True)
    except binascii.Error as error:
        msg = "is not base64"
        raise ValueError(msg) from error


GoDuration = Annotated[
    Duration,
    PlainValidator(_duration),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string"}),
]
"""A duration in Go notation: ``1h30m``, ``24h``, ``8ms``."""

UInt32 = Annotated[int, Field(strict=True, ge=0, le=UINT32_MAX)]
Int32 = Annotated[int, Field(strict=True, ge=-INT32_MAX - 1, le=INT32_MAX)]
UInt64 = Annotated[int, Field(strict=True, ge=0, le=2**64 - 1)]
Int64 = Annotated[int, Field(strict=True, ge=-(2**63), le=2**63 - 1)]
Double = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Flag = Annotated[bool, Field(strict=True)]
Base64Bytes = Annotated[bytes, BeforeValidator(_base64)]


class StringMatch(OneOfModel):
    """How a string is compared; no type set means "is present" (Istio ``StringMatch``)."""

    one_ofs = (("exact", "prefix", "regex"),)

    exact: str | None = None
    prefix: str | None = None
    regex: str | None = None


class PortSelector(StrictModel):
    """The number of a service port (Istio ``PortSelector``)."""

    number: UInt32 = 0


class Destination(StrictModel):
    """Where traffic goes: a service host, a subset of it and a port (Istio ``Destination``)."""

    host: str = ""
    subset: str = ""
    port: PortSelector | None = None


class Percent(StrictModel):
    """A percentage from 0 to 100 with a fraction (Istio ``Percent``)."""

    value: Double = 0.0


class LabelSelector(StrictModel):
    """The workloads that carry all these labels (Istio ``WorkloadSelector`` of the networking kinds)."""

    labels: FrozenMap[str, str] = Field(default_factory=dict)


class PolicySelector(StrictModel):
    """The workloads that carry all these labels, in the spelling of ``istio.type.v1beta1.WorkloadSelector``."""

    match_labels: FrozenMap[str, str] = Field(default_factory=dict)


class TlsProtocol(StrEnum):
    """Versions of TLS (Istio ``ServerTLSSettings.TLSProtocol``)."""

    TLS_AUTO = "TLS_AUTO"
    TLSV1_0 = "TLSV1_0"
    TLSV1_1 = "TLSV1_1"
    TLSV1_2 = "TLSV1_2"
    TLSV1_3 = "TLSV1_3"


class ServerTlsMode(StrEnum):
    """How a server treats TLS (Istio ``ServerTLSSettings.TLSmode``)."""

    PASSTHROUGH = "PASSTHROUGH"
    SIMPLE = "SIMPLE"
    MUTUAL = "MUTUAL"
    AUTO_PASSTHROUGH = "AUTO_PASSTHROUGH"
    ISTIO_MUTUAL = "ISTIO_MUTUAL"
    OPTIONAL_MUTUAL = "OPTIONAL_MUTUAL"


class TlsCertificate(StrictModel):
    """Files of one certificate (Istio ``ServerTLSSettings.TLSCertificate``)."""

    server_certificate: str = ""
    private_key: str = ""
    ca_certificates: Annotated[str, validated_only("Istio has never acted on it either: clients are checked by tls.caCertificates")] = ""


class ServerTls(StrictModel):
    """TLS of a server port (Istio ``ServerTLSSettings``). An unset mode means PASSTHROUGH."""

    https_redirect: Flag = False
    mode: Annotated[
        ServerTlsMode,
        validated_only("no authority of the mesh gives workloads certificates, so a gateway leaves the server out", "ISTIO_MUTUAL"),
    ] = ServerTlsMode.PASSTHROUGH
    server_certificate: str = ""
    private_key: str = ""
    ca_certificates: str = ""
    ca_crl: str = ""
    subject_alt_names: tuple[str, ...] = ()
    credential_name: str = ""
    credential_names: tuple[str, ...] = ()
    ca_cert_credential_name: str = ""
    tls_certificates: tuple[TlsCertificate, ...] = ()
    verify_certificate_spki: tuple[str, ...] = ()
    verify_certificate_hash: tuple[str, ...] = ()
    min_protocol_version: TlsProtocol = TlsProtocol.TLS_AUTO
    max_protocol_version: TlsProtocol = TlsProtocol.TLS_AUTO
    cipher_suites: tuple[str, ...] = ()
    insecure_skip_verify: Flag | None = None
    ecdh_curves: tuple[str, ...] = ()
