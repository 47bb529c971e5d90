"""Compiled resources -> the state that a stream serves. Equal content is one object with one version, shared by all proxies."""

from __future__ import annotations

from weakref import WeakValueDictionary

from meshctl_operator.compiler.resources import CompiledProxy, CompiledResource, Resources
from meshctl_operator.xds.resources import TypeUrl, XdsResource
from meshctl_operator.xds.state import ViewState
from meshctl_operator.xds.store import ResourceStore


class StateBuilder:
    """Frames resources once. What no proxy holds any more goes away with its bytes."""

    def __init__(self) -> None:
        self._store = ResourceStore()
        self._framed: WeakValueDictionary[tuple[str, str, bytes], XdsResource] = WeakValueDictionary()

    def state(self, revision: int, compiled: CompiledProxy, before: tuple[CompiledProxy, ViewState] | None) -> ViewState:
        """Return the state of a proxy. Where nothing differs it is the earlier state itself, where a type does not differ its mapping.

        Args:
            revision: the number of a state that differs from the earlier one.
            compiled: what the proxy should hold.
            before: what it should hold until now.
        """
        resources = {}
        for type_url in TypeUrl:
            now = compiled.resources.get(type_url, {})
            if before is not None and before[0].resources.get(type_url, {}) == now:
                resources[type_url] = before[1].of(type_url)
            else:
                resources[type_url] = {name: self._resource(type_url, resource) for name, resource in now.items()}
        if before is not None and all(before[1].of(type_url) is mapping for type_url, mapping in resources.items()):
            return before[1]
        return ViewState(revision, resources, _eds_names(compiled.resources.get(TypeUrl.CLUSTER, {})))

    def _resource(self, type_url: TypeUrl, compiled: CompiledResource) -> XdsResource:
        key = (compiled.type_url, compiled.name, compiled.body)
        framed = self._framed.get(key)
        if framed is None:
            framed = self._framed[key] = self._store.intern(type_url, compiled.name, compiled.body)
        return framed


def _eds_names(clusters: Resources) -> dict[str, str]:
    return {name: cluster.eds_name for name, cluster in clusters.items() if cluster.eds_name and cluster.eds_name != name}


def differences(old: ViewState | None, new: ViewState) -> set[tuple[TypeUrl, str, str]]:
    """Return (type, name, version) of every resource that is new or changed, with an empty version for those that are gone."""
    found: set[tuple[TypeUrl, str, str]] = set()
    for type_url in TypeUrl:
        before, now = (old.of(type_url) if old is not None else {}), new.of(type_url)
        if before is now:
            continue
        found |= {(type_url, name, resource.version) for name, resource in now.items() if before.get(name) != resource}
        found |= {(type_url, name, "") for name in before if name not in now}
    return found
