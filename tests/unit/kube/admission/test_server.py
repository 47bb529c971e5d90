"""The webhook over real HTTPS."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPSConnection
from typing import Any

import pytest

from meshctl_operator.base.errors import MeshctlError
from meshctl_operator.kube.admission.certificates import Material, new_material
from meshctl_operator.kube.admission.server import PATH, AdmissionServer, bind
from tests.support.documents import document
from tests.support.meshes import istio, service, virtual_service
from tests.unit.kube.admission.test_facts import snapshot

VALID = virtual_service("a", "reviews")
MATERIAL = new_material(["localhost"], time.time())


@contextmanager
def running(material: Material = MATERIAL) -> Iterator[AdmissionServer]:
    """Run a server on a free port."""
    server = AdmissionServer(bind("127.0.0.1", 0), material)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def port_of(server: AdmissionServer) -> int:
    """Return where a server listens."""
    port: int = server._bound.getsockname()[1]
    return port


def connection(server: AdmissionServer, material: Material = MATERIAL) -> HTTPSConnection:
    """Return a connection that trusts the authority of a certificate and nothing else, as API servers do."""
    return HTTPSConnection("localhost", port_of(server), context=ssl.create_default_context(cadata=material.authorities), timeout=10)


def review(obj: object) -> bytes:
    """Return a review of a new object as it is sent."""
    request = {"uid": "u-1", "operation": "CREATE", "namespace": "default", "object": obj}
    return json.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}).encode()


def post(client: HTTPSConnection, body: bytes) -> tuple[int, Any]:
    """Post a body; returns status and answer."""
    client.request("POST", f"{PATH}?timeout=10s", body, {"Content-Type": "application/json"})
    response = client.getresponse()
    return response.status, json.loads(response.read())


def test_verdicts() -> None:
    """Reviews are answered, from the start: a valid object is allowed, a broken one refused."""
    with running() as server:
        client = connection(server)
        status, answer = post(client, review(VALID))
        assert (status, answer["response"]) == (200, {"uid": "u-1", "allowed": True})
        assert answer["kind"] == "AdmissionReview"
        _, answer = post(client, review(document("Gateway", {"servers": []})))
        assert not answer["response"]["allowed"]
        assert "spec.servers is empty" in answer["response"]["status"]["message"]
        client.close()


def test_facts_of_the_control_plane() -> None:
    """What the control plane published last counts for the very next review."""
    with running() as server:
        client = connection(server)
        server.publish(snapshot(service("ratings")).objects)
        _, answer = post(client, review(VALID))
        assert answer["response"]["allowed"]
        assert "matches no service" in answer["response"]["warnings"][0]
        server.publish(snapshot(service("reviews")).objects)
        _, answer = post(client, review(VALID))
        assert "warnings" not in answer["response"]
        client.close()


def test_bad_requests() -> None:
    """What is no review is answered 400; health needs no review."""
    with running() as server:
        client = connection(server)
        assert post(client, b"not JSON")[0] == 400
        assert post(client, b"{}")[0] == 400
        client.request("GET", "/healthz")
        assert client.getresponse().read() == b"ok"
        client.close()


def test_a_new_certificate_without_a_restart() -> None:
    """New connections get the new certificate; those that are open go on."""
    other = new_material(["localhost"], time.time(), MATERIAL)
    with running() as server:
        client = connection(server)
        assert post(client, review(VALID))[0] == 200
        server.use(other)
        assert post(client, review(VALID))[0] == 200
        client.close()
        fresh = connection(server, other)
        assert post(fresh, review(VALID))[0] == 200
        fresh.close()
        with pytest.raises(ssl.SSLCertVerificationError):
            post(connection(server), review(VALID))


def test_plain_http_is_not_answered() -> None:
    """Who does not speak TLS gets nothing."""
    with running() as server, pytest.raises((urllib.error.URLError, ConnectionError)):
        urllib.request.urlopen(f"http://127.0.0.1:{port_of(server)}/healthz", timeout=10)


def test_a_port_that_is_taken() -> None:
    """Who cannot listen is told before anything is served."""
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(MeshctlError, match="cannot listen"):
        bind("127.0.0.1", taken.getsockname()[1])


def test_publishing_to_a_server_that_is_not_there() -> None:
    """A control plane may publish before the start and after the stop."""
    server = AdmissionServer(bind("127.0.0.1", 0), MATERIAL)
    server.publish(snapshot(service("reviews")).objects)
    server.start()
    server.stop()
    server.publish({})
    server.stop()
    with pytest.raises(MeshctlError, match="cannot listen"):
        server.start()


def test_quick_answers_while_something_computes() -> None:
    """At a thousand objects, with a thread that computes without a pause, most answers take few of its turns."""
    rules = [istio("DestinationRule", f"d{number}", {"host": f"s{number}"}) for number in range(300)]
    routes = [virtual_service(f"v{number}", f"s{number}", hosts=(f"s{number}",)) for number in range(400)]
    mesh = snapshot(*(service(f"s{number}") for number in range(300)), *rules, *routes)
    ended = threading.Event()

    def compute() -> None:
        while not ended.is_set():
            sum(number * number for number in range(1000))

    with running() as server:
        server.publish(mesh.objects)
        client = connection(server)
        post(client, review(VALID))
        busy = threading.Thread(target=compute)
        busy.start()
        try:
            took = []
            for number in range(30):
                begin = time.monotonic()
                status, answer = post(client, review(virtual_service(f"new{number}", f"s{number}", hosts=(f"s{number}",))))
                took.append(time.monotonic() - begin)
                assert status == 200
                assert "belongs to the older" in answer["response"]["warnings"][0]
        finally:
            ended.set()
            busy.join()
            client.close()
    assert sorted(took)[15] < 0.25  # on an idle machine some 20 ms; the suite runs on busy ones
