"""What the annotations of a pod say about its sidecar, over the defaults of the installation. Each value is judged where it is read."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeVar

from meshctl_operator.base.codes import Code
from meshctl_operator.base.diagnostics import Diagnostic
from meshctl_operator.base.durations import Duration
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.bootstrap.options import ALL_STATS, PROBES_PORT, PROMETHEUS_PORT, STATUS_PORT, StatsOptions
from meshctl_operator.injector import codes
from meshctl_operator.injector.json_values import Json, JsonObject, as_object, as_objects
from meshctl_operator.injector.proxy_config import ProxyConfig, read_proxy_config
from meshctl_operator.injector.settings import NO_RESOURCES, InjectorSettings, Resources
from meshctl_operator.interception.options import (
    ALL_PORTS,
    ALL_RANGES,
    Network,
    PortList,
    RangeList,
    read_interfaces,
    read_port,
    read_port_list,
    read_ports,
    read_range_list,
    read_ranges,
    words,
)
from meshctl_operator.model.proxies import InterceptionMode

T = TypeVar("T")

SIDECAR: Final = "sidecar.istio.io/"
TRAFFIC: Final = "traffic.sidecar.istio.io/"
READINESS: Final = "readiness.status.sidecar.istio.io/"
STATUS_PORT_KEY: Final = "status.sidecar.istio.io/port"
STATUS_KEY: Final = "sidecar.istio.io/status"
OVERRIDES_KEY: Final = "proxy.istio.io/overrides"
CONFIG_KEY: Final = "proxy.istio.io/config"
TEMPLATES_KEY: Final = "inject.istio.io/templates"
INJECT_KEY: Final = "sidecar.istio.io/inject"
REVISION_KEY: Final = "istio.io/rev"
MERGE_KEY: Final = "prometheus.istio.io/merge-metrics"
REROUTE_KEY: Final = "istio.io/reroute-virtual-interfaces"

_BOOLEANS: Final = {
    "true": True,
    "false": False,
    "1": True,
    "0": False,
    "True": True,
    "False": False,
    "TRUE": True,
    "FALSE": False,
    "t": True,
    "f": False,
    "T": True,
    "F": False,
}
_LOG_LEVELS: Final = ("trace", "debug", "info", "warning", "error", "critical", "off")
_QUANTITY: Final = re.compile(r"\d+(\.\d+)?([eE][+-]?\d+|[numkMGTPE]|[KMGTPE]i)?")
_IMAGE_TYPES: Final = ("default", "distroless", "debug", "contrib", "contrib-debug", "google-vrp")
_KNOWN_TEMPLATES: Final = ("sidecar", "gateway")
_SAFE: Final = re.compile(r"[\w.:,=/@+-]*")

_NO_EFFECT: Final = frozenset({"sidecar.istio.io/agentLogLevel", "prometheus.istio.io/scrape-targets"})
_UNSUPPORTED: Final = frozenset({"sidecar.istio.io/bootstrapOverride"})


@dataclass(frozen=True, slots=True)
class PodOptions:
    """How one pod gets its proxy: the settings of the installation with what the pod says of itself."""

    templates: tuple[str, ...] = ("sidecar",)
    interception: InterceptionMode = InterceptionMode.REDIRECT
    include_outbound_ranges: RangeList = ALL_RANGES
    exclude_outbound_ranges: tuple[Network, ...] = ()
    include_inbound_ports: PortList = ALL_PORTS
    exclude_inbound_ports: tuple[int, ...] = ()
    include_outbound_ports: tuple[int, ...] = ()
    exclude_outbound_ports: tuple[int, ...] = ()
    exclude_interfaces: tuple[str, ...] = ()
    virtual_interfaces: tuple[str, ...] = ()
    probes_port: int = PROBES_PORT
    readiness_delay: int = 0
    readiness_period: int = 15
    readiness_failures: int = 4
    resources: Resources = NO_RESOURCES
    image: str = ""
    log_level: str = "warning"
    component_log_level: str = ""
    volumes: tuple[JsonObject, ...] = ()
    volume_mounts: tuple[JsonObject, ...] = ()
    bind_low_ports: bool = False
    native_sidecar: bool = False
    rewrite_probes: bool = True
    merge_prometheus: bool = True
    stats: StatsOptions = ALL_STATS
    config: ProxyConfig = field(default_factory=ProxyConfig)

    @property
    def is_gateway(self) -> bool:
        """Whether the pod is a gateway: nothing but its proxy."""
        return "gateway" in self.templates

    @property
    def kept_out(self) -> tuple[int, ...]:
        """Inbound ports that are never intercepted: where Envoy answers for itself, and those that the pod names."""
        own = (PROMETHEUS_PORT, STATUS_PORT, *((self.probes_port,) if self.probes_port else ()))
        return tuple(dict.fromkeys((*own, *self.exclude_inbound_ports)))


def read_options(
    annotations: Mapping[str, str], settings: InjectorSettings, subject: ObjectKey
) -> tuple[PodOptions, tuple[Diagnostic, ...]]:
    """Return the options of a pod and the findings about its annotations; one that cannot be used counts as absent."""
    reader = _Reader(annotations, subject)
    options = _read(reader, settings, subject)
    return options, (*reader.findings, *_leftovers(annotations, reader.asked, subject))


def known_annotations(settings: InjectorSettings) -> frozenset[str]:
    """Return the names of all annotations that are read."""
    reader = _Reader({}, ObjectKey("Pod", "", ""))
    _read(reader, settings, ObjectKey("Pod", "", ""))
    return frozenset({*reader.asked, *_NO_EFFECT, *_UNSUPPORTED})


def _read(reader: _Reader, settings: InjectorSettings, subject: ObjectKey) -> PodOptions:
    config = reader.read(CONFIG_KEY, read_proxy_config, ProxyConfig())
    reader.findings += [codes.NO_EFFECT.warning(subject, _path(CONFIG_KEY), message) for message in config.ignored]
    choice = InterceptionMode(config.interception or InterceptionMode.REDIRECT)
    volumes = reader.read(f"{SIDECAR}userVolume", _named_objects, _NO_OBJECTS)
    mounts = reader.read(f"{SIDECAR}userVolumeMount", _named_objects, _NO_OBJECTS)
    return PodOptions(
        templates=reader.read(TEMPLATES_KEY, _templates, ("sidecar",), code=codes.UNSUPPORTED_ANNOTATION),
        interception=reader.read(f"{SIDECAR}interceptionMode", _mode, choice),
        include_outbound_ranges=reader.read(
            f"{TRAFFIC}includeOutboundIPRanges", read_range_list, read_range_list(settings.include_outbound_ranges)
        ),
        exclude_outbound_ranges=reader.read(
            f"{TRAFFIC}excludeOutboundIPRanges", read_ranges, read_ranges(settings.exclude_outbound_ranges)
        ),
        include_inbound_ports=reader.read(f"{TRAFFIC}includeInboundPorts", read_port_list, read_port_list(settings.include_inbound_ports)),
        exclude_inbound_ports=reader.read(f"{TRAFFIC}excludeInboundPorts", read_ports, read_ports(settings.exclude_inbound_ports)),
        include_outbound_ports=reader.read(f"{TRAFFIC}includeOutboundPorts", read_ports, read_ports(settings.include_outbound_ports)),
        exclude_outbound_ports=reader.read(f"{TRAFFIC}excludeOutboundPorts", read_ports, read_ports(settings.exclude_outbound_ports)),
        exclude_interfaces=reader.read(f"{TRAFFIC}excludeInterfaces", read_interfaces, ()),
        virtual_interfaces=reader.read(REROUTE_KEY, read_interfaces, reader.read(f"{TRAFFIC}kubevirtInterfaces", read_interfaces, ())),
        probes_port=reader.read(STATUS_PORT_KEY, read_port, PROBES_PORT if config.status_port is None else config.status_port),
        readiness_delay=reader.read(f"{READINESS}initialDelaySeconds", _count, 0),
        readiness_period=reader.read(f"{READINESS}periodSeconds", _count, 15),
        readiness_failures=reader.read(f"{READINESS}failureThreshold", _count, 4),
        resources=_resources(reader, settings),
        image=_image(reader, settings, config),
        log_level=reader.read(f"{SIDECAR}logLevel", _log_level, settings.log_level),
        component_log_level=reader.read(f"{SIDECAR}componentLogLevel", _component_log_level, settings.component_log_level),
        volumes=volumes,
        volume_mounts=mounts,
        bind_low_ports=reader.read(f"{SIDECAR}capNetBindService", _flag, default=False),
        native_sidecar=reader.read(f"{SIDECAR}nativeSidecar", _flag, settings.native_sidecars),
        rewrite_probes=reader.read(f"{SIDECAR}rewriteAppHTTPProbers", _flag, settings.rewrite_probes),
        merge_prometheus=reader.read(MERGE_KEY, _flag, settings.merge_prometheus),
        stats=_stats(reader, config),
        config=config,
    )


class _Reader:
    """Annotations of one pod; remembers which were asked for and what was wrong with them."""

    def __init__(self, annotations: Mapping[str, str], subject: ObjectKey) -> None:
        self.findings: list[Diagnostic] = []
        self.asked: set[str] = set()
        self._annotations = annotations
        self._subject = subject

    def has(self, key: str) -> bool:
        """Tell whether an annotation is there."""
        self.asked.add(key)
        return key in self._annotations

    def read(self, key: str, reader: Callable[[str], T], default: T, *, code: Code = codes.BAD_ANNOTATION) -> T:
        """Return an annotation as its reader takes it, or the default if it is absent or unusable."""
        if not self.has(key):
            return default
        try:
            return reader(self._annotations[key])
        except ValueError as error:
            self.findings.append(code.error(self._subject, _path(key), str(error)))
            return default


_NO_OBJECTS: Final[tuple[JsonObject, ...]] = ()
_NO_WORDS: Final[tuple[str, ...]] = ()


def _path(key: str) -> str:
    return f'metadata.annotations["{key}"]'


def _leftovers(annotations: Mapping[str, str], asked: set[str], subject: ObjectKey) -> list[Diagnostic]:
    """Return findings about annotations of ours that nothing has read: not supported, of no effect, or misspelled."""
    found = []
    own = {STATUS_KEY, OVERRIDES_KEY, INJECT_KEY}
    for key in sorted(annotations):
        if key in _UNSUPPORTED:
            message = f"{key} is not supported: the bootstrap of the proxy is written by us alone"
            found.append(codes.UNSUPPORTED_ANNOTATION.error(subject, _path(key), message))
        elif key in _NO_EFFECT:
            found.append(codes.NO_EFFECT.warning(subject, _path(key), f"{key} has no effect: there is no agent beside Envoy"))
        elif key not in asked and key not in own and key.partition("/")[0].endswith("sidecar.istio.io"):
            near = difflib.get_close_matches(key, asked, 1, 0.8)
            hint = f"did you mean {near[0]}?" if near else None
            found.append(codes.UNKNOWN_ANNOTATION.warning(subject, _path(key), f"there is no annotation {key}", hint=hint))
    return found


def _flag(text: str) -> bool:
    if text not in _BOOLEANS:
        raise ValueError(f'"{text}" is neither "true" nor "false"')
    return _BOOLEANS[text]


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ValueError(f'"{text}" is not a whole number')
    return int(text)


def _mode(text: str) -> InterceptionMode:
    try:
        return InterceptionMode(text)
    except ValueError:
        raise ValueError(f'"{text}" is none of {", ".join(InterceptionMode)}') from None


def _templates(text: str) -> tuple[str, ...]:
    names = words(text)
    unknown = [name for name in names if name not in _KNOWN_TEMPLATES]
    if unknown or len(names) != 1:
        raise ValueError(f'"{text}" is not supported: it is one of {", ".join(_KNOWN_TEMPLATES)}')
    return names


def _quantity(text: str) -> str:
    if not _QUANTITY.fullmatch(text):
        raise ValueError(f'"{text}" is not a quantity such as 100m or 128Mi')
    return text


def _resources(reader: _Reader, settings: InjectorSettings) -> Resources:
    """Return what the pod asks for its proxy: one annotation of the four drops the defaults of all."""
    names = ("proxyCPU", "proxyMemory", "proxyCPULimit", "proxyMemoryLimit")
    stated = [reader.read(f"{SIDECAR}{name}", _quantity, "") for name in names]
    return Resources(*stated) if any(reader.has(f"{SIDECAR}{name}") for name in names) else settings.resources


def _image(reader: _Reader, settings: InjectorSettings, config: ProxyConfig) -> str:
    """Return the image of the proxy; a type (``distroless``) goes before the version, as in the tags of the stock images."""
    image = reader.read(f"{SIDECAR}proxyImage", _plain, settings.proxy_image)
    kind = reader.read(f"{SIDECAR}proxyImageType", _image_type, config.image_type)
    name, colon, tag = image.rpartition(":")
    if kind in ("", "default") or not colon or "/" in tag or "@" in name:
        return image
    return f"{name}:{kind}-{tag}"


def _plain(text: str) -> str:
    if not text or not _SAFE.fullmatch(text):
        raise ValueError(f'"{text}" is not the name of an image')
    return text


def _image_type(text: str) -> str:
    if text not in _IMAGE_TYPES:
        raise ValueError(f'"{text}" is none of {", ".join(_IMAGE_TYPES)}')
    return text


def _log_level(text: str) -> str:
    if text not in _LOG_LEVELS:
        raise ValueError(f'"{text}" is none of {", ".join(_LOG_LEVELS)}')
    return text


def _component_log_level(text: str) -> str:
    for part in words(text):
        name, colon, level = part.partition(":")
        if not colon or not name.replace("_", "").isalnum() or level not in _LOG_LEVELS:
            raise ValueError(f'"{part}" is not COMPONENT:LEVEL, such as upstream:debug')
    return text


def _named_objects(text: str) -> tuple[JsonObject, ...]:
    """Read ``{"name": {...}}`` or a list of objects with names."""
    try:
        value: Json = json.loads(text)
    except ValueError as error:
        raise ValueError(f"this is not JSON: {error}") from None
    objects = [{"name": name, **as_object(item)} for name, item in value.items()] if isinstance(value, dict) else as_objects(value)
    if not objects or any(not isinstance(each.get("name"), str) for each in objects):
        raise ValueError("an object by names, or a list of objects that have names, is expected")
    return tuple(objects)


def _stats(reader: _Reader, config: ProxyConfig) -> StatsOptions:
    given = config.stats
    return StatsOptions(
        inclusion_prefixes=(*given.inclusion_prefixes, *reader.read(f"{SIDECAR}statsInclusionPrefixes", words, _NO_WORDS)),
        inclusion_suffixes=(*given.inclusion_suffixes, *reader.read(f"{SIDECAR}statsInclusionSuffixes", words, _NO_WORDS)),
        inclusion_regexps=(*given.inclusion_regexps, *reader.read(f"{SIDECAR}statsInclusionRegexps", _regexps, _NO_WORDS)),
        extra_tags=tuple(dict.fromkeys((*given.extra_tags, *reader.read(f"{SIDECAR}extraStatTags", words, _NO_WORDS)))),
        buckets=reader.read(f"{SIDECAR}statsHistogramBuckets", _buckets, ()),
        flush_seconds=reader.read(f"{SIDECAR}statsFlushInterval", _seconds, 0.0),
        eviction_seconds=reader.read(f"{SIDECAR}statsEvictionInterval", _seconds, 0.0),
    )


def _regexps(text: str) -> tuple[str, ...]:
    import re2

    found = words(text)
    for each in found:
        try:
            re2.compile(each)
        except re2.error as error:
            raise ValueError(f'"{each}" is not a regular expression of RE2: {error}') from None
    return found


def _buckets(text: str) -> tuple[tuple[str, tuple[float, ...]], ...]:
    try:
        value: Json = json.loads(text)
    except ValueError as error:
        raise ValueError(f"this is not JSON: {error}") from None
    found = []
    for prefix, bounds in as_object(value).items():
        numbers = (
            [float(each) for each in bounds if isinstance(each, int | float) and not isinstance(each, bool)]
            if isinstance(bounds, list)
            else []
        )
        rising = all(low < high for low, high in zip([0.0, *numbers], numbers, strict=False))
        if not numbers or not rising or not isinstance(bounds, list) or len(numbers) != len(bounds):
            raise ValueError(f'the buckets of "{prefix}" are not rising positive numbers')
        found.append((prefix, tuple(numbers)))
    if not found:
        raise ValueError('an object such as {"istio": [1, 5, 10]} is expected')
    return tuple(found)


def _seconds(text: str) -> float:
    try:
        seconds = Duration.parse(text).seconds
    except ValueError as error:
        raise ValueError(f'"{text}" is not a duration: {error}') from None
    if seconds <= 0:
        raise ValueError(f'"{text}" is not a positive duration')
    return seconds
