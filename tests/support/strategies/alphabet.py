"""The few names that generated objects share, and the building blocks of the other strategies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

JsonObject = dict[str, Any]
JsonStrategy = SearchStrategy[JsonObject]

NAMESPACES = ("default", "shop", "istio-system")
SERVICE_NAMES = ("cart", "pay")
EXTERNAL_HOSTS = ("api.example.com", "www.example.com", "*.example.com", "db.example.org")
SUBSETS = ("v1", "v2")
PORTS = (80, 443, 9000, 9080)
PATHS = ("/", "/a", "/a/b", "/b")
ADDRESSES = ("10.96.0.1", "10.96.0.2", "10.96.0.3")
POD_ADDRESSES = ("10.1.0.1", "10.1.0.2", "10.1.0.3")
CREDENTIALS = ("bk", "other")
CREATED = ("2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z")

namespaces = st.sampled_from(NAMESPACES)
service_hosts = st.sampled_from([f"{name}.{namespace}.svc.cluster.local" for name in SERVICE_NAMES for namespace in NAMESPACES[:2]])
known_hosts = st.one_of(st.sampled_from(SERVICE_NAMES), service_hosts, st.sampled_from([h for h in EXTERNAL_HOSTS if h[0] != "*"]))
"""Hosts of destinations: short names, full names and hosts of ServiceEntries."""

ports = st.sampled_from(PORTS)
short_durations = st.sampled_from(("1s", "250ms", "1h2m"))
percents = st.sampled_from((0, 0.5, 50, 100))
flags = st.booleans()
app_labels = st.sampled_from(({"app": "cart"}, {"app": "pay"}, {"app": "cart", "version": "v1"}, {"version": "v2"}))
export_to = st.sampled_from((["*"], ["."], ["shop"], ["default", "istio-system"]))


@st.composite
def some(draw: st.DrawFn, fields: Mapping[str, SearchStrategy[Any]], *, least: int = 0, most: int = 3) -> JsonObject:
    """Draw a mapping with a few of the fields, in any order."""
    names = draw(st.lists(st.sampled_from(sorted(fields)), unique=True, min_size=least, max_size=most))
    return {name: draw(fields[name]) for name in names}


def few(values: SearchStrategy[Any], *, least: int = 0, most: int = 2, unique: bool = False) -> SearchStrategy[list[Any]]:
    """Draw a short list."""
    return st.lists(values, min_size=least, max_size=most, unique=unique)


@st.composite
def documents(
    draw: st.DrawFn,
    api_version: str,
    kind: str,
    names: SearchStrategy[str],
    body: JsonStrategy,
    metadata: JsonStrategy | None = None,
) -> JsonObject:
    """Draw a document of one kind; ``body`` gives what stands beside metadata, such as ``spec``; ``metadata`` may override the namespace."""
    meta = {"name": draw(names), "namespace": draw(namespaces), **draw(st.just({}) if metadata is None else metadata)}
    created = draw(st.sampled_from((None, *CREATED)))
    if created is not None:
        meta["creationTimestamp"] = created
    return {"apiVersion": api_version, "kind": kind, "metadata": meta, **draw(body)}


def routing(kind: str, names: SearchStrategy[str], spec: JsonStrategy) -> JsonStrategy:
    """Draw a document of one of the routing kinds."""
    return documents("networking.istio.io/v1", kind, names, st.fixed_dictionaries({"spec": spec}))
