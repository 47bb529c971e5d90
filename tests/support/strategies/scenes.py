"""Meshes made for questions of routing: a gateway that serves every host, services that have HTTP ports, and several VirtualServices."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from tests.support.strategies.alphabet import EXTERNAL_HOSTS, JsonObject, JsonStrategy, few, ports, some
from tests.support.strategies.gateways import gateways
from tests.support.strategies.kubernetes import gateway_service
from tests.support.strategies.meshes import MeshState, is_accepted, unique
from tests.support.strategies.virtual_services import http_rules, virtual_services

_PORTS = [{"name": "http", "port": 80}, {"name": "http-api", "port": 9080}]
_NETWORKING = "networking.istio.io/v1"


def _service(name: str, namespace: str, address: str) -> JsonObject:
    meta = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": {"clusterIP": address, "ports": _PORTS}}


def _gateway() -> JsonObject:
    server = {"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": ["*"]}
    spec = {"selector": {"istio": "ingressgateway"}, "servers": [server]}
    return {"apiVersion": _NETWORKING, "kind": "Gateway", "metadata": {"name": "gw", "namespace": "default"}, "spec": spec}


def _entry() -> JsonObject:
    ports = [{"number": 80, "name": "http", "protocol": "HTTP"}]
    spec = {"hosts": list(EXTERNAL_HOSTS[:3]), "ports": ports, "resolution": "NONE", "location": "MESH_EXTERNAL"}
    return {"apiVersion": _NETWORKING, "kind": "ServiceEntry", "metadata": {"name": "out", "namespace": "default"}, "spec": spec}


BASE: tuple[JsonObject, ...] = (
    gateway_service(),
    _service("cart", "default", "10.96.0.1"),
    _service("pay", "default", "10.96.0.2"),
    _service("cart", "shop", "10.96.0.3"),
    _entry(),
)
"""What every scene has, beside its Gateways and VirtualServices."""


_PATHS = st.sampled_from(("/", "/a", "/a/b", "/b", "/A", "/ab", "/a/"))
_REGEXES = st.sampled_from((".*", "/a.*", "/(a|b)", "^/[a-z]+$", "/a/?b?"))
_TEXTS = st.sampled_from(("a", "b", "ab", "chrome"))
_TEXT_REGEXES = st.sampled_from((".*", "a|b", "[a-z]+", "ab?"))


def _text(values: SearchStrategy[str], regexes: SearchStrategy[str]) -> JsonStrategy:
    kinds = st.sampled_from(("exact", "exact", "prefix", "prefix", "regex"))
    return kinds.flatmap(lambda kind: (regexes if kind == "regex" else values).map(lambda value: {kind: value}))


def _texts(names: tuple[str, ...]) -> SearchStrategy[JsonObject]:
    return st.dictionaries(st.sampled_from(names), st.one_of(_text(_TEXTS, _TEXT_REGEXES), st.just({})), min_size=1, max_size=2)


@st.composite
def _match(draw: st.DrawFn) -> JsonObject:
    """Draw a block: usually with a path, often with one more condition."""
    block = draw(some({"uri": _text(_PATHS, _REGEXES)}, least=draw(st.sampled_from((0, 1, 1, 1))), most=1))
    methods, schemes = st.sampled_from(("GET", "POST")), st.sampled_from(("http", "https"))
    more = {
        "method": _text(methods, st.just("GET|PUT")),
        "scheme": _text(schemes, st.just("https?")),
        "authority": _text(st.sampled_from(("api.example.com", "cart")), st.just(".*")),
        "headers": _texts(("end-user", "x-canary", ":method")),
        "withoutHeaders": _texts(("end-user", "x-canary")),
        "queryParams": _texts(("debug", "q")),
        "port": ports,
        "ignoreUriCase": st.booleans(),
    }
    return block | draw(some(more, most=draw(st.sampled_from((0, 1, 1, 2)))))


@st.composite
def _rules(draw: st.DrawFn) -> list[JsonObject]:
    """Draw HTTP rules: ways to answer from the usual strategies, under blocks of the alphabet of scenes."""
    rules = draw(st.lists(http_rules(st.just(["mesh"]), delegates=False), min_size=1, max_size=5))
    for position, rule in enumerate(rules):
        rule.pop("match", None)
        if position < len(rules) - 1 or draw(st.booleans()):
            rule["match"] = draw(st.lists(_match(), min_size=1, max_size=2))
    return rules


@st.composite
def scene_rules(draw: st.DrawFn, name: str) -> JsonObject:
    """Draw a VirtualService for hosts that scenes have, bound to their gateway, to sidecars, or to both."""
    bound = draw(st.sampled_from((["default/gw"], ["mesh"], ["mesh", "default/gw"])))
    host = st.sampled_from(("cart", "pay", "api.example.com", "www.example.com", "cart.shop.svc.cluster.local"))
    wild = st.sampled_from(("*.example.com", "*.com", "*"))
    hosts = draw(few(st.one_of(host, host, wild) if "mesh" not in bound else host, least=1, unique=True))
    spec = {"hosts": hosts, "gateways": bound, "http": draw(_rules())}
    created = draw(st.sampled_from(("2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z")))
    meta = {"name": name, "namespace": draw(st.sampled_from(("default", "default", "shop"))), "creationTimestamp": created}
    return {"apiVersion": _NETWORKING, "kind": "VirtualService", "metadata": meta, "spec": spec}


@st.composite
def scenes(draw: st.DrawFn, *, most: int = 4, simple: bool = False) -> MeshState:
    """Draw a scene. Its gateway serves every host; unless it is ``simple`` there is sometimes another one, and VirtualServices of all kinds."""
    rules = [draw(scene_rules(f"rules-{number}")) for number in range(draw(st.integers(1, most)))]
    others = [] if simple else draw(st.one_of(st.just([]), st.just([]), few(st.one_of(gateways(), virtual_services()), most=1)))
    return MeshState(unique([*BASE, _gateway(), *(each for each in (*others, *rules) if is_accepted(each))]))
