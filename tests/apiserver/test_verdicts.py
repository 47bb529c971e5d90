"""Schema, webhook and ``meshctl validate`` are of one mind, where the client asks for strict validation as kubectl does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from meshctl_operator.apis.changes import Upsert
from meshctl_operator.apis.decode import ROUTING_SPECS, decode
from meshctl_operator.apis.kinds import KINDS, Kind
from tests.support.api_server import ApiServer, ApiServerError
from tests.support.operator_process import install_webhook, next_event, serving, uninstall_webhook
from tests.support.samples import as_sent, is_routing, samples
from tests.support.strategies.meshes import documents_of
from tests.support.strategies.mistakes import broken_documents

pytestmark = [pytest.mark.apiserver, pytest.mark.timeout(240)]
DRAWN = tuple(kind for kind in ROUTING_SPECS if kind is not Kind.WORKLOAD_GROUP)


@pytest.fixture(scope="module")
def asking(our_server: ApiServer) -> Iterator[ApiServer]:
    """An API server that asks the webhook."""
    our_server.clear()
    our_server.namespace("istio-system")
    with serving(our_server, "--webhook", "127.0.0.1:0") as process:
        install_webhook(our_server, next_event(process)["webhook"])
        yield our_server
        uninstall_webhook(our_server)


class Judge:
    """Asks an API server for its verdict. Namespaces are made when they are first needed."""

    def __init__(self, server: ApiServer) -> None:
        self._server = server
        self._namespaces = {"default", "istio-system"}

    def refusal(self, raw: Any) -> str:
        """Return why a new object would be refused, or nothing; it is not stored."""
        namespace = raw["metadata"]["namespace"]
        if namespace not in self._namespaces:
            self._server.namespace(namespace)
            self._namespaces.add(namespace)
        path = f"/apis/{raw['apiVersion']}/namespaces/{namespace}/{KINDS[Kind(raw['kind'])].plural}"
        try:
            self._server.request("POST", f"{path}?dryRun=All&fieldValidation=Strict&fieldManager=tests", raw)
        except ApiServerError as error:
            return str(error)
        return ""


def disagreement(judge: Judge, raw: dict[str, Any]) -> str:
    """Return in what the API server and ``meshctl validate`` differ about an object, or nothing."""
    sent = as_sent(raw)
    decoded, refusal = decode(sent), judge.refusal(sent)
    if isinstance(decoded, Upsert) == (not refusal):
        return ""
    return f"{sent}\nvalidate: {[str(finding) for finding in decoded.diagnostics] or 'accepted'}\nAPI server: {refusal or 'accepted'}"


def test_every_sample(asking: ApiServer) -> None:
    """Whatever is written in tests and examples, they say the same of it."""
    judge, count = Judge(asking), 0
    different = []
    for name, raw in samples():
        count += 1
        if found := disagreement(judge, raw):
            different.append(f"{name}: {found}")
    assert not different, f"{len(different)} of {count}\n" + "\n".join(different)
    assert count > 500


@settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=settings().max_examples)
@given(raw=documents_of(*DRAWN) | broken_documents())
def test_what_nobody_wrote(asking: ApiServer, raw: Any) -> None:
    """They say the same of objects that are made up, with mistakes and without."""
    if isinstance(raw, dict) and is_routing(raw) and isinstance(raw.get("metadata"), dict):
        assert not disagreement(Judge(asking), raw)
