"""Simulation, oracle and findings tell one story about random VirtualServices and requests."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import event, given, note
from hypothesis import strategies as st

from meshctl_operator.base.diagnostics import Diagnostic
from meshctl_operator.simulation import Connection, Request, Trace, simulate_request
from tests.support.agreement import named_case
from tests.support.oracle import Call, Verdict, decide
from tests.support.route_requests import request_for
from tests.support.simulations import served_config
from tests.support.strategies.meshes import MeshState
from tests.support.strategies.scenes import scenes
from tests.support.world import ROUTER, SIDECAR, world_of

pytestmark = pytest.mark.property

REQUESTS = 30
HERE = Connection("127.0.0.1", 80)


def named(state: MeshState) -> MeshState:
    """Return the scene with a name of its own for each rule and block, so that routes tell where they are from."""
    documents: list[dict[str, Any]] = []
    for document in state.documents:
        if document["kind"] == "VirtualService" and "http" in document["spec"]:
            rules = []
            for index, rule in enumerate(document["spec"]["http"]):
                blocks = [{**block, "name": f"b{position}"} for position, block in enumerate(rule.get("match", ()))]
                rules.append({**rule, "name": f"r{index}", **({"match": blocks} if blocks else {})})
            documents.append({**document, "spec": {**document["spec"], "http": rules}})
        else:
            documents.append(document)
    return state.but(documents=tuple(documents))


def taken(trace: Trace) -> Verdict | None:
    """Return what the simulation says took a request; None where no VirtualService did."""
    if trace.route is None or not trace.route.config:
        return None
    parts = trace.route.config.split("/")
    return Verdict(f"{parts[5]}/{parts[7]}", trace.route.name)


@given(scenes(simple=True).map(named), st.integers(0, 2**32))
def test_the_oracle_agrees(state: MeshState, seed: int) -> None:
    """A direct reading of the VirtualServices chooses the rule that the emitted routes choose, at the gateway and beside an application."""
    rng = Random(seed)  # noqa: S311  (repeatable on purpose)
    world = world_of(state)
    for proxy, gateway, name in ((ROUTER, "default/gw", "http.8080"), (SIDECAR, "mesh", "80"), (SIDECAR, "mesh", "9080")):
        config = served_config(world.compile(proxy))
        case = named_case(config, name)
        for _ in range(REQUESTS if case is not None else 0):
            assert case is not None
            request = request_for(case.route, rng, malformed=False)
            trace = simulate_request(config, case.manager, HERE, request)
            call = _call(request, trace, gateway, 80 if gateway != "mesh" else int(name), dict(proxy.labels))
            if call is None:
                continue
            note(f"{proxy.name} {name} {request}")
            assert taken(trace) == decide(state.documents, call)


def _call(request: Request, trace: Trace, gateway: str, port: int, labels: dict[str, str]) -> Call | None:
    """Return the request in the words of the oracle; None where the host is none of a VirtualService."""
    authority = request.authority
    bare = authority.rpartition(":")[0] if ":" in authority else authority
    host = bare.lower()
    if gateway == "mesh":
        if trace.route is None or "svc.cluster.local" not in trace.route.virtual_host:
            return None  # the short forms of a host stand for its full name, which the virtual host has
        host = trace.route.virtual_host.rpartition(":")[0]
    headers = {**dict(request.headers), "host": authority}
    return Call(host, request.path, request.method, headers, gateway, port, "default" if gateway == "mesh" else "istio-system", labels)


@given(scenes().map(named), st.integers(0, 2**32))
def test_no_covered_rule_is_ever_taken(state: MeshState, seed: int) -> None:
    """A rule or block that is said to be never reached takes no request, wherever it is served."""
    rng = Random(seed)  # noqa: S311  (repeatable on purpose)
    world = world_of(state)
    covered = [finding for finding in world.findings() if finding.code == "MC2209"]
    event(f"covered rules: {len(covered)}")
    if not covered:
        return
    for proxy in (ROUTER, SIDECAR):
        config = served_config(world.compile(proxy))
        for case in filter(None, (named_case(config, name) for name in config.routes)):
            for _ in range(REQUESTS):
                request = request_for(case.route, rng)
                trace = simulate_request(config, case.manager, HERE, request)
                verdict = taken(trace)
                assert verdict is None or not any(_is_about(finding, verdict) for finding in covered), (request, verdict)


def _is_about(finding: Diagnostic, verdict: Verdict) -> bool:
    owner = f"{finding.subject.namespace}/{finding.subject.name}"
    rule, _, block = finding.path.removeprefix("spec.http[").partition("]")
    name = f"r{rule}"
    if block:
        return owner == verdict.owner and verdict.name == f"{name}.b{block.removeprefix('.match[').removesuffix(']')}"
    return owner == verdict.owner and verdict.name.split(".")[0] == name
