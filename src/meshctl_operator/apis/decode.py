"""From a raw document to a typed object: the only door through which config objects come in.

``decode`` never raises, whatever the document holds. All that is wrong with an object is reported in one pass.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC
from typing import Any, Final

from pydantic import BaseModel

from meshctl_operator.apis import codes, kinds
from meshctl_operator.apis.changes import Rejected, Upsert
from meshctl_operator.apis.core.config_map import ConfigMapSpec
from meshctl_operator.apis.core.deployment import DeploymentSpec
from meshctl_operator.apis.core.endpoint_slice import EndpointSliceSpec
from meshctl_operator.apis.core.endpoints import EndpointsSpec
from meshctl_operator.apis.core.namespace import NamespaceSpec
from meshctl_operator.apis.core.node import NodeSpec
from meshctl_operator.apis.core.pod import PodSpec
from meshctl_operator.apis.core.secret import SecretSpec
from meshctl_operator.apis.core.service import ServiceSpec
from meshctl_operator.apis.core.views import KubernetesView
from meshctl_operator.apis.kinds import Kind, KindInfo
from meshctl_operator.apis.meta import ConfigObject, ObjectMeta, ObjectStatus, StrictModel
from meshctl_operator.apis.networking.destination_rule import DestinationRuleSpec
from meshctl_operator.apis.networking.gateway import GatewaySpec
from meshctl_operator.apis.networking.service_entry import ServiceEntrySpec
from meshctl_operator.apis.networking.sidecar import SidecarSpec
from meshctl_operator.apis.networking.virtual_service import VirtualServiceSpec
from meshctl_operator.apis.networking.workload_entry import WorkloadEntrySpec
from meshctl_operator.apis.networking.workload_group import WorkloadGroupSpec
from meshctl_operator.apis.paths import child
from meshctl_operator.apis.schema import Node, node_of
from meshctl_operator.apis.security.policies import AuthorizationPolicySpec, PeerAuthenticationSpec, RequestAuthenticationSpec
from meshctl_operator.apis.structure import StructureReport, did_you_mean, marked, read, seen
from meshctl_operator.apis.validation.envelope import check_metadata
from meshctl_operator.apis.validation.findings import Findings
from meshctl_operator.apis.validation.rules import check
from meshctl_operator.base.diagnostics import Diagnostic, Severity, has_errors
from meshctl_operator.base.objects import ObjectKey


@dataclass(frozen=True, slots=True)
class Skipped:
    """A document of a kind that we do not read. ``diagnostics`` is empty unless the kind is one that istiod would act on."""

    api_version: str
    kind: str
    key: ObjectKey
    diagnostics: tuple[Diagnostic, ...] = ()


Decoded = Upsert | Rejected | Skipped

ROUTING_SPECS: Final[Mapping[Kind, type[StrictModel]]] = {
    Kind.GATEWAY: GatewaySpec,
    Kind.VIRTUAL_SERVICE: VirtualServiceSpec,
    Kind.DESTINATION_RULE: DestinationRuleSpec,
    Kind.SERVICE_ENTRY: ServiceEntrySpec,
    Kind.WORKLOAD_ENTRY: WorkloadEntrySpec,
    Kind.WORKLOAD_GROUP: WorkloadGroupSpec,
    Kind.SIDECAR: SidecarSpec,
}
"""The model of ``spec`` of each routing kind."""

VIEWS: Final[Mapping[Kind, type[KubernetesView]]] = {
    Kind.SERVICE: ServiceSpec,
    Kind.ENDPOINT_SLICE: EndpointSliceSpec,
    Kind.ENDPOINTS: EndpointsSpec,
    Kind.POD: PodSpec,
    Kind.NODE: NodeSpec,
    Kind.NAMESPACE: NamespaceSpec,
    Kind.SECRET: SecretSpec,
    Kind.CONFIG_MAP: ConfigMapSpec,
    Kind.DEPLOYMENT: DeploymentSpec,
    Kind.AUTHORIZATION_POLICY: AuthorizationPolicySpec,
    Kind.PEER_AUTHENTICATION: PeerAuthenticationSpec,
    Kind.REQUEST_AUTHENTICATION: RequestAuthenticationSpec,
}
"""The view of each Kubernetes kind."""

_ENVELOPE: Final = ("apiVersion", "kind", "metadata", "spec", "status")
_TYPO: Final = 0.85  # how alike a group must be to ours to be taken for a slip of the pen rather than for somebody else's
_STATUS_IS_INPUT: Final = frozenset({Kind.SERVICE_ENTRY, Kind.WORKLOAD_ENTRY})


def decode(raw: object, *, default_namespace: str = "default", validate: bool = True) -> Decoded:
    """Turn a document into an object, the reasons why it cannot be one, or the remark that it is not ours.

    With ``validate=False`` the object is kept as far as it can be read: what does not fit is left out, and every finding is a warning.
    """
    if not isinstance(raw, Mapping):
        key = ObjectKey("", "", "")
        return Rejected(key, (codes.NOT_AN_OBJECT.error(key, "", f"the document is {seen(raw)}, not a mapping"),))
    api_version, kind = raw.get("apiVersion"), raw.get("kind")
    key = _rough_key(raw, default_namespace)
    if not isinstance(api_version, str) or not isinstance(kind, str) or not api_version or not kind:
        missing = "apiVersion" if not isinstance(api_version, str) or not api_version else "kind"
        message = f"{seen(raw[missing])} is no {missing}" if missing in raw else "is missing"
        hint = "every document says its apiVersion, kind and metadata"
        return Rejected(key, (codes.NOT_AN_OBJECT.error(key, missing, message, hint=hint),))
    info = kinds.find(api_version, kind)
    if info is None:
        return _foreign(api_version, kind, key)
    if info.is_routing:
        return _routing(raw, info, key, api_version, validate=validate)
    return _view(raw, info, key, api_version, validate=validate)


def _rough_key(raw: Mapping[Any, Any], default_namespace: str) -> ObjectKey:
    """Return the best key that an unchecked document allows, to report findings under."""
    metadata = raw.get("metadata")
    metadata = metadata if isinstance(metadata, Mapping) else {}
    kind, name, namespace = raw.get("kind"), metadata.get("name"), metadata.get("namespace")
    kind = kind if isinstance(kind, str) else ""
    known = kinds.KINDS.get(Kind(kind)) if kind in Kind._value2member_map_ else None
    inside = namespace if isinstance(namespace, str) and namespace else default_namespace
    return ObjectKey(kind, inside if known is None or known.namespaced else "", name if isinstance(name, str) else "")


def _foreign(api_version: str, kind: str, key: ObjectKey) -> Decoded:
    if kinds.is_refused(api_version, kind):
        message = f"{kind} is not supported: nothing of it would take effect, so the object is refused"
        return Rejected(key, (codes.REFUSED_KIND.error(key, "kind", message),))
    if kinds.is_not_enforced(api_version, kind):
        message = f"{kind} is not enforced: traffic flows as if this object did not exist"
        return Skipped(api_version, kind, key, (codes.NOT_ENFORCED.warning(key, "", message),))
    group, _, version = api_version.rpartition("/")
    names = [info.kind.value for info in kinds.KINDS.values() if info.is_routing]
    if group != kinds.NETWORKING_GROUP:
        if kind in names and (not group or difflib.get_close_matches(group, [kinds.NETWORKING_GROUP], n=1, cutoff=_TYPO)):
            message, hint = f'"{api_version}" has no {kind}', f"use {kinds.NETWORKING_GROUP}/{kinds.NETWORKING_VERSIONS[0]}"
            return Rejected(key, (codes.UNKNOWN_KIND.error(key, "apiVersion", message, hint=hint),))
        return Skipped(api_version, kind, key)
    if kind in names:
        message, hint = f'"{version}" is no version of {group}', f"use {', '.join(kinds.NETWORKING_VERSIONS)}"
        return Rejected(key, (codes.UNKNOWN_KIND.error(key, "apiVersion", message, hint=hint),))
    hint = did_you_mean(kind, names) or f"it has {', '.join(names)}"
    return Rejected(key, (codes.UNKNOWN_KIND.error(key, "kind", f'"{kind}" is no kind of {group}', hint=hint),))


def _meta(raw: Mapping[Any, Any], key: ObjectKey, diagnostics: list[Diagnostic]) -> ObjectMeta:
    document = raw.get("metadata")
    report = StructureReport(key, "metadata", code=codes.BAD_METADATA)
    meta = read(ObjectMeta, {} if document is None else document, report)
    diagnostics += report.diagnostics
    created = meta.creation_timestamp
    update: dict[str, object] = {}
    if meta.namespace != key.namespace:
        update["namespace"] = key.namespace
    if created is not None and created.tzinfo is None:
        update["creation_timestamp"] = created.replace(tzinfo=UTC)  # YAML times without a zone are UTC
    return meta.model_copy(update=update) if update else meta


def _routing(raw: Mapping[Any, Any], info: KindInfo, key: ObjectKey, api_version: str, *, validate: bool) -> Decoded:
    diagnostics: list[Diagnostic] = []
    meta = _meta(raw, key, diagnostics)
    for extra in raw:
        if extra not in _ENVELOPE:
            hint = did_you_mean(str(extra), _ENVELOPE) or "everything else belongs under spec"
            message = f"is not a field of {info.kind}"
            diagnostics.append(codes.UNKNOWN_FIELD.error(key, child("", str(extra)), message, hint=hint))
    findings = Findings(key)
    check_metadata(info.kind, meta, findings)
    model = ROUTING_SPECS[info.kind]
    report = StructureReport(key, "spec")
    document = raw.get("spec")
    spec = read(model, {} if document is None else document, report)
    status = None
    if info.kind in _STATUS_IS_INPUT and isinstance(raw.get("status"), Mapping):
        status = read(ObjectStatus, raw["status"], StructureReport(key, "status"))
    obj: ConfigObject[Any] = ConfigObject.model_construct(key=key, api_version=api_version, meta=meta, spec=spec, status=status)
    check(obj, findings)
    diagnostics += report.diagnostics
    diagnostics += [finding for finding in findings.items if not report.explains(finding.path)]
    diagnostics += _not_compiled(key, document, node_of(model))
    return _result(obj, diagnostics, validate=validate)


def _not_compiled(key: ObjectKey, document: object, node: Node) -> list[Diagnostic]:
    found = []
    for path, value, marker in marked(document, node, "spec"):
        shown = f"{str(value).lower() if isinstance(value, bool) else value} is" if marker.values else "is"
        found.append(codes.NOT_COMPILED.warning(key, path, f"{shown} not compiled yet: {marker.note}"))
    return found


def _view(raw: Mapping[Any, Any], info: KindInfo, key: ObjectKey, api_version: str, *, validate: bool) -> Decoded:
    diagnostics: list[Diagnostic] = []
    meta = _meta(raw, key, diagnostics)
    if info.kind is Kind.SECRET:
        meta = meta.model_copy(update={"annotations": {}})  # kubectl apply keeps a copy of the whole object in one of them
    view = VIEWS[info.kind]
    document: object = raw
    base = ""
    if not view.whole_object:
        spec = raw.get("spec")
        document = spec if spec is not None else {}
        if isinstance(document, Mapping):
            document = {**document, "status": raw.get("status")}
        base = "spec"
    report = StructureReport(key, base, code=codes.BAD_KUBERNETES_OBJECT, show_values=info.kind is not Kind.SECRET)
    read_view: BaseModel = read(view, document, report)
    diagnostics += report.diagnostics
    obj: ConfigObject[Any] = ConfigObject.model_construct(key=key, api_version=api_version, meta=meta, spec=read_view, status=None)
    if info.group == kinds.SECURITY_GROUP:
        message = f"{info.kind} is not enforced yet: traffic to the workloads that it would protect is refused"
        hint = "unsupportedPolicies: ignore in the mesh config lets it pass"
        diagnostics.append(codes.POLICY_NOT_ENFORCED.warning(key, "", message, hint=hint))
    return _result(obj, diagnostics, validate=validate)


def _result(obj: ConfigObject[Any], diagnostics: list[Diagnostic], *, validate: bool) -> Decoded:
    if not obj.key.name:
        hint = "generateName is for the API server alone" if not diagnostics else None
        missing = codes.BAD_METADATA.error(obj.key, "metadata.name", "is required", hint=hint)
        return Rejected(obj.key, (missing, *(d for d in diagnostics if d.path != "metadata.name")))
    if not validate:
        return Upsert(obj, tuple(replace(d, severity=Severity.WARNING) if d.severity is Severity.ERROR else d for d in diagnostics))
    if has_errors(diagnostics):
        return Rejected(obj.key, tuple(diagnostics))
    return Upsert(obj, tuple(diagnostics))
