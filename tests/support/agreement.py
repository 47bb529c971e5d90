"""Puts many route configurations before one Envoy, asks it and the simulation the same, and tells where they differ."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from envoy.config.listener.v3 import listener_pb2
from envoy.extensions.filters.http.fault.v3 import fault_pb2
from google.protobuf import json_format

from meshctl_operator.simulation import (
    Answered,
    Answerer,
    Connection,
    Draws,
    Forwarded,
    ProxyConfig,
    Redirected,
    Request,
    Trace,
    simulate_request,
)
from meshctl_operator.simulation.connection_managers import Manager
from meshctl_operator.simulation.headers import Headers
from tests.support.envoy_process import EnvoyProcess

MISSING = "nowhere"
"""A cluster with this in its name is not given to Envoy."""

_FAULT = "envoy.filters.http.fault"
_ROUTE, _CLUSTER = "x-asked-route", "x-asked-cluster"
_NOISE = frozenset(
    {
        "x-request-id",  # random
        "x-forwarded-for",  # for clients on the same machine Envoy takes an address of that machine
        "x-envoy-expected-rq-timeout-ms",
        "content-length",
        "connection",
        "transfer-encoding",
    }
)
_TIMEOUT = 10.0


@dataclass(frozen=True)
class Case:
    """One connection manager with its routes. Every route has a name of its own here, and nothing waits."""

    manager: Any
    route: Any
    config: ProxyConfig


@dataclass(frozen=True)
class Seen:
    """What a client saw, and what the upstream told of the request."""

    status: int
    headers: Headers
    body: bytes


def cases_of(config: ProxyConfig) -> Iterator[Case]:
    """Yield the connection managers of a configuration that take their routes by name, each name once."""
    done = set()
    for manager in _managers(config):
        name = manager.rds.route_config_name
        if name not in done and name in config.routes:
            done.add(name)
            yield _case(manager, config.routes[name])


def _managers(config: ProxyConfig) -> Iterator[Any]:
    for listener in config.listeners:
        for chain in (*listener.filter_chains, listener.default_filter_chain):
            for entry in chain.filters:
                if entry.typed_config.Is(Manager.DESCRIPTOR):
                    yield Manager.FromString(entry.typed_config.value)


def named_case(config: ProxyConfig, name: str) -> Case | None:
    """Return the connection manager that takes the routes of that name, with both as they are served; None without any."""
    for manager in _managers(config):
        if manager.rds.route_config_name == name and name in config.routes:
            return Case(manager, config.routes[name], config)
    return None


def _case(manager: Any, served: Any) -> Case:
    route = type(served)()
    route.CopyFrom(served)
    for name, value in ((_ROUTE, "%ROUTE_NAME%"), (_CLUSTER, "%UPSTREAM_CLUSTER%")):
        route.response_headers_to_add.add(append_action="OVERWRITE_IF_EXISTS_OR_ADD", header={"key": name, "value": value})
    clusters = set()
    for host in route.virtual_hosts:
        for index, each in enumerate(host.routes):
            each.name = f"{host.name}#{index}"
            _without_waiting(each)
            if not each.HasField("route"):
                continue
            each.route.ClearField("retry_policy")
            each.route.timeout.Clear()
            clusters |= {each.route.cluster, *(entry.name for entry in each.route.weighted_clusters.clusters)}
            clusters |= {policy.cluster for policy in each.route.request_mirror_policies}
    alone = Manager()
    alone.CopyFrom(manager)
    alone.ClearField("access_log")
    alone.route_config.CopyFrom(route)
    known = frozenset(name for name in clusters if name and MISSING not in name)
    return Case(alone, route, ProxyConfig((), {}, known))


def _without_waiting(route: Any) -> None:
    fault = fault_pb2.HTTPFault()
    if _FAULT in route.typed_per_filter_config and route.typed_per_filter_config[_FAULT].Unpack(fault) and fault.HasField("delay"):
        fault.delay.fixed_delay.FromMilliseconds(1)
        route.typed_per_filter_config[_FAULT].Pack(fault)


@asynccontextmanager
async def envoy_for(cases: Sequence[Case], folder: Path, binary: Path | None = None) -> AsyncIterator[list[int]]:
    """Run one Envoy with a listener for each case, and the upstream; give the port of each."""
    upstream = await asyncio.start_server(_echo, "127.0.0.1", 0)
    async with upstream:
        port = upstream.sockets[0].getsockname()[1]
        names = sorted(set().union(*(case.config.clusters or () for case in cases)))
        resources = {
            "listeners": [json_format.MessageToDict(_listener(number, case)) for number, case in enumerate(cases)],
            "clusters": [_cluster(name, port) for name in names],
        }
        async with EnvoyProcess({"static_resources": resources}, folder, binary=binary, timeout=60) as envoy:
            page = json.loads(await envoy.get("/listeners?format=json"))
            ports = {each["name"]: each["local_address"]["socket_address"]["port_value"] for each in page["listener_statuses"]}
            yield [ports[f"case-{number}"] for number in range(len(cases))]


def _listener(number: int, case: Case) -> Any:
    listener = listener_pb2.Listener(name=f"case-{number}")
    listener.address.socket_address.address = "127.0.0.1"
    listener.address.socket_address.port_value = 0
    listener.filter_chains.add().filters.add(name="http").typed_config.Pack(case.manager)
    return listener


def _cluster(name: str, port: int) -> dict[str, Any]:
    endpoint = {"endpoint": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": port}}}}
    assignment = {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]}
    return {"name": name, "type": "STATIC", "connect_timeout": "5s", "load_assignment": assignment}


async def ask(port: int, request: Request) -> Seen:
    """Return what Envoy answers."""
    lines = [f"{request.method} {request.path} HTTP/1.1", f"Host: {request.authority}", "Connection: close", "Content-Length: 0"]
    lines += [f"{name}: {value}" for name, value in request.headers]
    async with asyncio.timeout(_TIMEOUT):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
            await writer.drain()
            head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        finally:
            writer.close()
            await writer.wait_closed()
    status, headers = _parsed(head)
    return Seen(int(status.split()[1]), Headers.of(headers), body)


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer each request of a connection with what it was."""
    try:
        while True:
            line, headers = _parsed((await reader.readuntil(b"\r\n\r\n")).removesuffix(b"\r\n\r\n"))
            method, path, _ = line.split(" ")
            told = Headers.of(((":method", method), (":path", path), *headers))
            body = json.dumps(told.entries).encode()
            writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode() + (body if method != "HEAD" else b""))
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


def _parsed(head: bytes) -> tuple[str, list[tuple[str, str]]]:
    first, *rest = head.decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in rest)
    return first, [(name, value.strip()) for name, _, value in pairs]


def disagreement(case: Case, request: Request, seen: Seen) -> str:
    """Return in which way Envoy did something that the simulation does not foresee for any draw; empty where they agree."""
    manager = case.manager
    base = simulate_request(case.config, manager, Connection("127.0.0.1", 80), request)
    wrong = []
    for draws in _draws(base, seen):
        trace = base if draws == Draws() else simulate_request(case.config, manager, Connection("127.0.0.1", 80), request, draws)
        differences = list(_differences(trace, seen))
        if not differences:
            return ""
        wrong.append("; ".join(differences))
    return " | ".join(wrong)


def _draws(trace: Trace, seen: Seen) -> Iterator[Draws]:
    """Yield the draws that could have led to what was seen: the weighted cluster that was taken, with and without the fault."""
    route = 0
    for name, weight in trace.route.weights if trace.route is not None else ():
        if name == seen.headers.get(_CLUSTER):
            break
        route += weight
    yield Draws(route)
    if trace.route is not None and trace.route.fault is not None:
        yield Draws(route, abort=0)
    start = 0
    for _, weight in trace.route.weights if trace.route is not None else ():
        yield Draws(start)
        start += weight


def _differences(trace: Trace, seen: Seen) -> Iterable[str]:
    outcome = trace.outcome
    status, location, body = 200, None, None
    match outcome:
        case Forwarded():
            status = 200 if outcome.known else 503
            if outcome.known:
                yield from _sent(outcome, seen)
        case Redirected():
            status, location = outcome.status, outcome.location
        case Answered():
            status, body = outcome.status, outcome.body if outcome.by is Answerer.DIRECT_RESPONSE else None
        case _:
            yield f"foresees {outcome}"
            return
    if seen.status != status:
        yield f"status {seen.status}, foreseen {status}"
    if location is not None and seen.headers.get("location") != location:
        yield f"location {seen.headers.get('location')}, foreseen {location}"
    if body is not None and seen.body != body:
        yield f"body {seen.body!r}, foreseen {body!r}"
    by_filter = isinstance(outcome, Answered) and outcome.by in {Answerer.FAULT, Answerer.CORS}
    if trace.route is not None and trace.route.index >= 0 and not by_filter:  # answers of filters do not always tell the route
        route = seen.headers.get(_ROUTE)
        if route != trace.route.name:
            yield f"route {route}, foreseen {trace.route.name}"
        wanted = trace.route.response.applied(Headers())
        for name, value in wanted.entries:
            if name not in {_ROUTE, _CLUSTER} and value not in (seen.headers.get(name) or "").split(","):
                yield f"response header {name} is {seen.headers.get(name)}, foreseen {value}"


def _sent(outcome: Forwarded, seen: Seen) -> Iterable[str]:
    if seen.headers.get(_CLUSTER) != outcome.cluster:
        yield f"cluster {seen.headers.get(_CLUSTER)}, foreseen {outcome.cluster}"
    try:
        told = Headers(tuple((name, value) for name, value in json.loads(seen.body)))
    except ValueError:
        yield f"body {seen.body!r} is no echo"
        return
    there, foreseen = _comparable(told), _comparable(outcome.headers.without(":scheme"))
    for name in sorted({*there, *foreseen}):
        if there.get(name) != foreseen.get(name):
            yield f"request header {name} is {there.get(name)!r}, foreseen {foreseen.get(name)!r}"


def _comparable(headers: Headers) -> dict[str, str | None]:
    return {name: headers.get(name) for name, _ in headers.entries if name not in _NOISE}
