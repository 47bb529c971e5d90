"""The Secret and the webhook configuration, by the ``kubernetes`` client: read, create, replace, patch; conflicts are answers."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, Protocol

from meshctl_operator.kube.admission.certificates import Material

if TYPE_CHECKING:
    from kubernetes.client import AdmissionregistrationV1Api, CoreV1Api, V1Secret

REQUEST_TIMEOUT: Final = 10.0
_FIELDS: Final = ("ca.crt", "tls.crt", "tls.key")
_LABELS: Final = {"app.kubernetes.io/managed-by": "meshctl-operator"}


@dataclass(frozen=True, slots=True)
class StoredMaterial:
    """What the Secret holds; ``material`` is None where that cannot be used. The version guards the next write."""

    version: str
    material: Material | None


class MaterialStore(Protocol):
    """Where all replicas keep the certificate."""

    def read(self) -> StoredMaterial | None:
        """Return what is kept, or None where there is nothing."""
        ...

    def create(self, material: Material) -> bool:
        """Keep the first certificate; False if another replica was quicker."""
        ...

    def replace(self, material: Material, version: str) -> bool:
        """Keep another certificate in place of that version; False if another replica was quicker."""
        ...


class TrustStore(Protocol):
    """Whom API servers trust when they call the webhook."""

    def trust(self, authorities: str) -> bool:
        """Let them trust these authorities; False while the webhook is not installed, or somebody else writes."""
        ...


class KubernetesSecret:
    """The certificate in a Secret of type ``kubernetes.io/tls``."""

    def __init__(self, core: CoreV1Api, namespace: str, name: str) -> None:
        self._core = core
        self._namespace = namespace
        self._name = name

    def read(self) -> StoredMaterial | None:
        """Return what the Secret holds, or None where there is none. Raises the client's errors but for 404."""
        from kubernetes.client.exceptions import ApiException

        try:
            secret = self._core.read_namespaced_secret(self._name, self._namespace, _request_timeout=REQUEST_TIMEOUT)
        except ApiException as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None
            raise
        version = secret.metadata.resource_version if secret.metadata is not None else None
        return StoredMaterial(version or "", material_of(secret.data or {}))

    def create(self, material: Material) -> bool:
        """Make the Secret; False if there is one. Raises the client's other errors."""
        body = self._secret(material)
        return _written(lambda: self._core.create_namespaced_secret(self._namespace, body, _request_timeout=REQUEST_TIMEOUT))

    def replace(self, material: Material, version: str) -> bool:
        """Replace that version of the Secret; False if it is another one by now. Raises the client's other errors."""
        body = self._secret(material, version)
        return _written(lambda: self._core.replace_namespaced_secret(self._name, self._namespace, body, _request_timeout=REQUEST_TIMEOUT))

    def _secret(self, material: Material, version: str | None = None) -> V1Secret:
        from kubernetes.client import V1ObjectMeta, V1Secret

        metadata = V1ObjectMeta(name=self._name, namespace=self._namespace, labels=dict(_LABELS), resource_version=version)
        return V1Secret(api_version="v1", kind="Secret", type="kubernetes.io/tls", metadata=metadata, data={**data_of(material)})


def _written(write: Callable[[], object]) -> bool:
    """Make a write; False if somebody else was quicker."""
    from kubernetes.client.exceptions import ApiException

    try:
        write()
    except ApiException as error:
        if error.status in {HTTPStatus.CONFLICT, HTTPStatus.NOT_FOUND}:
            return False
        raise
    return True


class WebhookConfiguration:
    """The ``caBundle`` of every webhook in a ValidatingWebhookConfiguration."""

    def __init__(self, admission: AdmissionregistrationV1Api, name: str) -> None:
        self._admission = admission
        self._name = name

    def trust(self, authorities: str) -> bool:
        """Set ``caBundle`` where it differs; False if there is no such configuration, or it changed meanwhile."""
        from kubernetes.client.exceptions import ApiException

        try:
            found = self._admission.read_validating_webhook_configuration(self._name, _request_timeout=REQUEST_TIMEOUT)
            patch = trust_patch([(hook.name, hook.client_config.ca_bundle) for hook in found.webhooks or ()], authorities)
            if patch:
                self._admission.patch_validating_webhook_configuration(self._name, patch, _request_timeout=REQUEST_TIMEOUT)
        except ApiException as error:
            if error.status in {HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY}:
                return False
            raise
        return True


def trust_patch(hooks: Iterable[tuple[str, str | bytes | None]], authorities: str) -> list[dict[str, str]]:
    """Return the JSON patch that sets the bundle of webhooks, given as (name, bundle in base64); each is named, lest the order changed."""
    bundle = base64.b64encode(authorities.encode()).decode()
    patch: list[dict[str, str]] = []
    for index, (name, present) in enumerate(hooks):
        if (present.decode() if isinstance(present, bytes) else present) != bundle:
            patch.append({"op": "test", "path": f"/webhooks/{index}/name", "value": name})
            patch.append({"op": "add", "path": f"/webhooks/{index}/clientConfig/caBundle", "value": bundle})
    return patch


def data_of(material: Material) -> dict[str, str]:
    """Return the ``data`` of the Secret."""
    values = (material.authorities, material.certificate, material.key)
    return {name: base64.b64encode(value.encode()).decode() for name, value in zip(_FIELDS, values, strict=True)}


def material_of(data: Mapping[str, str | bytes]) -> Material | None:
    """Return what the ``data`` of a Secret holds, or None where a part is missing or no text."""
    try:
        authorities, certificate, key = (base64.b64decode(data[name], validate=True).decode() for name in _FIELDS)
    except (KeyError, binascii.Error, UnicodeDecodeError):
        return None
    return Material(authorities, certificate, key)
