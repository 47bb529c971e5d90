"""How long an answer of the webhook takes at 1,000 routing objects: at rest, and while the same process compiles without a pause.

Run as ``python -m tests.bench.admitting`` it serves from this process, asks from another one, and prints the figures as JSON. The goal is
below 20 ms.
"""

from __future__ import annotations

import itertools
import json
import math
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from http.client import HTTPSConnection
from typing import Any, Final

from meshctl_operator.apis.changes import ChangeSet, Upsert
from meshctl_operator.apis.decode import decode
from meshctl_operator.kube.admission.certificates import new_material
from meshctl_operator.kube.admission.operation import short_turns
from meshctl_operator.kube.admission.server import PATH, AdmissionServer, bind
from meshctl_operator.registry.registry import Registry
from tests.bench.compiling import Bench, Shape
from tests.support.load.control import ROOT
from tests.support.meshes import RawObject, istio, service, virtual_service

SERVICES: Final = 500
ASKED: Final = 200


def objects(services: int) -> Iterator[RawObject]:
    """Yield services, each with a VirtualService and a DestinationRule, made one after the other."""
    for number in range(services):
        name = f"s{number}"
        yield service(name)
        yield istio("DestinationRule", name, {"host": name, "subsets": [{"name": "v1", "labels": {"version": "v1"}}]})
        yield virtual_service(name, name, hosts=(name,), subset="v1")


def asked(services: int, number: int) -> bytes:
    """Return a review: now a new VirtualService, now an edited one, now an edited DestinationRule whose subset is in use."""
    name = f"s{number % services}"
    given = (
        virtual_service(f"new{number}", name, hosts=(f"new{number}",), subset="v1"),
        virtual_service(name, name, hosts=(name,)),
        istio("DestinationRule", name, {"host": name, "subsets": [{"name": "v2", "labels": {"version": "v2"}}]}),
    )[number % 3]
    request = {"uid": str(number), "operation": "UPDATE", "namespace": "default", "object": given, "dryRun": True}
    return json.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}).encode()


def ask(port: int, services: int, count: int = ASKED) -> list[float]:
    """Return how long each answer took, in milliseconds, over one connection as API servers keep it."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    client = HTTPSConnection("127.0.0.1", port, context=context, timeout=30)
    took = []
    for number in range(count):
        body = asked(services, number)
        begin = time.perf_counter()
        client.request("POST", PATH, body, {"Content-Type": "application/json"})
        answer = json.loads(client.getresponse().read())
        took.append((time.perf_counter() - begin) * 1000)
        assert answer["response"]["allowed"]
        assert bool(answer["response"].get("warnings")) is (number % 3 == 2)
    client.close()
    return took


def figures(took: Sequence[float]) -> dict[str, float]:
    """Return median, 95th percentile and longest time."""
    ordered = sorted(took)
    return {
        name: round(ordered[math.ceil(part * len(ordered)) - 1], 1) for name, part in (("p50_ms", 0.5), ("p95_ms", 0.95), ("max_ms", 1.0))
    }


def ask_apart(port: int, services: int, meanwhile: Callable[[], object]) -> list[float]:
    """Return what ``ask`` in another process measures while this one does something again and again."""
    command = [sys.executable, "-m", "tests.bench.admitting", str(port), str(services)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as asking:
        while asking.poll() is None:
            meanwhile()
        took: list[float] = json.loads(asking.communicate()[0])
    assert asking.returncode == 0
    return took


def answers(services: int = SERVICES) -> dict[str, Any]:
    """Return the figures."""
    decoded = [found for found in map(decode, objects(services)) if isinstance(found, Upsert)]
    mesh = Registry().apply(ChangeSet(tuple(decoded), "bench")).snapshot.objects
    server = AdmissionServer(bind("127.0.0.1", 0), new_material(["localhost"], time.time()))
    server.start()
    try:
        server.publish(mesh)
        port = server._bound.getsockname()[1]
        ask(port, services, 3)
        with Bench(Shape.SIDECAR, services) as compiler, short_turns():
            at_rest = ask_apart(port, services, lambda: time.sleep(0.05))
            compiler.cold()
            views = itertools.count()
            compiling = ask_apart(port, services, lambda: compiler.serve(compiler.proxy(f"of-nobody-{next(views)}")))
    finally:
        server.stop()
    return {"routing_objects": 2 * services, "at_rest": figures(at_rest), "while_compiling": figures(compiling)}


def answers_apart() -> dict[str, Any]:
    """Return the figures of a fresh process."""
    run = subprocess.run([sys.executable, "-m", "tests.bench.admitting"], cwd=ROOT, check=True, capture_output=True)
    found: dict[str, Any] = json.loads(run.stdout)
    return found


if __name__ == "__main__":
    if len(sys.argv) > 1:
        json.dump(ask(int(sys.argv[1]), int(sys.argv[2])), sys.stdout)
    else:
        json.dump(answers(), sys.stdout)
