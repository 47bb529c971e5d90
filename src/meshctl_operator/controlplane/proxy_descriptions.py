"""A proxy as people describe it: ``--proxy sidecar:reviews-v1.default``, or a file with the fields of ``--proxy-file``."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from meshctl_operator.base.errors import SettingsError
from meshctl_operator.base.hostname import is_ip
from meshctl_operator.base.labels import Labels, freeze
from meshctl_operator.bootstrap.nodes import JsonValue
from meshctl_operator.model.proxies import Locality, Proxy, ProxyRole

DEFAULT_IP: Final = "127.0.0.1"
_FIELDS: Final = ("type", "name", "namespace", "ips", "labels", "service_account", "dns_domain", "locality", "metadata")
_LOCALITY_FIELDS: Final = ("region", "zone", "sub_zone")
_SYNTAX: Final = "TYPE:NAME.NAMESPACE, such as sidecar:reviews-v1.default or router:istio-ingressgateway.istio-system"


@dataclass(frozen=True, slots=True)
class ProxyDescription:
    """What was said about a proxy; None where nothing was said, so that the registry may fill it in.

    ``metadata`` is merged into the node metadata. ``must_exist`` says that the name is meant to be that of a workload among the inputs.
    """

    role: ProxyRole
    name: str = "proxy"
    namespace: str = "default"
    ips: tuple[str, ...] | None = None
    labels: Labels | None = None
    service_account: str | None = None
    dns_domain: str = ""
    locality: Locality | None = None
    metadata: Mapping[str, JsonValue] = field(default_factory=dict)
    must_exist: bool = False

    def as_proxy(self, cluster_domain: str = "cluster.local") -> Proxy:
        """Return the proxy with defaults for everything that was not said."""
        return Proxy(
            role=self.role,
            name=self.name,
            namespace=self.namespace,
            ips=self.ips or (DEFAULT_IP,),
            labels=self.labels or (),
            service_account=self.service_account or "",
            dns_domain=self.dns_domain or f"{self.namespace}.svc.{cluster_domain}",
            locality=self.locality or Locality(),
        )


def parse_proxy(text: str, *, default_namespace: str = "default") -> ProxyDescription:
    """Read ``TYPE:NAME.NAMESPACE``. Raises SettingsError for anything else."""
    kind, colon, rest = text.partition(":")
    if not colon or not rest:
        raise SettingsError(f'"{text}" is not a proxy', hint=f"write {_SYNTAX}")
    name, dot, namespace = rest.rpartition(".")
    if not dot:
        name, namespace = rest, default_namespace
    if not name or not namespace:
        raise SettingsError(f'"{text}" has an empty name or namespace', hint=f"write {_SYNTAX}")
    return ProxyDescription(_role(kind), name, namespace, must_exist=True)


def read_proxy(raw: object, *, default_namespace: str = "default") -> ProxyDescription:
    """Read the mapping of a proxy file. Raises SettingsError that names the field, the value seen and the way out."""
    if not isinstance(raw, Mapping):
        raise SettingsError(f"a proxy is described by a mapping, not by {raw!r}", hint="only the field type is required: {type: sidecar}")
    _refuse_unknown(raw, _FIELDS, "")
    locality = raw.get("locality")
    metadata = raw.get("metadata") or {}
    if not isinstance(metadata, Mapping):
        raise SettingsError(f"metadata: {metadata!r} is not a mapping")
    return ProxyDescription(
        role=_role(_text(raw, "type") or ""),
        name=_text(raw, "name") or "proxy",
        namespace=_text(raw, "namespace") or default_namespace,
        ips=_ips(raw.get("ips")),
        labels=_labels(raw.get("labels")),
        service_account=_text(raw, "service_account"),
        dns_domain=_text(raw, "dns_domain") or "",
        locality=None if locality is None else _locality(locality),
        metadata=dict(metadata),
    )


def to_json(proxy: Proxy, metadata: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Return a proxy with the fields of a proxy file: what ``read_proxy`` takes."""
    where = proxy.locality
    return {
        "type": proxy.role.value,
        "name": proxy.name,
        "namespace": proxy.namespace,
        "ips": list(proxy.ips),
        "labels": dict(proxy.labels),
        "service_account": proxy.service_account,
        "dns_domain": proxy.dns_domain,
        "locality": {"region": where.region, "zone": where.zone, "sub_zone": where.sub_zone},
        "metadata": dict(metadata),
    }


def _role(text: str) -> ProxyRole:
    known = [role.value for role in ProxyRole]
    if text not in known:
        raise SettingsError(f'"{text}" is no type of proxy', hint=_did_you_mean(text, known) or f"it is one of {', '.join(known)}")
    return ProxyRole(text)


def _text(raw: Mapping[object, object], name: str) -> str | None:
    value = raw.get(name)
    if value is not None and not isinstance(value, str):
        raise SettingsError(f"{name}: {value!r} is not text")
    return value


def _ips(value: object) -> tuple[str, ...] | None:
    if value is None:
        return None
    if not isinstance(value, list):
        raise SettingsError(f"ips: {value!r} is not a list of addresses", hint="write ips: [10.1.0.7]")
    for address in value:
        if not isinstance(address, str) or not is_ip(address):
            raise SettingsError(f"ips: {address!r} is not an IP address")
    return tuple(value) or None


def _labels(value: object) -> Labels | None:
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise SettingsError(f"labels: {value!r} is not a mapping")
    for key, item in value.items():
        if not isinstance(key, str) or not isinstance(item, str):
            raise SettingsError(f"labels: {key!r}: {item!r} is not a pair of texts", hint="quote numbers and true/false")
    return freeze(value)


def _locality(value: object) -> Locality:
    if not isinstance(value, Mapping):
        raise SettingsError(f"locality: {value!r} is not a mapping", hint="write locality: {region: eu, zone: eu-1}")
    _refuse_unknown(value, _LOCALITY_FIELDS, "locality.")
    return Locality(*(_text(value, name) or "" for name in _LOCALITY_FIELDS))


def _refuse_unknown(raw: Mapping[object, object], known: Iterable[str], prefix: str) -> None:
    names = list(known)
    for key in raw:
        if key not in names:
            raise SettingsError(
                f'"{prefix}{key}" is not a field of a proxy', hint=_did_you_mean(str(key), names) or f"the fields are {', '.join(names)}"
            )


def _did_you_mean(text: str, known: Iterable[str]) -> str | None:
    near = difflib.get_close_matches(text, list(known), n=1)
    return f'did you mean "{near[0]}"?' if near else None
