"""Many valid objects at once, each with effects of its own: hosts, ports and names that no other one takes from it."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from meshctl_operator.apis.kinds import Kind
from tests.support.key_pairs import key_pair
from tests.support.strategies.alphabet import CREDENTIALS, JsonObject, JsonStrategy
from tests.support.strategies.meshes import KINDS, is_accepted, unique
from tests.support.strategies.mistakes import odd_values
from tests.support.strategies.scenes import BASE
from tests.support.strategies.virtual_services import DELEGATES, GATEWAYS

COMMON = tuple(kind for kind in KINDS if kind is not Kind.SIDECAR)  # a Sidecar hides most of the others
OFTEN = (*(Kind.VIRTUAL_SERVICE,) * 16, *(Kind.GATEWAY,) * 8, *(Kind.DESTINATION_RULE, Kind.SERVICE_ENTRY, Kind.SERVICE) * 3, *COMMON)
RENAMED = frozenset(
    {Kind.VIRTUAL_SERVICE, Kind.GATEWAY, Kind.DESTINATION_RULE, Kind.SERVICE_ENTRY, Kind.SERVICE, Kind.WORKLOAD_ENTRY, Kind.SIDECAR}
)
"""Kinds that are seldom known to others by their names."""
BINDABLE = frozenset({"0.0.0.0", "127.0.0.1", "::", "::1", "::ffff:127.0.0.1"})
AUTHORITY = "authority"
"""The Secret that no server has for its certificate: while a listener drains, Envoy takes nothing else under the name of its certificate."""
FIRST_PORT, LAST_PORT, PORTS_EACH = 20_000, 65_535, 20
TEXTS = (
    "%REQ(:path)%",
    "%UPSTREAM_METADATA(a:b)%",
    "%START_TIME(%s)%",
    "%%",
    "100%",
    "\t",
    " a ",
    "é",
    "a.b.",
    "A.Com",
    "xn--bcher-kva.example",
    "_a.com",
    "x" * 63,
    "x" * 64,
    "a" * 60 + ".b" * 90,
    "*-a.com",
    "*.a",
    "/a?b=c#d",
    "/%2f/..//",
    "a/b",
    "a:b",
    ":path",
    ":status",
    "Host",
    "connection",
    "content-length",
    "te",
    "x-envoy-a",
    "cookie",
    "\\1",
    "\\0\\9",
    "(a)(b)",
    "(?i)a",
    "[[:alpha:]]+",
    "\\pN+$",
    "a{1000}",
    "(a{30}){30}",
    "a|",
    "()",
    "^$",
    "x" * 1024,
    "0.0.0.0",
    "255.255.255.255",
    "10.0.0.0/8",
    "fd00::1",
    "::ffff:1.2.3.4",
    "unix:///tmp/a",
    "GET",
    "trace",
    "http",
)
PERIODS = ("1ms", "0s", "999ms", "1.5s", "24h", "87600h", "2562047h")
NUMBERS = (0, 1, 2, 65535, 65536, 15001, 15006, 2**31 - 1, 2**32 - 1, 0.0001, 0.00001, 99.9999, 100.0)

_odd: SearchStrategy[Any] = st.one_of(st.sampled_from(TEXTS), st.sampled_from(PERIODS), st.sampled_from(NUMBERS), odd_values)


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield (container, key) of all that a spec holds."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield value, key
        yield from _places(inner)


@st.composite
def _odd_but_accepted(draw: st.DrawFn, document: JsonObject) -> JsonObject:
    """Draw the document with up to three of its values replaced, by any that admission lets pass there."""
    for _ in range(draw(st.integers(0, 3))):
        changed = copy.deepcopy(document)
        places = list(_places(changed.get("spec")))
        if not places:
            break
        container, key = draw(st.sampled_from(places))
        change = draw(st.sampled_from(("replace", "replace", "double", "rename")))
        if change == "double" and isinstance(container, list):
            container.append(copy.deepcopy(container[key]))
        elif change == "rename" and isinstance(container, dict):
            container[draw(st.sampled_from(TEXTS))] = container.pop(key)
        else:
            container[key] = draw(_odd)
        document = changed if is_accepted(changed) else document
    return document


def valid_objects() -> JsonStrategy:
    """Draw an object that admission accepts, often with a part that is hardly ever written."""
    drawn = st.sampled_from(OFTEN).flatmap(lambda kind: KINDS[kind]).filter(is_accepted)
    return drawn.flatmap(_odd_but_accepted)


def batch(objects: Sequence[JsonObject]) -> tuple[JsonObject, ...]:
    """Return a mesh with the objects, most under names, ports and hosts of their own, beside what lets them have effects.

    What is not accepted any more that way stays as it was; of two objects with one key the last one stays.
    """
    return unique(
        [*BASE, *map(_secret, (*CREDENTIALS, AUTHORITY)), _front(), *(_spread(document, number) for number, document in enumerate(objects))]
    )


def _secret(name: str) -> JsonObject:
    certificate, key = (text.decode() for text in key_pair())
    data = {"tls.crt": certificate, "tls.key": key, "ca.crt": certificate}
    meta = {"name": name, "namespace": "istio-system"}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "type": "kubernetes.io/tls", "stringData": data}


def _front() -> JsonObject:
    passing = {"mode": "PASSTHROUGH"}
    servers = [
        {"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": ["*"]},
        {"port": {"number": 443, "name": "tls", "protocol": "TLS"}, "hosts": ["*"], "tls": passing},
        {"port": {"number": 9000, "name": "tcp", "protocol": "TCP"}, "hosts": ["*"]},
    ]
    meta = {"name": "front", "namespace": "default", "creationTimestamp": "2020-01-01T00:00:00Z"}
    return {"apiVersion": "networking.istio.io/v1", "kind": "Gateway", "metadata": meta, "spec": {"selector": {}, "servers": servers}}


def _spread(document: JsonObject, number: int) -> JsonObject:
    kind, name = Kind(document["kind"]), document["metadata"]["name"]
    changed = copy.deepcopy(document)
    if kind in RENAMED and name not in DELEGATES:
        changed["metadata"]["name"] = f"{name}-{number}"
    if kind is Kind.GATEWAY:
        _give_ports(changed["spec"], number)
    elif kind is Kind.VIRTUAL_SERVICE:
        changed["spec"] = _with_texts(changed["spec"], dict.fromkeys(GATEWAYS, "default/front"))
        _give_host(changed["spec"], number)
    return changed if is_accepted(changed) else document


def _give_ports(spec: Any, number: int) -> None:
    """Have most Gateways selected by the gateway, each with ports that no other one has."""
    if number % 8:
        spec["selector"] = {"istio": "ingressgateway"}
    for place, server in enumerate(spec["servers"]):
        tls = server.get("tls") or {}
        if tls.get("caCertCredentialName") in CREDENTIALS:
            tls["caCertCredentialName"] = AUTHORITY
        if server.get("bind") not in BINDABLE:
            server.pop("bind", None)
        if number % 4 and 0 < int(server["port"]["number"]) < LAST_PORT:  # a number in quotes is one as well
            server["port"]["number"] = FIRST_PORT + PORTS_EACH * number + place


def _give_host(spec: Any, number: int) -> None:
    """Have most VirtualServices seen everywhere, under a host that no other one has."""
    if number % 4 and spec.get("hosts") and not spec.get("tls"):
        spec["hosts"] = [f"host-{number}.example.com"]
        spec.pop("exportTo", None)


def _with_texts(value: Any, replaced: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _with_texts(inner, replaced) for key, inner in value.items()}
    if isinstance(value, list):
        changed = [_with_texts(inner, replaced) for inner in value]
        return list(dict.fromkeys(changed)) if all(isinstance(inner, str) for inner in changed) else changed
    return replaced.get(value, value) if isinstance(value, str) else value
