"""In which namespaces Secrets are read: those that Gateways and DestinationRules need certificates in, and no others.

A ``credentialName`` names a Secret of the proxy's own namespace. So these are the namespaces of the pods that a Gateway with a
credential selects, and of the Gateways and DestinationRules themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from meshctl_operator.apis.kinds import Kind
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.kube.bridge import Raw

_CREDENTIALS: Final = frozenset({"credentialName", "credentialNames", "tlsCertificates", "caCertCredentialName"})
_Labels = frozenset[tuple[str, str]]


class SecretNamespaces:
    """The namespaces, kept up to date by what is told about Gateways, DestinationRules and Pods."""

    def __init__(self) -> None:
        self._wanting: dict[ObjectKey, _Labels | None] = {}  # who names a credential; for Gateways, whom it selects
        self._gateway_pods: dict[ObjectKey, _Labels] = {}
        self._pods: dict[ObjectKey, _Labels] = {}
        self._selectors: frozenset[_Labels] = frozenset()

    def take(self, key: ObjectKey, raw: Raw | None) -> None:
        """Take an object of any kind; None: it is gone."""
        if key.kind == Kind.POD:
            self._take_pod(key, raw)
        elif key.kind in {Kind.GATEWAY, Kind.DESTINATION_RULE}:
            spec = (raw or {}).get("spec")
            if isinstance(spec, Mapping) and names_credential(spec):
                selector = spec.get("selector")
                chosen = selector if isinstance(selector, Mapping) and key.kind == Kind.GATEWAY else None
                self._wanting[key] = _labels(chosen) if chosen is not None else None
            elif self._wanting.pop(key, self) is self:
                return
            self._reselect()

    @property
    def wanted(self) -> frozenset[str]:
        """The namespaces."""
        return frozenset(key.namespace for key in (*self._wanting, *self._gateway_pods))

    def _take_pod(self, key: ObjectKey, raw: Raw | None) -> None:
        if raw is None:
            self._pods.pop(key, None)
            self._gateway_pods.pop(key, None)
            return
        labels = _labels(raw["metadata"].get("labels") or {})
        self._pods[key] = labels
        if self._is_gateway(labels):
            self._gateway_pods[key] = labels
        else:
            self._gateway_pods.pop(key, None)

    def _is_gateway(self, labels: _Labels) -> bool:
        return any(selector <= labels for selector in self._selectors)

    def _reselect(self) -> None:
        selectors = frozenset(selector for selector in self._wanting.values() if selector)
        if selectors != self._selectors:
            self._selectors = selectors
            self._gateway_pods = {key: labels for key, labels in self._pods.items() if self._is_gateway(labels)}


def names_credential(value: object) -> bool:
    """Tell whether a spec names a credential anywhere."""
    match value:
        case Mapping():
            return any((name in _CREDENTIALS and bool(inner)) or names_credential(inner) for name, inner in value.items())
        case list():
            return any(map(names_credential, value))
        case _:
            return False


def _labels(given: Mapping[str, Any] | Iterable[tuple[str, Any]]) -> _Labels:
    return frozenset((str(name), str(value)) for name, value in dict(given).items())
