"""DestinationRules: how those of one host are merged, and which of them a client uses (Istio ``destinationRuleIndex``)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from meshctl_operator.apis.meta import ConfigObject, oldest_first
from meshctl_operator.apis.networking.destination_rule import DestinationRuleSpec, Subset, TrafficPolicy
from meshctl_operator.apis.structure import did_you_mean
from meshctl_operator.base.diagnostics import Diagnostic
from meshctl_operator.base.hostname import is_wildcard, matches, parent_wildcards, resolve_short_name, specificity_key, subset_of
from meshctl_operator.base.labels import Labels, freeze, selects
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.incremental.context import Context, firewall
from meshctl_operator.model import codes
from meshctl_operator.model.mesh import cluster_domain, mesh_config
from meshctl_operator.model.services import Service, services
from meshctl_operator.registry.cells import PARTIAL_WILDCARDS, Cell, Table

_OWN: Final = "."
_ALL: Final = "*"


@dataclass(frozen=True, slots=True)
class MergedRule:
    """What one or several DestinationRules of one namespace say about one host. ``key`` is the oldest, ``provenance`` all of them.

    ``selector`` is None unless the rule is for some workloads only. ``export_to`` are namespaces, ``*``, or nothing where undeclared.
    """

    key: ObjectKey
    host: str
    export_to: frozenset[str]
    selector: Labels | None
    policy: TrafficPolicy | None
    subsets: tuple[Subset, ...]
    provenance: tuple[ObjectKey, ...]

    def subset(self, name: str) -> Subset | None:
        """Return the subset of that name, if the rule defines it."""
        return next((subset for subset in self.subsets if subset.name == name), None)


class Index(StrEnum):
    """Which of the rules of a namespace a lookup considers (Istio ``destinationRuleIndex``)."""

    LOCAL = "local"
    EXPORTED = "exported"
    ROOT_LOCAL = "root-local"


# Lookup


def destination_rule(ctx: Context, client_namespace: str, labels: Labels, service: Service) -> MergedRule | None:
    """Return the rule that clients with these labels in this namespace use for the service.

    Rules of the client's namespace come first, then exported ones of the service's namespace, then of the root namespace. Within the
    first namespace that has a rule for the host, one whose selector matches wins, else the last one without a selector.
    """
    return _chosen(_rules_for(ctx, client_namespace, service), client_namespace, labels)


def inbound_destination_rule(ctx: Context, namespace: str, service: Service) -> MergedRule | None:
    """Return the rule whose connection pool holds for traffic to a workload of the namespace: selectors do not count here."""
    return _chosen(_rules_for(ctx, namespace, service), namespace, None)


def _rules_for(ctx: Context, client_namespace: str, service: Service) -> tuple[MergedRule, ...]:
    root = mesh_config(ctx).root_namespace
    index = Index.ROOT_LOCAL if client_namespace == root else Index.LOCAL
    found = _most_specific(ctx, index, client_namespace, service.host)
    if found:
        return found
    for namespace in dict.fromkeys((service.namespace, root)):
        exported = _most_specific(ctx, Index.EXPORTED, namespace, service.host)
        visible = tuple(rule for rule in exported if not rule.export_to or _ALL in rule.export_to or client_namespace in rule.export_to)
        if visible:
            return visible
    return ()


def _chosen(rules: tuple[MergedRule, ...], client_namespace: str, labels: Labels | None) -> MergedRule | None:
    chosen: MergedRule | None = None
    for rule in rules:
        if rule.selector is None:
            chosen = rule
        elif labels is not None and rule.key.namespace == client_namespace and selects(dict(rule.selector), dict(labels)):
            return rule
    return chosen


def _most_specific(ctx: Context, index: Index, namespace: str, host: str) -> tuple[MergedRule, ...]:
    """Return the rules of the namespace for its most specific host that covers the given one."""
    if not is_wildcard(host) and (found := _rules_at(ctx, index, namespace, host)):
        return found
    partial = [
        resolved
        for obj in ctx.fetch(Cell(Table.DESTINATION_RULES, (namespace, PARTIAL_WILDCARDS)))
        if subset_of(host, resolved := resolve_short_name(obj.spec.host, namespace, cluster_domain(ctx)))
    ]
    chain = parent_wildcards(host)
    for wildcard in sorted({*chain, *partial}, key=specificity_key) if partial else chain:
        if found := _rules_at(ctx, index, namespace, wildcard):
            return found
    return ()


def _rules_at(ctx: Context, index: Index, namespace: str, host: str) -> tuple[MergedRule, ...]:
    # Most lookups miss: the read alone is recorded, and no derivation is kept for it.
    return ctx.derive(merged_rules, index, namespace, host) if ctx.fetch(Cell(Table.DESTINATION_RULES, (namespace, host))) else ()


# Merging


def merged_rules(ctx: Context, index: Index, namespace: str, host: str) -> tuple[MergedRule, ...]:
    """Return the rules of a namespace for exactly that host, merged where their visibility and selectors allow it."""
    return _merge(ctx, index, namespace, host)[0]


def merge_diagnostics(ctx: Context, namespace: str, host: str) -> tuple[Diagnostic, ...]:
    """Return what was left out when the rules of a namespace for that host were merged."""
    return tuple(dict.fromkeys(found for index in (Index.LOCAL, Index.EXPORTED) for found in _merge(ctx, index, namespace, host)[1]))


def _merge(ctx: Context, index: Index, namespace: str, host: str) -> tuple[tuple[MergedRule, ...], tuple[Diagnostic, ...]]:
    merged: list[MergedRule] = []
    found: list[Diagnostic] = []
    objects = ctx.fetch(Cell(Table.DESTINATION_RULES, (namespace, host)))
    config = mesh_config(ctx)
    default, root = config.default_destination_rule_export_to, config.root_namespace
    for obj in sorted(objects, key=lambda obj: (obj.spec.workload_selector is None, oldest_first(obj))):
        rule = _rule(obj, host)
        if _is_indexed(rule, index, namespace, default, root):
            _merge_into(merged, rule, found)
    return tuple(merged), tuple(found)


def _rule(obj: ConfigObject[DestinationRuleSpec], host: str) -> MergedRule:
    spec, namespace = obj.spec, obj.key.namespace
    selector = None if spec.workload_selector is None else freeze(spec.workload_selector.match_labels)
    exported = frozenset(namespace if entry == _OWN else entry for entry in spec.export_to)
    return MergedRule(
        key=obj.key,
        host=host,
        export_to=exported if selector is None else frozenset({namespace}),
        selector=selector,
        policy=spec.traffic_policy,
        subsets=tuple({subset.name: subset for subset in reversed(spec.subsets)}[name] for name in _names(spec.subsets)),
        provenance=(obj.key,),
    )


def _names(subsets: Iterable[Subset]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(subset.name for subset in subsets))


def _is_indexed(rule: MergedRule, index: Index, namespace: str, default: tuple[str, ...], root: str) -> bool:
    private = _OWN in default if not rule.export_to else rule.export_to == {namespace}
    match index:
        case Index.LOCAL:
            return not rule.export_to or _ALL in rule.export_to or namespace in rule.export_to
        case Index.EXPORTED:
            return not private
        case Index.ROOT_LOCAL:
            return private and namespace == root


def _merge_into(merged: list[MergedRule], rule: MergedRule, found: list[Diagnostic]) -> None:
    """Merge the rule into the older ones that it is compatible with, and keep it apart where its visibility or selector differs.

    A rule that is exported wider than an older one is merged into that as well and is gone as a rule of its own, as with Istio.
    """
    apart = True
    for position, older in enumerate(merged):
        wider = bool(older.export_to) and rule.export_to > older.export_to
        if older.selector != rule.selector or not (wider or rule.export_to == older.export_to):
            continue
        apart = False
        merged[position] = _combined(older, rule, found)
        if wider:
            unseen = ", ".join(sorted(rule.export_to - older.export_to))
            message = (
                f"is merged into the older DestinationRule {older.key.name!r} for {rule.host}, whose exportTo then holds: not {unseen}"
            )
            found.append(codes.NARROWED_EXPORT.warning(rule.key, "spec.exportTo", message, hint="export both rules to the same namespaces"))
    if apart:
        merged.append(rule)


def _combined(older: MergedRule, rule: MergedRule, found: list[Diagnostic]) -> MergedRule:
    known = {subset.name for subset in older.subsets}
    for index, subset in enumerate(rule.subsets):
        if subset.name in known:
            message = (
                f"{subset.name!r} is defined by the older DestinationRule {older.key.name!r} for {rule.host} already, and ignored here"
            )
            found.append(codes.DUPLICATE_SUBSET.warning(rule.key, f"spec.subsets[{index}].name", message, hint="rename it or remove it"))
    if older.policy is not None and rule.policy is not None:
        message = f"the older DestinationRule {older.key.name!r} has a policy for {rule.host} already, so this one is ignored as a whole"
        found.append(codes.IGNORED_POLICY.warning(rule.key, "spec.trafficPolicy", message, hint="move the settings into the older rule"))
    return replace(
        older,
        policy=older.policy if older.policy is not None else rule.policy,
        subsets=(*older.subsets, *(subset for subset in rule.subsets if subset.name not in known)),
        provenance=(*older.provenance, *rule.provenance),
    )


# Findings


def policy_diagnostics(ctx: Context) -> tuple[Diagnostic, ...]:
    """Return what is wrong with the DestinationRules of the mesh, seen beside its services."""
    places: dict[tuple[str, str], list[ObjectKey]] = {}
    for key in ctx.fetch(Cell(Table.RULES, _ALL)):
        places.setdefault((key.namespace, ctx.derive(rule_host, key)), []).append(key)
    hosts = ctx.derive(_hosts) if places else frozenset()
    found: list[Diagnostic] = []
    for namespace, host in sorted(places):
        if host not in hosts and not (is_wildcard(host) and any(matches(known, host) for known in hosts)):
            found += [_unknown_host(ctx, key, host, hosts) for key in places[namespace, host]]
        if len(places[namespace, host]) > 1:
            found += ctx.derive(merge_diagnostics, namespace, host)
    return tuple(found)


@firewall
def is_for_everyone(ctx: Context, key: ObjectKey) -> bool:
    """Tell whether clients of all namespaces may use a DestinationRule, and all their workloads: none sees less of it (tracked)."""
    default = mesh_config(ctx).default_destination_rule_export_to
    return all(
        obj.spec.workload_selector is None and (_ALL in obj.spec.export_to or not (obj.spec.export_to or _OWN in default))
        for obj in ctx.fetch(Cell(Table.OBJECT, key))
    )


@firewall
def rule_host(ctx: Context, key: ObjectKey) -> str:
    """Return the complete host of a DestinationRule; nothing when there is none of that key (tracked)."""
    return next((resolve_short_name(obj.spec.host, key.namespace, cluster_domain(ctx)) for obj in ctx.fetch(Cell(Table.OBJECT, key))), "")


def _hosts(ctx: Context) -> frozenset[str]:
    return frozenset(service.host for service in ctx.derive(services))


def _unknown_host(ctx: Context, key: ObjectKey, host: str, hosts: Iterable[str]) -> Diagnostic:
    declared = next((obj.spec.host for obj in ctx.fetch(Cell(Table.OBJECT, key))), host)
    message = f"{declared!r} matches no service" + (f" (looked for {host})" if host != declared else "")
    return codes.UNKNOWN_RULE_HOST.warning(key, "spec.host", message, hint=did_you_mean(host, sorted(hosts)))
