"""A mesh whose proxies are compiled step by step, for tests that compare one way to a state with another."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from meshctl_operator.apis.changes import Change, ChangeSet, Upsert
from meshctl_operator.apis.decode import Skipped, decode
from meshctl_operator.apis.mesh_config import MESH_KEY
from meshctl_operator.apis.mesh_decode import decode_mesh_config
from meshctl_operator.apis.mesh_settings import MeshSettings
from meshctl_operator.apis.meta import ConfigObject, ObjectMeta
from meshctl_operator.base.diagnostics import Diagnostic
from meshctl_operator.compiler.compiler import compile_proxy
from meshctl_operator.compiler.findings import mesh_findings
from meshctl_operator.compiler.resources import CompiledProxy, CompiledResource
from meshctl_operator.compiler.steps import compile_steps
from meshctl_operator.controlplane.nodes import DeclaredProxy, resolve_proxy
from meshctl_operator.incremental.engine import Engine, Mode
from meshctl_operator.model.proxies import Locality, Proxy, ProxyRole
from meshctl_operator.registry.registry import Registry
from tests.support.strategies.meshes import MeshState

SIDECAR = Proxy(
    ProxyRole.SIDECAR,
    "cart-1",
    "default",
    ips=("10.1.0.1",),
    labels=(("app", "cart"), ("version", "v1")),
    dns_domain="default.svc.cluster.local",
    locality=Locality("region1", "zone1"),
    node_name="node-1",
)
ROUTER = Proxy(
    ProxyRole.ROUTER,
    "istio-ingressgateway",
    "istio-system",
    ips=("10.1.1.1",),
    labels=(("istio", "ingressgateway"),),
    dns_domain="istio-system.svc.cluster.local",
)
PROXIES = (SIDECAR, ROUTER)
"""One proxy of each role."""
TWIN = replace(SIDECAR, name="cart-2", ips=("10.1.0.2",), locality=Locality("region1", "zone2"), node_name="node-2")
NEIGHBOUR = replace(
    SIDECAR, name="pay-1", namespace="shop", labels=(("app", "pay"), ("version", "v2")), dns_domain="shop.svc.cluster.local"
)
OUTSIDER = replace(NEIGHBOUR, name="pay-9", namespace="elsewhere", dns_domain="elsewhere.svc.cluster.local")
ROOTED = replace(SIDECAR, name="root-1", namespace="istio-system", dns_domain="istio-system.svc.cluster.local")
EDGE = replace(ROUTER, name="gw-1", namespace="elsewhere", dns_domain="elsewhere.svc.cluster.local")
FLEET = (*PROXIES, TWIN, NEIGHBOUR, OUTSIDER, ROOTED, EDGE)
"""Proxies at home in every namespace that objects may be in, and in one where there is never any."""


class World:
    """A registry and an engine over it, as the control plane has them."""

    def __init__(self, *, mode: Mode = "incremental") -> None:
        self._registry = Registry()
        self.engine = Engine(self._registry.snapshot, mode=mode)
        self.apply(settings_change({}))

    def apply(self, *changes: Change) -> None:
        """Apply the changes as one set."""
        applied = self._registry.apply(ChangeSet(changes, "test"))
        self.engine.advance(applied.snapshot, applied.touched)

    def compile(self, proxy: Proxy) -> CompiledProxy:
        """Return what the proxy should hold now."""
        return self.engine.evaluate(compile_proxy, proxy)

    def resolved(self, proxy: Proxy) -> Proxy:
        """Return the proxy as the control plane knows it: with what its workload says."""
        return self.engine.evaluate(resolve_proxy, DeclaredProxy(proxy))

    def prepare(self, proxy: Proxy, most: int) -> None:
        """Do some of the steps of compiling for the proxy ahead."""
        for _ in islice(compile_steps(self.engine, proxy), most):
            pass

    def findings(self) -> tuple[Diagnostic, ...]:
        """Return what is wrong in the mesh, whether a proxy sees it or not."""
        return self.engine.evaluate(mesh_findings)


def change_of(document: Any, *, validate: bool = True) -> Change | None:
    """Return what a source would submit for a document; None if it is not ours."""
    decoded = decode(document, validate=validate)
    return None if isinstance(decoded, Skipped) else decoded


def settings_change(mesh: object) -> Upsert:
    """Return the change that sets the fields of the MeshConfig; what cannot be read has its default."""
    decoded = decode_mesh_config(mesh, validate=False)
    assert isinstance(decoded, Upsert)
    settings = MeshSettings(decoded.object.spec)
    return Upsert(ConfigObject[Any](key=MESH_KEY, api_version="v1", meta=ObjectMeta(name=MESH_KEY.name), spec=settings))


def changes_of(documents: Iterable[Any], *, validate: bool = True) -> list[Change]:
    """Return the changes of documents that are ours."""
    return [change for document in documents if (change := change_of(document, validate=validate)) is not None]


def world_of(state: MeshState, *, mode: Mode = "incremental", validate: bool = True) -> World:
    """Return a world that was told the state at once."""
    world = World(mode=mode)
    world.apply(settings_change(state.mesh), *changes_of(state.documents, validate=validate))
    return world


def compiled(state: MeshState, proxy: Proxy, *, validate: bool = True) -> CompiledProxy:
    """Return what a proxy holds in a state, compiled cold."""
    return world_of(state, validate=validate).compile(proxy)


def resources_of(compiled_proxy: CompiledProxy) -> dict[tuple[str, str], CompiledResource]:
    """Return the resources of a proxy by type and name."""
    return {(type_url, name): item for type_url, items in compiled_proxy.resources.items() for name, item in items.items()}


def contents(compiled_proxy: CompiledProxy) -> dict[tuple[str, str], object]:
    """Return all that a proxy holds in values that compare by content: bytes, provenance, EDS names and findings."""
    found: dict[tuple[str, str], object] = {
        place: (resource.body, resource.version, resource.provenance, resource.eds_name)
        for place, resource in resources_of(compiled_proxy).items()
    }
    return {**found, ("", "diagnostics"): compiled_proxy.diagnostics}


def fingerprint(state: MeshState) -> str:
    """Return a digest of all that the proxies hold in a state."""
    digest = hashlib.sha256()
    world = world_of(state)
    for proxy in FLEET:
        digest.update(repr(contents(world.compile(proxy))).encode())
    digest.update(repr(world.findings()).encode())
    return digest.hexdigest()


def main() -> None:
    """Print the fingerprints of the states in a file of JSON, as JSON."""
    states = json.loads(Path(sys.argv[1]).read_text())
    sys.stdout.write(json.dumps([fingerprint(MeshState(tuple(state["documents"]), state["mesh"])) for state in states]))


if __name__ == "__main__":
    main()
