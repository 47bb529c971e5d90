"""Every field of an HTTP rule changes what happens to real requests through a real sidecar; the list of fields comes from the models.

For each field that a case sets, the same VirtualService without it is served for another host; some case must then see something else.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, NamedTuple

import pytest
import pytest_asyncio

from meshctl_operator.apis.decode import ROUTING_SPECS
from meshctl_operator.apis.kinds import Kind
from meshctl_operator.base.labels import freeze
from meshctl_operator.model.proxies import LocalBinding, Proxy, ProxyRole
from tests.support.envoy_process import EnvoyError
from tests.support.envoy_versions import BINARIES
from tests.support.field_paths import Use, field_paths, uses, without
from tests.support.real_gateway import Echo, RealGateway, free_ports, real_gateway
from tests.support.sidecar_cases import BOTH, CASES, LEAVES, NOT_SEEN, SECOND, Ask, Case
from tests.support.strategies.meshes import is_accepted

pytestmark = [pytest.mark.envoy, pytest.mark.asyncio(loop_scope="module")]

API = "networking.istio.io/v1"
MODEL = ROUTING_SPECS[Kind.VIRTUAL_SERVICE]
SAME_AS_UNSET = frozenset({"UNSPECIFIED", "FORWARD", "FROM_PROTOCOL_DEFAULT"})
"""Values that mean what holds without the field."""
FIELDS = [
    path for path in field_paths(MODEL) if not any(path == known or path.startswith((f"{known}.", f"{known}=")) for known in NOT_SEEN)
]
CLIENT = Proxy(
    ProxyRole.SIDECAR,
    "client",
    "default",
    labels=freeze({"app": "client"}),
    dns_domain="default.svc.cluster.local",
    local=LocalBinding("127.0.0.1"),
)
HOSTS = 100
"""Of one ServiceEntry."""
SLOW = 0.25
NO_ANSWER = 0.6
"""Longer than any time-out of a case."""
NO_COPY = 0.2
NOISE = frozenset({"x-request-id", "x-envoy-upstream-service-time", "date", "x-envoy-decorator-operation", "connection", "content-length"})


def host_of(case: int, use: int | None = None) -> str:
    """Return the host of a case, or of what is left of it without a use of a field."""
    return f"case-{case}.example.com" if use is None else f"case-{case}-{use}.example.com"


def spec_of(case: Case, host: str) -> dict[str, Any]:
    """Return the whole spec of a case."""
    return {"hosts": [host], **case.spec}


def uses_of(case: Case) -> list[Use]:
    """Return where a case sets fields."""
    return list(uses(spec_of(case, "a.example.com"), MODEL))


def objects(second: int, first: int) -> Iterator[dict[str, Any]]:
    """Yield the mesh: the servers, the cases as hosts of services, and a VirtualService for each and for each use of a field."""
    hosts = []
    for number, case in enumerate(CASES):
        for use, place in [(None, None), *enumerate(uses_of(case))]:
            host = host_of(number, use)
            hosts.append(host)
            spec = spec_of(case, host)
            yield virtual_service(host, spec if place is None else without(spec, place.steps))
    for leaf in LEAVES:
        yield {"apiVersion": API, "kind": "VirtualService", **leaf}
    for at in range(0, len(hosts), HOSTS):
        yield entry(f"cases-{at}", hosts[at : at + HOSTS], [(80, first)])
    yield entry("second", [SECOND], [(80, second)], version="v1")
    yield entry("both", [BOTH], [(80, first), (81, second)])
    subsets = [{"name": name, "labels": {"version": name}} for name in ("v1", "none")]
    yield {"apiVersion": API, "kind": "DestinationRule", "metadata": {"name": "second"}, "spec": {"host": SECOND, "subsets": subsets}}


def virtual_service(host: str, spec: dict[str, Any]) -> dict[str, Any]:
    """Return the VirtualService of a case."""
    meta = {"name": host.replace(".", "-"), "namespace": "default"}
    return {"apiVersion": API, "kind": "VirtualService", "metadata": meta, "spec": spec}


def is_optional(case: Case, place: Use) -> bool:
    """Tell whether the case is valid without a use of a field."""
    return is_accepted(virtual_service("x", without(spec_of(case, "a.example.com"), place.steps)))


def entry(name: str, hosts: list[str], ports: list[tuple[int, int]], version: str = "") -> dict[str, Any]:
    """Return a ServiceEntry whose ports lead to servers on this machine."""
    endpoint = {"address": "127.0.0.1", "labels": {"version": version} if version else {}}
    shown = [{"number": port, "name": f"http-{port}", "protocol": "HTTP", "targetPort": target} for port, target in ports]
    spec = {"hosts": hosts, "resolution": "STATIC", "location": "MESH_INTERNAL", "ports": shown, "endpoints": [endpoint]}
    return {"apiVersion": API, "kind": "ServiceEntry", "metadata": {"name": name, "namespace": "default"}, "spec": spec}


class Served(NamedTuple):
    """A running sidecar, its HTTP proxy port, and the second server."""

    sidecar: RealGateway
    port: int
    second: Echo


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=sorted(BINARIES))
async def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    """A sidecar of each end of the supported versions with all cases."""
    second = Echo()
    backend = await asyncio.start_server(second.answer, "127.0.0.1", 0)
    (port,) = free_ports(1)
    proxy = replace(CLIENT, http_proxy_port=port)
    async with backend, real_gateway(tmp_path_factory.mktemp(request.param), BINARIES[request.param](), proxy=proxy) as running:
        found = objects(backend.sockets[0].getsockname()[1], running.echo.port)
        await running.apply("\n---\n".join(map(json.dumps, found)))
        await running.listening(port)
        try:
            yield Served(running, port, second)
        finally:
            second.ended.set()


async def observed(served: Served, host: str, case: Case) -> list[dict[str, Any]]:
    """Return what is seen of the requests of a case, the host by the word HOST."""
    text = json.dumps([await _one(served, host, ask) for ask in case.asks]).replace(host, "HOST")
    found: list[dict[str, Any]] = json.loads(text)
    return found


async def _one(served: Served, host: str, ask: Ask) -> dict[str, Any]:
    first, second = served.sidecar.echo.requests, served.second.requests
    first.clear()
    second.clear()
    start = time.monotonic()
    try:
        async with asyncio.timeout(NO_ANSWER):
            answer = await served.sidecar.get(served.port, f"http://{host}{ask.path}", host=host, method=ask.method, headers=ask.headers)
    except TimeoutError:
        return {"status": 0}
    slow = time.monotonic() - start >= SLOW
    if ask.path == "/copy":
        with suppress(EnvoyError):
            await served.sidecar.envoy.wait_until(_any(second), "a copy arrived", timeout=NO_COPY)
    seen = {"status": answer.status, "slow": slow, "first": len(first), "second": len(second), "headers": _clean(answer.headers)}
    if answer.headers.get("x-backend") or answer.body.startswith(b'{"method"'):
        return {**seen, "echo": {**answer.echo, "headers": _clean(answer.echo["headers"])}}
    return {**seen, "body": answer.body.decode()}


def _any(requests: list[dict[str, Any]]) -> Callable[[], Awaitable[bool]]:
    async def is_there() -> bool:
        return bool(requests)

    return is_there


def _clean(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name not in NOISE}


def holds(expected: Any, seen: Any) -> bool:
    """Tell whether everything expected is in what was seen."""
    if isinstance(expected, Mapping):
        return isinstance(seen, Mapping) and all(name in seen and holds(value, seen[name]) for name, value in expected.items())
    return bool(expected == seen)


@pytest.mark.parametrize("number", range(len(CASES)))
async def test_case(served: Served, number: int) -> None:
    """The first request of a case is treated as the case says."""
    case = CASES[number]
    seen = (await observed(served, host_of(number), case))[0]
    assert holds(case.seen, seen), f"{case.spec}\n{seen}"


async def test_every_field_matters(served: Served) -> None:
    """Each field of the models is set by a case that sees something else without it, and is valid without it unless no case is."""
    missing = set(FIELDS)
    optional = {place.path for case in CASES for place in uses_of(case) if is_optional(case, place)}
    for number, case in enumerate(CASES):
        known = [(use, place) for use, place in enumerate(uses_of(case)) if place.path in missing]
        places = [(use, place) for use, place in known if place.path not in optional or is_optional(case, place)]
        if not places:
            continue
        whole = await observed(served, host_of(number), case)
        for use, place in places:
            if place.path.partition("=")[2] in SAME_AS_UNSET or await observed(served, host_of(number, use), case) != whole:
                missing.discard(place.path)
    assert sorted(missing) == []
