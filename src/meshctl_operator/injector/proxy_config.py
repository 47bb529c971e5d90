"""The annotation ``proxy.istio.io/config``: fields of Istio's ``ProxyConfig`` for one pod."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from meshctl_operator.base.durations import Duration
from meshctl_operator.bootstrap.options import ALL_STATS, StatsOptions
from meshctl_operator.injector.json_values import Json, as_object, as_texts
from meshctl_operator.interception.options import LAST_PORT

_READ: Final = frozenset(
    {
        "concurrency",
        "discoveryAddress",
        "drainDuration",
        "extraStatTags",
        "holdApplicationUntilProxyStarts",
        "image",
        "interceptionMode",
        "proxyMetadata",
        "proxyStatsMatcher",
        "runtimeValues",
        "statusPort",
        "terminationDrainDuration",
    }
)
_MODES: Final = ("REDIRECT", "TPROXY", "NONE")
_METADATA_PREFIX: Final = "ISTIO_META_"
_DNS: Final = frozenset({"ISTIO_META_DNS_CAPTURE", "ISTIO_META_DNS_AUTO_ALLOCATE"})


@dataclass(frozen=True, slots=True)
class ProxyConfig:
    """The fields that matter to a pod; what is absent is None or empty. ``ignored`` are sentences about fields that change nothing here."""

    concurrency: int | None = None
    discovery_address: str = ""
    drain_seconds: float | None = None
    termination_drain_seconds: float | None = None
    hold_application: bool | None = None
    image_type: str = ""
    interception: str = ""
    status_port: int | None = None
    proxy_metadata: Mapping[str, str] = field(default_factory=dict)
    runtime: Mapping[str, str] = field(default_factory=dict)
    stats: StatsOptions = ALL_STATS
    ignored: tuple[str, ...] = ()

    @property
    def node_metadata(self) -> dict[str, Json]:
        """The keys that reach the control plane as node metadata."""
        return {
            key.removeprefix(_METADATA_PREFIX): value
            for key, value in sorted(self.proxy_metadata.items())
            if key.startswith(_METADATA_PREFIX) and key not in _DNS
        }


def read_proxy_config(text: str) -> ProxyConfig:
    """Read the fields from YAML. Raises ValueError that names the field."""
    import yaml

    try:
        value: object = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506  (both are safe)
    except yaml.YAMLError as error:
        raise ValueError(f"this is not YAML: {error}") from None
    fields = as_object(value)
    if value is not None and not isinstance(value, dict):
        raise ValueError("fields of a ProxyConfig are expected")
    metadata = _texts(fields, "proxyMetadata")
    matcher = as_object(fields.get("proxyStatsMatcher"))
    ignored = [f"field {name} has no effect on this proxy" for name in sorted(map(str, fields.keys() - _READ))]
    ignored += [f"proxyMetadata.{key} has no effect: no DNS proxy stands beside Envoy" for key in sorted(_DNS & metadata.keys())]
    return ProxyConfig(
        concurrency=_number(fields, "concurrency", 1024),
        discovery_address=_address(fields),
        drain_seconds=_duration(fields, "drainDuration"),
        termination_drain_seconds=_duration(fields, "terminationDrainDuration"),
        hold_application=_flag(fields, "holdApplicationUntilProxyStarts"),
        image_type=_text(as_object(fields.get("image")), "imageType", "image.imageType"),
        interception=_mode(fields),
        status_port=_number(fields, "statusPort", LAST_PORT),
        proxy_metadata=metadata,
        runtime=_texts(fields, "runtimeValues"),
        stats=StatsOptions(
            inclusion_prefixes=_names(matcher, "inclusionPrefixes"),
            inclusion_suffixes=_names(matcher, "inclusionSuffixes"),
            inclusion_regexps=_names(matcher, "inclusionRegexps"),
            extra_tags=_names(fields, "extraStatTags"),
        ),
        ignored=tuple(ignored),
    )


def _number(fields: Mapping[str, Json], name: str, most: int) -> int | None:
    value = fields.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        raise ValueError(f"{name}: {value!r} is not a whole number from 0 to {most}")
    return value


def _flag(fields: Mapping[str, Json], name: str) -> bool | None:
    value = fields.get(name)
    if value is not None and not isinstance(value, bool):
        raise ValueError(f"{name}: {value!r} is neither true nor false")
    return value


def _text(fields: Mapping[str, Json], name: str, shown: str = "") -> str:
    value = fields.get(name)
    if value is not None and not isinstance(value, str):
        raise ValueError(f"{shown or name}: {value!r} is not text")
    return value or ""


def _mode(fields: Mapping[str, Json]) -> str:
    value = _text(fields, "interceptionMode")
    if value and value not in _MODES:
        raise ValueError(f'interceptionMode: "{value}" is none of {", ".join(_MODES)}')
    return value


def _address(fields: Mapping[str, Json]) -> str:
    value = _text(fields, "discoveryAddress")
    host, colon, port = value.rpartition(":")
    if value and not (colon and host and port.isdigit() and 0 < int(port) <= LAST_PORT):
        raise ValueError(f'discoveryAddress: "{value}" is not HOST:PORT')
    return value


def _duration(fields: Mapping[str, Json], name: str) -> float | None:
    value = _text(fields, name)
    if not value:
        return None
    try:
        return Duration.parse(value).seconds
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def _texts(fields: Mapping[str, Json], name: str) -> dict[str, str]:
    value = fields.get(name)
    texts = as_texts(value)
    if value is not None and (not isinstance(value, dict) or len(texts) != len(value)):
        raise ValueError(f"{name}: pairs of text are expected")
    return texts


def _names(fields: Mapping[str, Json], name: str) -> tuple[str, ...]:
    value = fields.get(name)
    if value is not None and not isinstance(value, list):
        raise ValueError(f"{name}: a list is expected")
    return tuple(each for each in value or () if isinstance(each, str))
