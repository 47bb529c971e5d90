"""A private key is in the SDS message and nowhere else."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshctl_operator.admin import pages
from meshctl_operator.apis.changes import Rejected, Upsert
from meshctl_operator.apis.decode import decode
from meshctl_operator.bootstrap.nodes import node_id, node_metadata
from meshctl_operator.controlplane.pipeline import Pipeline
from meshctl_operator.controlplane.proxy_descriptions import ProxyDescription
from meshctl_operator.controlplane.sessions import ProxySession
from meshctl_operator.controlplane.settings import Settings
from meshctl_operator.controlplane.translation import stand_alone, translate
from meshctl_operator.model.proxies import ProxyRole
from meshctl_operator.xds.nodes import NodeInfo
from meshctl_operator.xds.resources import TypeUrl
from tests.support.key_pairs import key_pair
from tests.support.strategies.alphabet import JsonObject
from tests.support.strategies.meshes import MeshState, mesh_states
from tests.support.world import ROUTER, changes_of, world_of

pytestmark = pytest.mark.property

CERTIFICATE, KEY = (pem.decode() for pem in key_pair(serial=99))
OTHER_KEY = key_pair()[1].decode()


def _pieces(key: str) -> list[str]:
    """Return pieces of the lines of a key, as PEM and as a Secret stores it."""
    lines = (*key.splitlines(), base64.b64encode(key.encode()).decode())
    return [line[start : start + 20] for line in lines for start in range(0, len(line) - 20, 20)]


NEEDLES = sorted(set(_pieces(KEY)) - set(_pieces(OTHER_KEY)))
"""What must not be seen anywhere: the pieces that every key has, such as its first line, are no secret."""

GATEWAY = {
    "apiVersion": "networking.istio.io/v1",
    "kind": "Gateway",
    "metadata": {"name": "front", "namespace": "istio-system", "creationTimestamp": "2020-01-01T00:00:00Z"},
    "spec": {
        "selector": {"istio": "ingressgateway"},
        "servers": [
            {
                "port": {"number": 8443, "name": "https", "protocol": "HTTPS"},
                "hosts": ["secure.example.com"],
                "tls": {"mode": "SIMPLE", "credentialName": "sentinel"},
            }
        ],
    },
}


def _secret(data: Any, **more: Any) -> JsonObject:
    meta = {"name": "sentinel", "namespace": "istio-system", **more.pop("metadata", {})}
    return {"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls", "metadata": meta, "data": data, **more}


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


CRT, PEM = _base64(CERTIFICATE), _base64(KEY)
SECRETS: dict[str, JsonObject] = {
    "whole": _secret({"tls.crt": CRT, "tls.key": PEM}),
    "plain text": _secret({}, stringData={"tls.crt": CERTIFICATE, "tls.key": KEY}),
    "not encoded": _secret({"tls.crt": CERTIFICATE, "tls.key": KEY}),
    "key in place of the certificate": _secret({"tls.crt": PEM, "tls.key": PEM}),
    "key of another certificate": _secret({"tls.crt": _base64(key_pair()[0].decode()), "tls.key": PEM}),
    "key cut in two": _secret({"tls.crt": CRT, "tls.key": _base64(KEY[: len(KEY) // 2])}),
    "key under an odd name": _secret({"tls.crt": CRT, "key": PEM, "tls.kye": PEM}),
    "list instead of text": _secret({"tls.crt": [KEY], "tls.key": {"pem": KEY}}),
    "text instead of data": _secret(PEM),
    "list instead of data": _secret([KEY], stringData=[KEY]),
    "a key of a type": _secret({"tls.crt": CRT}, type=["kubernetes.io/tls", KEY]),
    "in an annotation of a wrong type": _secret({"tls.crt": CRT}, metadata={"annotations": {"copy": [KEY], "other": {"tls.key": PEM}}}),
    "in place of labels": _secret({"tls.crt": CRT}, metadata={"labels": KEY, "generation": PEM}),
    "copied into an annotation": _secret(
        {"tls.crt": CRT, "tls.key": PEM},
        metadata={"annotations": {"kubectl.kubernetes.io/last-applied-configuration": json.dumps({"data": {"tls.key": PEM}})}},
    ),
}
"""Secrets as people write them, and as they get them wrong."""


@contextmanager
def _log() -> Iterator[list[logging.LogRecord]]:
    """Collect every record of every logger."""
    records: list[logging.LogRecord] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(record)

    root, collector = logging.getLogger(), Collector()
    level = root.level
    root.addHandler(collector)
    root.setLevel(logging.DEBUG)
    try:
        yield records
    finally:
        root.removeHandler(collector)
        root.setLevel(level)


def _leaks(value: object) -> list[str]:
    """Return what of the key shows in a value."""
    shown = f"{value!r} {value!s}"
    return [needle for needle in NEEDLES if needle in shown]


def _session(state: MeshState, document: JsonObject) -> ProxySession:
    """Return the session of a gateway that the control plane serves."""
    pipeline = Pipeline(Settings(), ["test"])
    pipeline.apply([("test", change) for change in changes_of([*state.documents, GATEWAY, document], validate=False)])
    metadata: Any = node_metadata(ROUTER, {})
    session = ProxySession(NodeInfo(id=node_id(ROUTER), metadata=metadata), "delta", "test", 0.0, _Nobody())
    session.update(pipeline.serve(session.declared, None))
    return session


class _Nobody:
    """Listens to nothing."""

    def __getattr__(self, name: str) -> Any:
        return lambda *_: name


@pytest.mark.parametrize("name", sorted(SECRETS))
def test_what_is_decoded_hides_the_key(name: str) -> None:
    """An object, the reasons for its rejection, and what pydantic can dump of it show nothing."""
    for validate in (True, False):
        decoded = decode(SECRETS[name], validate=validate)
        assert isinstance(decoded, Upsert | Rejected)
        assert not _leaks(decoded)
        assert not any(_leaks(finding) or _leaks(finding.to_json()) for finding in decoded.diagnostics)
        if isinstance(decoded, Upsert):
            assert not _leaks(decoded.object.spec.model_dump())
            assert not _leaks(decoded.object.spec.model_dump_json())


@given(state=mesh_states(least=1, most=5), name=st.sampled_from(sorted(SECRETS)))
def test_the_key_shows_nowhere(state: MeshState, name: str) -> None:
    """No remembered value or parameter, finding, log record, translation or page has it."""
    with _log() as records:
        world = world_of(state.but(documents=(*state.documents, GATEWAY, SECRETS[name])), validate=False)
        held = world.compile(ROUTER)
        assert not _leaks(held)
        assert not any(_leaks(finding.to_json()) for finding in held.diagnostics)
        assert not any(_leaks(key) or _leaks(node.value) for key, node in world.engine._nodes.items())
        changes = changes_of([*state.documents, GATEWAY, SECRETS[name]], validate=False)
        description = ProxyDescription(ProxyRole.ROUTER, ROUTER.name, ROUTER.namespace, labels=ROUTER.labels)
        translation = translate(changes, description)
        assert not _leaks(translation)
        assert not _leaks(translation.to_json())
        session = _session(state, SECRETS[name])
        assert not _leaks(session.served)
        assert session.served is not None
        dumped = pages.config_dump(session.proxy_id, session.served.state.revision, session.served.compiled.resources)
        for page in (dumped, pages.sync_status(session), pages.connection(session, 1.0)):
            assert not _leaks(json.dumps(page))
    assert not any(_leaks(record.__dict__) for record in records)


def test_the_search_can_find() -> None:
    """The key does get to the gateway, and what is searched for is in it."""
    session = _session(MeshState(()), SECRETS["whole"])
    assert session.served is not None
    (secret,) = session.served.compiled.resources[TypeUrl.SECRET].values()
    assert KEY.encode() in secret.body
    assert _leaks(secret.body)
    description = ProxyDescription(ProxyRole.ROUTER, ROUTER.name, ROUTER.namespace, labels=ROUTER.labels)
    bootstrap, _ = stand_alone(translate(changes_of([GATEWAY, SECRETS["whole"]]), description))
    assert not _leaks(bootstrap), "a stand-alone bootstrap has throw-away certificates"
