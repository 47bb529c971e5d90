"""Documents of every kind, and whole meshes of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from meshctl_operator.apis.changes import Upsert
from meshctl_operator.apis.decode import decode
from meshctl_operator.apis.kinds import Kind
from meshctl_operator.base.objects import ObjectKey
from tests.support.strategies.alphabet import JsonObject, JsonStrategy
from tests.support.strategies.externals import service_entries, workload_entries
from tests.support.strategies.gateways import gateways
from tests.support.strategies.kubernetes import (
    deployments,
    endpoint_slices,
    gateway_service,
    nodes,
    pods,
    secrets,
    services,
    whole_endpoints,
)
from tests.support.strategies.policies import destination_rules
from tests.support.strategies.scopes import mesh_configs, sidecars, visibilities
from tests.support.strategies.virtual_services import virtual_services

KINDS: Mapping[Kind, JsonStrategy] = {
    Kind.SERVICE: services(),
    Kind.VIRTUAL_SERVICE: virtual_services(),
    Kind.DESTINATION_RULE: destination_rules(),
    Kind.GATEWAY: gateways(),
    Kind.SERVICE_ENTRY: service_entries(),
    Kind.WORKLOAD_ENTRY: workload_entries(),
    Kind.SIDECAR: sidecars(),
    Kind.ENDPOINT_SLICE: endpoint_slices(),
    Kind.ENDPOINTS: whole_endpoints(),
    Kind.POD: pods(),
    Kind.NODE: nodes(),
    Kind.DEPLOYMENT: deployments(),
    Kind.SECRET: secrets(),
}
"""How documents of each kind are drawn."""

_OFTEN = (Kind.SERVICE, Kind.VIRTUAL_SERVICE, Kind.VIRTUAL_SERVICE, Kind.GATEWAY, Kind.GATEWAY, Kind.SERVICE_ENTRY, Kind.SECRET)


def is_accepted(document: object) -> bool:
    """Tell whether the document is decoded to an object."""
    return isinstance(decode(document), Upsert)


def key_of(document: JsonObject) -> ObjectKey:
    """Return the key of a document that has one."""
    return ObjectKey(Kind(document["kind"]), document["metadata"].get("namespace", ""), document["metadata"]["name"])


def documents_of(*kinds: Kind) -> JsonStrategy:
    """Draw an accepted document of one of the kinds."""
    return st.sampled_from(kinds).flatmap(lambda kind: KINDS[kind].filter(is_accepted))


def any_document() -> JsonStrategy:
    """Draw an accepted document of any kind; those that make for the most interplay come up more often."""
    return documents_of(*KINDS, *_OFTEN)


@dataclass(frozen=True)
class MeshState:
    """The documents of a mesh, one for each key, and the fields of its MeshConfig. All of it is JSON."""

    documents: tuple[JsonObject, ...]
    mesh: JsonObject = field(default_factory=dict)

    def but(self, **changes: Any) -> MeshState:
        """Return the state with other documents or another MeshConfig."""
        return MeshState(**{"documents": self.documents, "mesh": self.mesh, **changes})

    def replaced(self, document: JsonObject) -> MeshState:
        """Return the state with one document instead of the one of the same key."""
        key = key_of(document)
        return self.but(documents=tuple(document if key_of(old) == key else old for old in self.documents))


def unique(documents: Sequence[JsonObject]) -> tuple[JsonObject, ...]:
    """Return the documents, of those with one key the last."""
    return tuple({key_of(document): document for document in documents}.values())


def shares_hosts(document: JsonObject, state: MeshState) -> bool:
    """Tell whether a ServiceEntry declares a host that another one of the state declares too.

    The one that loses takes its ports along, so a route table may miss a host in which the winner never had part.
    """
    if document["kind"] != Kind.SERVICE_ENTRY:
        return False
    others = (other for other in state.documents if other["kind"] == Kind.SERVICE_ENTRY and key_of(other) != key_of(document))
    return bool(set(document["spec"]["hosts"]) & {host for other in others for host in other["spec"]["hosts"]})


@st.composite
def mesh_states(draw: st.DrawFn, *, least: int = 4, most: int = 14) -> MeshState:
    """Draw a mesh that has the Service of the ingress gateway, a few services and often a Secret to begin with."""
    base: SearchStrategy[list[JsonObject]] = st.lists(documents_of(Kind.SERVICE, Kind.SERVICE, Kind.SECRET), min_size=1, max_size=4)
    rest: SearchStrategy[list[JsonObject]] = st.lists(any_document(), min_size=least, max_size=most)
    settings = draw(st.one_of(st.just({}), st.just({}), mesh_configs()))
    return MeshState(unique([gateway_service(), *draw(base), *draw(rest)]), settings)


CROWDING = (
    *(Kind.DESTINATION_RULE,) * 4,
    *(Kind.VIRTUAL_SERVICE,) * 4,
    *(Kind.SERVICE,) * 3,
    *(Kind.SERVICE_ENTRY,) * 2,
    Kind.ENDPOINT_SLICE,
    Kind.GATEWAY,
    Kind.SIDECAR,
)
"""The kinds by which what one namespace sees differs from what another one does."""


def crowding_document() -> JsonStrategy:
    """Draw an accepted document of one of those kinds."""
    return documents_of(*CROWDING)


@st.composite
def crowded_states(draw: st.DrawFn, *, least: int = 8, most: int = 20) -> MeshState:
    """Draw a mesh in which the same few hosts are declared, exported and shaped by objects of several namespaces."""
    rest: SearchStrategy[list[JsonObject]] = st.lists(crowding_document(), min_size=least, max_size=most)
    settings = draw(st.one_of(st.just({}), visibilities()))
    return MeshState(unique([gateway_service(), *draw(rest)]), settings)


PARTS = (
    ("spec",),
    ("status",),
    ("endpoints",),
    ("subsets",),
    ("stringData",),
    ("metadata", "labels"),
    ("metadata", "annotations"),
    ("metadata", "creationTimestamp"),
)


def with_part(document: JsonObject, source: JsonObject, number: int) -> JsonObject:
    """Return the document with one of its parts (``number`` modulo how many the two have) as in another document of its kind."""
    there = [part for part in PARTS if part[-1] in {**document, **source} or part[-1] in {**document["metadata"], **source["metadata"]}]
    *way, part = there[number % len(there)]
    changed = {**document, "metadata": dict(document["metadata"])}
    target, origin = (changed["metadata"], source["metadata"]) if way else (changed, source)
    if part in origin:
        target[part] = origin[part]
    else:
        target.pop(part, None)
    return changed


@st.composite
def edited(draw: st.DrawFn, document: JsonObject) -> JsonObject:
    """Draw an accepted document of the same key and age with the contents of another one of its kind."""
    source = draw(KINDS[Kind(document["kind"])].filter(is_accepted))
    meta = {**document["metadata"], **{name: value for name, value in source["metadata"].items() if name in {"labels", "annotations"}}}
    changed = {**source, "metadata": meta}
    return changed if is_accepted(changed) else document
