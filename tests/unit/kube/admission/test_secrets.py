"""The Secret and the webhook configuration, over a client that answers as an API server does."""

from __future__ import annotations

import base64
from types import SimpleNamespace as Found
from typing import Any

import pytest
from kubernetes.client.exceptions import ApiException

from meshctl_operator.kube.admission.certificates import Material
from meshctl_operator.kube.admission.secrets import (
    KubernetesSecret,
    StoredMaterial,
    WebhookConfiguration,
    data_of,
    material_of,
    trust_patch,
)

MATERIAL = Material("authority", "certificate", "key")
BUNDLE = base64.b64encode(b"authority").decode()


class Api:
    """Answers calls from a script, and remembers them."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.calls: list[tuple[str, tuple[Any, ...]]] = []

    def __getattr__(self, name: str) -> Any:
        def call(*given: Any, _request_timeout: float) -> Any:
            assert _request_timeout > 0
            self.calls.append((name, given))
            answer = self.answers.pop(0)
            if isinstance(answer, int):
                raise ApiException(status=answer)
            return answer

        return call


def secret_of(*answers: Any) -> tuple[KubernetesSecret, Api]:
    """Return a Secret behind a scripted API server."""
    api: Any = Api(*answers)
    return KubernetesSecret(api, "mesh", "webhook"), api


def test_round_trip() -> None:
    """What is kept is read again; what lacks a part or is no text is nothing."""
    data = data_of(MATERIAL)
    assert material_of(data) == MATERIAL
    for broken in ({}, data | {"tls.key": "?"}, data | {"ca.crt": base64.b64encode(b"\xff").decode()}):
        assert material_of(broken) is None


def test_reading() -> None:
    """A Secret is read with its version; where there is none that is told, and other errors are errors."""
    store, _ = secret_of(Found(metadata=Found(resource_version="7"), data=data_of(MATERIAL)))
    assert store.read() == StoredMaterial("7", MATERIAL)
    store, _ = secret_of(Found(metadata=Found(resource_version="7"), data=None))
    assert store.read() == StoredMaterial("7", None)
    store, _ = secret_of(404, 403)
    assert store.read() is None
    with pytest.raises(ApiException):
        store.read()


def test_creating_and_replacing() -> None:
    """A write carries the whole Secret, and the version that it replaces."""
    store, api = secret_of(None, None)
    assert store.create(MATERIAL)
    assert store.replace(MATERIAL, "7")
    (_, (namespace, made)), (_, (name, _, replaced)) = api.calls
    assert (namespace, name) == ("mesh", "webhook")
    assert made.data == replaced.data == data_of(MATERIAL)
    assert made.metadata.resource_version is None
    assert replaced.metadata.resource_version == "7"
    assert (made.type, made.metadata.name) == ("kubernetes.io/tls", "webhook")


def test_another_replica_was_quicker() -> None:
    """A conflict is an answer; an API server that fails is an error."""
    store, _ = secret_of(409, 409, 404, 500)
    assert not store.create(MATERIAL)
    assert not store.replace(MATERIAL, "7")
    assert not store.replace(MATERIAL, "7")
    with pytest.raises(ApiException):
        store.create(MATERIAL)


def hook(name: str, bundle: str | None = None) -> Any:
    """Return a webhook of a configuration."""
    return Found(name=name, client_config=Found(ca_bundle=bundle))


def test_trust() -> None:
    """Each webhook whose bundle differs is patched, guarded by its name; one that has it already costs no write."""
    api: Any = Api(Found(webhooks=[hook("a", BUNDLE), hook("b")]), None, Found(webhooks=[hook("a", BUNDLE)]), Found(webhooks=None))
    configuration = WebhookConfiguration(api, "meshctl")
    assert configuration.trust("authority")
    assert api.calls[1][1] == (
        "meshctl",
        [
            {"op": "test", "path": "/webhooks/1/name", "value": "b"},
            {"op": "add", "path": "/webhooks/1/clientConfig/caBundle", "value": BUNDLE},
        ],
    )
    assert configuration.trust("authority")
    assert configuration.trust("authority")
    assert len(api.calls) == 4
    assert trust_patch([], "authority") == []


def test_trust_that_cannot_be_given() -> None:
    """A webhook that is not installed, or changes meanwhile, is tried again later; other errors are errors."""
    for answers in ([404], [Found(webhooks=[hook("a")]), 409], [Found(webhooks=[hook("a")]), 422]):
        api: Any = Api(*answers)
        assert not WebhookConfiguration(api, "meshctl").trust("authority")
    broken: Any = Api(500)
    with pytest.raises(ApiException):
        WebhookConfiguration(broken, "meshctl").trust("authority")
