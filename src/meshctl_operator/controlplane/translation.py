"""What one proxy would be served, from config objects and with no server: the pipeline of the control plane, run once."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from meshctl_operator.apis.changes import Change, ChangeSet, Rejected, Upsert
from meshctl_operator.apis.kinds import Kind
from meshctl_operator.apis.mesh_config import MESH_KEY
from meshctl_operator.apis.mesh_settings import MeshSettings
from meshctl_operator.apis.meta import ConfigObject, ObjectMeta
from meshctl_operator.base.diagnostics import Diagnostic, sorted_unique
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.base.shards import EMPTY_MAP
from meshctl_operator.bootstrap.nodes import JsonValue, node_id, node_metadata
from meshctl_operator.bootstrap.static import JsonObject, KeyPair, ServedConfig, secret_names, static_bootstrap
from meshctl_operator.controlplane import proxy_descriptions, translation_codes
from meshctl_operator.controlplane.certificates import throw_away_certificate
from meshctl_operator.controlplane.nodes import read_proxy, resolve_proxy
from meshctl_operator.controlplane.proxy_descriptions import ProxyDescription
from meshctl_operator.incremental.context import Context
from meshctl_operator.incremental.engine import Engine
from meshctl_operator.model.proxies import Proxy
from meshctl_operator.model.workloads import Workload, pod_at, workload_named, workloads_of
from meshctl_operator.registry.registry import Registry
from meshctl_operator.xds.nodes import JsonValue as StructValue
from meshctl_operator.xds.nodes import Locality as NodeLocality
from meshctl_operator.xds.nodes import NodeInfo
from meshctl_operator.xds.resources import TypeUrl

if TYPE_CHECKING:
    from meshctl_operator.compiler.resources import CompiledProxy

_SOURCE: Final = "translate"


@dataclass(frozen=True, slots=True)
class Translation:
    """What a proxy would be served. ``metadata`` is what the description added to the node; ``rejected`` says that objects were left out."""

    proxy: Proxy
    metadata: Mapping[str, JsonValue]
    compiled: CompiledProxy
    served: ServedConfig
    diagnostics: tuple[Diagnostic, ...]
    rejected: bool

    @property
    def secrets(self) -> tuple[str, ...]:
        """The SDS names that listeners and clusters ask for."""
        return secret_names(self.served)

    def to_json(self) -> dict[str, object]:
        """Return the public form of ``translate -o json``. It has the names of secrets and nothing of what is in them."""
        return {
            "proxy": proxy_descriptions.to_json(self.proxy, self.metadata),
            "clusters": list(self.served.clusters),
            "endpoints": list(self.served.endpoints),
            "listeners": list(self.served.listeners),
            "routes": list(self.served.routes),
            "secrets": list(self.secrets),
            "diagnostics": [finding.to_json() for finding in self.diagnostics],
        }


def translate(changes: Iterable[Change], description: ProxyDescription, mesh: MeshSettings | None = None) -> Translation:
    """Compile what the described proxy would be served.

    Args:
        changes: the decoded objects; rejected ones are left out, their findings are kept.
        description: the proxy; what it does not say is taken from the Pod, WorkloadEntry or Deployment of its name.
        mesh: the settings of the mesh, Istio's defaults if absent.
    """
    from meshctl_operator.compiler.compiler import compile_proxy
    from meshctl_operator.compiler.findings import mesh_findings

    given = tuple(changes)
    settings = replace(mesh or MeshSettings(), assumes_secrets=True)  # files seldom hold the Secrets of a cluster
    engine = _engine(given, settings)
    proxy, findings = identify(engine, description, settings.domain)
    compiled = engine.evaluate(compile_proxy, proxy)
    findings += engine.evaluate(mesh_findings)
    findings += [finding for change in given if isinstance(change, Upsert | Rejected) for finding in change.diagnostics]
    return Translation(
        proxy=proxy,
        metadata=description.metadata,
        compiled=compiled,
        served=_served(compiled),
        diagnostics=sorted_unique((*findings, *compiled.diagnostics)),
        rejected=any(isinstance(change, Rejected) for change in given),
    )


def stand_alone(translation: Translation) -> tuple[JsonObject, tuple[Diagnostic, ...]]:
    """Return a static bootstrap that Envoy runs as it is, and a finding for each secret that a throw-away certificate stands in for."""
    pairs: dict[str, KeyPair] = {}

    def key_pair(name: str) -> KeyPair:
        if name not in pairs:
            pairs[name] = throw_away_certificate(["localhost", "127.0.0.1"])
        return pairs[name]

    bootstrap = static_bootstrap(translation.proxy, translation.served, key_pair, metadata=translation.metadata)
    message = "is replaced by a throw-away self-signed certificate: a static bootstrap cannot fetch it"
    findings = [
        translation_codes.THROW_AWAY_CERTIFICATE.warning(_secret_key(name, translation.proxy.namespace), "", message)
        for name in sorted(pairs)
    ]
    return bootstrap, tuple(findings)


def known_proxy(
    changes: Iterable[Change], description: ProxyDescription, mesh: MeshSettings | None = None
) -> tuple[Proxy, tuple[Diagnostic, ...]]:
    """Return the described proxy as ``translate`` would know it, with what had to be assumed. Nothing is compiled."""
    settings = mesh or MeshSettings()
    proxy, findings = identify(_engine(tuple(changes), settings), description, settings.domain)
    return proxy, tuple(findings)


def identify(engine: Engine, description: ProxyDescription, domain: str = "cluster.local") -> tuple[Proxy, list[Diagnostic]]:
    """Return the described proxy as the control plane would know it once connected; a finding where a named workload is not there."""
    described = description.as_proxy(domain)
    found = engine.evaluate(_workload, described.namespace, described.name, described.ips[0] if description.ips else "")
    completed = described if found is None else _completed(described, description, found)
    where = completed.locality
    node = NodeInfo(
        id=node_id(completed),
        metadata={key: _as_struct(value) for key, value in node_metadata(completed, description.metadata).items()},
        locality=NodeLocality(where.region, where.zone, where.sub_zone),
    )
    proxy = engine.evaluate(resolve_proxy, read_proxy(node))
    if found is not None or not description.must_exist:
        return proxy, []
    key = ObjectKey(Kind.POD, proxy.namespace, proxy.name)
    names = engine.evaluate(_workload_names, proxy.namespace)
    near = difflib.get_close_matches(proxy.name, names, n=1)
    hint = f'did you mean "{near[0]}"?' if near else f"there are {', '.join(names[:8])}" if names else f"there is none in {proxy.namespace}"
    message = f'no Pod, WorkloadEntry or Deployment "{proxy.name}" in namespace "{proxy.namespace}"; the proxy is taken to have no labels'
    return proxy, [translation_codes.UNKNOWN_WORKLOAD.warning(key, "", message, hint=hint)]


def _as_struct(value: JsonValue) -> StructValue:
    """Return the value as it arrives in a ``google.protobuf.Struct``, which has doubles alone."""
    match value:
        case bool():
            return value
        case int():
            return float(value)
        case list():
            return [_as_struct(item) for item in value]
        case dict():
            return {key: _as_struct(item) for key, item in value.items()}
        case _:
            return value


def _engine(changes: tuple[Change, ...], settings: MeshSettings) -> Engine:
    mesh = ConfigObject[MeshSettings].model_construct(key=MESH_KEY, api_version="", meta=ObjectMeta(name=MESH_KEY.name), spec=settings)
    registry = Registry(domain=settings.domain)
    applied = registry.apply(ChangeSet((Upsert(mesh), *changes), _SOURCE))
    return Engine(applied.snapshot)


def _workload(ctx: Context, namespace: str, name: str, address: str) -> Workload | None:
    """Return the workload of the name, else the pod that has the address."""
    named = ctx.derive(workload_named, namespace, name)
    return named if named is not None or not address else ctx.derive(pod_at, namespace, address)


def _workload_names(ctx: Context, namespace: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(workload.key.name for workload in ctx.derive(workloads_of, namespace)))


def _completed(proxy: Proxy, description: ProxyDescription, workload: Workload) -> Proxy:
    """Return the proxy with what its description leaves open taken from the workload."""
    return replace(
        proxy,
        ips=proxy.ips if description.ips or not workload.has_ip else workload.ips,
        labels=proxy.labels if description.labels is not None else workload.labels,
        service_account=proxy.service_account if description.service_account is not None else workload.service_account,
        locality=proxy.locality if description.locality is not None else workload.locality,
        node_name=proxy.node_name or workload.node_name,
        network=proxy.network or workload.network,
    )


def _served(compiled: CompiledProxy) -> ServedConfig:
    """Return the compiled messages in protobuf JSON, each type in the order of the names. Secrets are not among them."""
    from meshctl_operator.compiler.emit.rendering import as_json
    from meshctl_operator.compiler.emit.resources import CLUSTER_TYPE, ENDPOINT_TYPE, LISTENER_TYPE, ROUTE_TYPE

    def messages(type_url: TypeUrl) -> tuple[JsonObject, ...]:
        return tuple(as_json(resource) for _, resource in compiled.resources.get(type_url, EMPTY_MAP).items())

    return ServedConfig(messages(CLUSTER_TYPE), messages(ENDPOINT_TYPE), messages(LISTENER_TYPE), messages(ROUTE_TYPE))


def _secret_key(sds_name: str, namespace: str) -> ObjectKey:
    """Return the Secret behind an SDS name ``kubernetes://[namespace/]name[-cacert]``."""
    name = sds_name.removeprefix("kubernetes://")
    own, slash, rest = name.partition("/")
    return ObjectKey(Kind.SECRET, own if slash else namespace, rest if slash else name)
