"""What decides a bootstrap."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from meshctl_operator.bootstrap.nodes import JsonValue
from meshctl_operator.model.proxies import Proxy

DEFAULT_ADMIN_PORT: Final = 15000
DEFAULT_XDS_PORT: Final = 15010


class XdsVariant(StrEnum):
    """How resources are fetched; the values are those of ``envoy.config.core.v3.ApiConfigSource.ApiType``."""

    DELTA = "DELTA_GRPC"
    SOTW = "GRPC"


@dataclass(frozen=True, slots=True)
class BootstrapOptions:
    """The facts of one bootstrap.

    ``xds_host`` may be a name, which is then resolved by DNS. ``admin_port`` 0 lets the kernel pick. ``metadata`` is merged over the
    node metadata that the proxy gives.
    """

    proxy: Proxy
    xds_host: str = "127.0.0.1"
    xds_port: int = DEFAULT_XDS_PORT
    admin_address: str = "127.0.0.1"
    admin_port: int = DEFAULT_ADMIN_PORT
    variant: XdsVariant = XdsVariant.DELTA
    metadata: Mapping[str, JsonValue] = field(default_factory=dict)
