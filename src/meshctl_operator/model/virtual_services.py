"""VirtualServices with complete names and merged delegates, in order of precedence (Istio ``VirtualService``)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from meshctl_operator.apis.kinds import Kind
from meshctl_operator.apis.meta import ConfigObject
from meshctl_operator.apis.networking.virtual_service import HttpRoute, VirtualServiceSpec
from meshctl_operator.apis.paths import child
from meshctl_operator.base.diagnostics import Diagnostic
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.base.shards import SHARDS, shard_of
from meshctl_operator.incremental.context import Context, firewall
from meshctl_operator.model import route_codes as codes
from meshctl_operator.model.delegates import inherited_fields, merged_blocks, merged_rule
from meshctl_operator.model.mesh import cluster_domain, mesh_config
from meshctl_operator.model.route_names import with_full_names
from meshctl_operator.model.scopes import EVERYTHING, scope
from meshctl_operator.model.vantage import insiders
from meshctl_operator.model.views import OutboundView
from meshctl_operator.registry.cells import Cell, Table, object_cell

MESH: Final = "mesh"
EVERYWHERE: Final = "*"
OWN_NAMESPACE: Final = "."


@dataclass(frozen=True, slots=True)
class Place:
    """Where something was written: the object and the path in it, for findings."""

    subject: ObjectKey
    path: str

    def at(self, suffix: str) -> Place:
        """Return the place of a field inside this one: ``.timeout``, ``[1]``."""
        return Place(self.subject, self.path + suffix)

    def key(self, name: str) -> Place:
        """Return the place of an entry of a map."""
        return Place(self.subject, child(self.path, name))


@dataclass(frozen=True, slots=True)
class HttpRule:
    """One HTTP rule with where it, each of its match blocks, and what it inherited from a delegating rule were written."""

    rule: HttpRoute
    place: Place
    blocks: tuple[Place, ...] = ()
    inherited: frozenset[str] = frozenset()
    root: Place | None = None

    def place_of(self, field: str, shown: str) -> Place:
        """Return the place of a field (its Python name, and the name shown to users)."""
        base = self.root if self.root is not None and field in self.inherited else self.place
        return base.at(f".{shown}")


@dataclass(frozen=True, slots=True)
class ResolvedVirtualService:
    """A VirtualService ready for use.

    Names are complete, ``export_to`` has the mesh default filled in, ``rules`` (as well as ``spec.http``) hold the HTTP rules with delegates
    merged. ``sources`` are the objects that it was put together from, ``diagnostics`` what was left out on the way.
    """

    key: ObjectKey
    namespace: str
    name: str
    hosts: tuple[str, ...]
    gateways: tuple[str, ...]
    export_to: tuple[str, ...]
    spec: VirtualServiceSpec
    created: float
    rules: tuple[HttpRule, ...] = ()
    sources: tuple[ObjectKey, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()

    def exported_to(self, namespace: str) -> bool:
        """Tell whether proxies (and VirtualServices that delegate here) of the namespace see it."""
        return EVERYWHERE in self.export_to or namespace in self.export_to


@dataclass(frozen=True, slots=True)
class VirtualServiceHead:
    """What decides where a VirtualService applies, without what it does there: an edit of routes leaves it as it is.

    ``has_http`` says that it has HTTP rules, ``has_l4`` that it has TCP or TLS rules.
    """

    key: ObjectKey
    namespace: str
    name: str
    hosts: tuple[str, ...]
    export_to: tuple[str, ...]
    has_l4: bool
    has_http: bool


def resolved(ctx: Context, key: ObjectKey) -> ResolvedVirtualService | None:
    """Return the VirtualService with complete names and merged delegates, or None when there is none of that key."""
    found = ctx.fetch(Cell(Table.OBJECT, key))
    if not found:
        return None
    obj: ConfigObject[VirtualServiceSpec] = found[0]
    spec = with_full_names(obj.spec, key.namespace, cluster_domain(ctx))
    rules: list[HttpRule] = []
    sources: dict[ObjectKey, None] = {key: None}
    diagnostics: list[Diagnostic] = []
    for index, rule in enumerate(spec.http):
        place = Place(key, f"spec.http[{index}]")
        own = HttpRule(rule, place, tuple(place.at(f".match[{i}]") for i in range(len(rule.match))))
        if rule.delegate is None:
            rules.append(own)
        elif not spec.hosts:
            diagnostics.append(
                codes.DELEGATE_TOO_DEEP.error(key, f"{place.path}.delegate", "is set in a VirtualService that is a delegate itself")
            )
        else:
            rules += _delegated(ctx, own, sources, diagnostics)
    return ResolvedVirtualService(
        key=key,
        namespace=key.namespace,
        name=key.name,
        hosts=spec.hosts,
        gateways=spec.gateways,
        export_to=_export_to(ctx, spec, key.namespace),
        spec=spec.model_copy(update={"http": tuple(item.rule for item in rules)}),
        created=obj.meta.creation_timestamp.timestamp() if obj.meta.creation_timestamp else 0.0,
        rules=tuple(rules),
        sources=tuple(sources),
        diagnostics=tuple(diagnostics),
    )


@firewall
def head(ctx: Context, key: ObjectKey) -> VirtualServiceHead | None:
    """Return the head of a VirtualService, or None when there is none of that key (tracked)."""
    item = ctx.derive(resolved, key)
    if item is None:
        return None
    has_l4, has_http = bool(item.spec.tcp or item.spec.tls), bool(item.spec.http)
    return VirtualServiceHead(key, item.namespace, item.name, item.hosts, item.export_to, has_l4, has_http)


def virtual_services(ctx: Context, namespace: str, gateway: str) -> tuple[VirtualServiceHead, ...]:
    """Return the VirtualServices bound to a gateway (``mesh`` or ``namespace/name``) that proxies of a namespace see, by precedence.

    Those of the namespace itself that are not public come first, then those that others export to it, then public ones; each group the
    oldest first. A private VirtualService so beats an older public one.
    """
    own: list[VirtualServiceHead] = []
    given: list[VirtualServiceHead] = []
    public: list[VirtualServiceHead] = []
    for key in ctx.fetch(Cell(Table.VIRTUAL_SERVICES, gateway)):
        item = ctx.derive(head, key)
        if item is None:
            continue
        if EVERYWHERE in item.export_to:
            public.append(item)
        elif namespace in item.export_to:
            (own if item.namespace == namespace else given).append(item)
    return (*own, *given, *public)


def scoped_virtual_services(ctx: Context, view: OutboundView) -> tuple[VirtualServiceHead, ...]:
    """Return the VirtualServices of the mesh that apply to a sidecar: visible, and imported by its egress hosts; by precedence."""
    visible = ctx.derive(virtual_services, view.namespace, MESH)
    hosts = ctx.derive(scope, view).hosts
    if hosts == EVERYTHING:
        return visible
    return tuple(item for item in visible if any(listener.imports_virtual_service(item.namespace, item.hosts) for listener in hosts))


def scoped_shard(ctx: Context, view: OutboundView, number: int) -> tuple[VirtualServiceHead, ...]:
    """Return those of ``scoped_virtual_services`` whose first host is in a shard, in the same order (tracked)."""
    return ctx.derive(_scoped_shards, view)[number]


def _scoped_shards(ctx: Context, view: OutboundView) -> tuple[tuple[VirtualServiceHead, ...], ...]:
    shards: list[list[VirtualServiceHead]] = [[] for _ in range(SHARDS)]
    for item in ctx.derive(scoped_virtual_services, view):
        shards[shard_of(item.hosts[0] if item.hosts else item.name)].append(item)
    return tuple(map(tuple, shards))


@dataclass(frozen=True, slots=True)
class Reach:
    """Which clients the HTTP rules of a VirtualService tell apart: by namespace, and by the values of labels."""

    namespaces: frozenset[str]
    labels: frozenset[str]


@firewall
def route_reach(ctx: Context, key: ObjectKey) -> Reach:
    """Return for whom the routes may come out otherwise than for all others: by their conditions or their destinations (tracked)."""
    item = ctx.derive(resolved, key)
    namespaces: set[str] = set()
    labels: set[str] = set()
    for rule in item.spec.http if item is not None else ():
        for block in rule.match:
            namespaces.add(block.source_namespace)
            labels.update(block.source_labels)
        mirrors = (rule.mirror, *(mirror.destination for mirror in rule.mirrors))
        for destination in (*(route.destination for route in rule.route), *mirrors):
            if destination is not None and destination.host:
                namespaces |= ctx.derive(insiders, destination.host)
    return Reach(frozenset(namespaces), frozenset(labels))


def virtual_service_keys(ctx: Context, gateway: str) -> tuple[ObjectKey, ...]:
    """Return the keys of everything bound to a gateway (``mesh`` or ``namespace/name``), the oldest first."""
    keys: tuple[ObjectKey, ...] = ctx.fetch(Cell(Table.VIRTUAL_SERVICES, gateway))
    return keys


def _export_to(ctx: Context, spec: VirtualServiceSpec, namespace: str) -> tuple[str, ...]:
    declared = spec.export_to or mesh_config(ctx).default_virtual_service_export_to
    return tuple(dict.fromkeys(namespace if name == OWN_NAMESPACE else name for name in declared))


def _delegated(ctx: Context, root: HttpRule, sources: dict[ObjectKey, None], diagnostics: list[Diagnostic]) -> tuple[HttpRule, ...]:
    """Return the rules that stand for a delegating rule; adds the delegate to ``sources`` and what is wrong to ``diagnostics``."""
    delegate = root.rule.delegate
    if delegate is None:
        return (root,)
    subject, path = root.place.subject, f"{root.place.path}.delegate"
    key = ObjectKey(Kind.VIRTUAL_SERVICE, delegate.namespace or subject.namespace, delegate.name)
    found = ctx.fetch(object_cell(Kind.VIRTUAL_SERVICE, key.namespace, key.name))
    # Only something without hosts is resolved from here: it cannot lead on to others, so no ring of delegates can arise.
    leaf = ctx.derive(resolved, key) if found and not found[0].spec.hosts else None
    if leaf is None or not leaf.exported_to(subject.namespace):
        reason = (
            "does not exist"
            if not found
            else "has hosts of its own and so is no delegate"
            if leaf is None
            else f"is not exported to namespace {subject.namespace}"
        )
        message = f"names VirtualService {key.namespace}/{key.name}, which {reason}"
        diagnostics.append(codes.DELEGATE_MISSING.error(subject, path, message, hint="the rule is left out, the others are served"))
        return ()
    diagnostics += leaf.diagnostics
    for source in leaf.sources:
        sources[source] = None
    merged: list[HttpRule] = []
    for inner in leaf.rules:
        blocks = merged_blocks(root.rule.match, inner.rule.match)
        if blocks is None:
            diagnostics.append(
                codes.DELEGATE_CONFLICT.warning(
                    inner.place.subject,
                    f"{inner.place.path}.match",
                    f"matches nothing that {root.place.path} of VirtualService {subject.namespace}/{subject.name} lets through, "
                    "so the rule is left out there",
                )
            )
            continue
        merged.append(
            HttpRule(
                merged_rule(root.rule, inner.rule, tuple(block for _, _, block in blocks)),
                inner.place,
                tuple(inner.blocks[j] if j >= 0 else root.blocks[i] for i, j, _ in blocks),
                inherited_fields(root.rule, inner.rule),
                root.place,
            )
        )
    return tuple(merged)
