"""Headers that proxies add by themselves: Istio's ``ProxyConfig.ProxyHeaders``."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from meshctl_operator.apis.meta import LenientModel
from meshctl_operator.apis.networking.common import Flag
from meshctl_operator.apis.support import validated_only


class ForwardClientCertDetails(StrEnum):
    """How a proxy treats ``x-forwarded-client-cert``."""

    UNDEFINED = "UNDEFINED"
    SANITIZE = "SANITIZE"
    FORWARD_ONLY = "FORWARD_ONLY"
    APPEND_FORWARD = "APPEND_FORWARD"
    SANITIZE_SET = "SANITIZE_SET"
    ALWAYS_FORWARD_ONLY = "ALWAYS_FORWARD_ONLY"


class ServerHeader(LenientModel):
    """The header ``server`` of responses: another text, or whatever the upstream says."""

    disabled: Flag | None = None
    value: str = ""


class HeaderSwitch(LenientModel):
    """A header that is added unless it is disabled."""

    disabled: Flag | None = None


class ForwardedSwitch(LenientModel):
    """A header that is added only if it is enabled."""

    enabled: Flag | None = None


class ClientCertDetails(LenientModel):
    """Parts of a client's certificate in ``x-forwarded-client-cert``."""

    subject: Flag | None = None
    cert: Flag | None = None
    chain: Flag | None = None
    dns: Flag | None = None
    uri: Flag | None = None


class ProxyHeaders(LenientModel):
    """What proxies add to requests and responses. ``forwarded_client_cert`` and its details are for the inbound side of sidecars."""

    forwarded_client_cert: ForwardClientCertDetails = ForwardClientCertDetails.UNDEFINED
    set_current_client_cert_details: ClientCertDetails | None = None
    request_id: HeaderSwitch | None = None
    server: ServerHeader | None = None
    attempt_count: HeaderSwitch | None = None
    envoy_debug_headers: HeaderSwitch | None = None
    x_forwarded_host: ForwardedSwitch | None = None
    x_forwarded_port: ForwardedSwitch | None = None
    metadata_exchange_headers: Annotated[dict[str, object] | None, validated_only("stock Envoy has no filter that exchanges them")] = None
