"""Routes of one VirtualService, or of a service without one, for one kind of proxy and port."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final, assert_never

from meshctl_operator.base.hashing import hash_once
from meshctl_operator.base.labels import Labels
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.compiler.inputs.routes import (
    ActionInput,
    DirectResponseInput,
    ForwardInput,
    HashCookieInput,
    HashHeaderInput,
    HashPolicyInput,
    HashQueryInput,
    HashSourceIpInput,
    MatchKind,
    MirrorInput,
    RedirectInput,
    RouteInput,
    RouteMatchInput,
    WeightedClusterInput,
)
from meshctl_operator.compiler.names import outbound_cluster, split_outbound_cluster
from meshctl_operator.compiler.plan.http_rules import RulePlan, plan_http_rules
from meshctl_operator.compiler.plan.proxy_headers import forwards_host
from meshctl_operator.compiler.plan.route_actions import DestinationPlan, ForwardPlan, RedirectPlan
from meshctl_operator.compiler.plan.route_matches import MatchBlock
from meshctl_operator.compiler.plan.route_retries import default_retries
from meshctl_operator.compiler.plan.route_texts import header_name_problem, plain_text_problem
from meshctl_operator.incremental.context import Context, firewall
from meshctl_operator.model.policies import HashCookie, HashPolicy, consistent_hash, destination_rule
from meshctl_operator.model.scopes import scope_service
from meshctl_operator.model.services import Service, alias_target, service
from meshctl_operator.model.vantage import STRANGER, insiders
from meshctl_operator.model.views import OutboundView
from meshctl_operator.model.virtual_services import ResolvedVirtualService, resolved, route_reach

UNKNOWN_SERVICE: Final = "UnknownService"
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


@hash_once
@dataclass(frozen=True, slots=True)
class RouteTarget:
    """For whom routes are compiled.

    ``gateway`` is ``mesh`` or ``namespace/name``; ``port`` the service port of a sidecar (0 for an HTTP proxy port) or the declared port of
    a gateway's server; ``namespace`` and ``labels`` are the proxy's; ``tls`` says that the server has TLS settings. ``view`` is set for
    sidecars, whose scope decides which services exist.
    """

    gateway: str
    port: int
    namespace: str
    labels: Labels = ()
    tls: bool = False
    view: OutboundView | None = None
    _hash: int = field(init=False, repr=False, compare=False)


class Targets:
    """The narrowest target for each thing that routes are compiled for, so that proxies share what comes out the same for them.

    A sidecar whose Sidecar object limits its services has the routes of its view; all others those of their namespace, or of a stranger.
    """

    def __init__(self, ctx: Context, proxy: RouteTarget) -> None:
        """Narrow the target of a proxy."""
        self._ctx = ctx
        self._limited = proxy.view is not None and proxy.view.sidecar is not None
        self._proxy = proxy if self._limited else replace(proxy, view=None)
        self._stranger = replace(self._proxy, namespace=STRANGER, labels=())

    def for_rules(self, key: ObjectKey) -> RouteTarget:
        """Return the target for the routes of a VirtualService."""
        if self._limited:
            return self._proxy
        reach = self._ctx.derive(route_reach, key)
        if self._proxy.namespace in reach.namespaces:
            return self._proxy
        labels = tuple(pair for pair in self._proxy.labels if pair[0] in reach.labels) if reach.labels else ()
        return replace(self._stranger, labels=labels) if labels else self._stranger

    def for_host(self, host: str) -> RouteTarget:
        """Return the target for the route of a service that no VirtualService claims."""
        known = self._limited or self._proxy.namespace in self._ctx.derive(insiders, host)
        return self._proxy if known else self._stranger


@dataclass(frozen=True, slots=True)
class RoutesPlan:
    """Routes in order, with the objects that they were computed from."""

    routes: tuple[RouteInput, ...] = ()
    provenance: tuple[ObjectKey, ...] = ()


def plan_routes(ctx: Context, target: RouteTarget, key: ObjectKey) -> RoutesPlan:
    """Return one route per match block that applies to the target, in the order of the VirtualService (tracked).

    What follows a route that matches every request is dropped. No routes at all means that nothing applies.
    """
    item = ctx.derive(resolved, key)
    if item is None:
        return RoutesPlan()
    binder = _Binder(ctx, target, item)
    for rule in ctx.derive(plan_http_rules, key).value:
        for block in rule.blocks:
            if not block.conditions.hold(port=target.port, gateway=target.gateway, labels=target.labels, namespace=target.namespace):
                continue
            route = binder.route(rule, block)
            binder.routes.append(route)
            if not rule.has_match or route.match.is_catch_all:
                return binder.result()
    return binder.result()


@firewall
def has_routes(ctx: Context, target: RouteTarget, key: ObjectKey) -> bool:
    """Tell whether any rule of the VirtualService applies to the target (tracked)."""
    return bool(ctx.derive(plan_routes, target, key).routes)


def plan_default_route(ctx: Context, target: RouteTarget, host: str, port: int) -> RoutesPlan:
    """Return the route of a service that no VirtualService claims: everything to the service, with the mesh's retries (tracked)."""
    found = destination_service(ctx, target, host)
    provenance: dict[ObjectKey, None] = {}
    hashed = _hashed(ctx, target, found, DestinationPlan(host, port=port), provenance)
    route = RouteInput(
        match=RouteMatchInput(),
        action=ForwardInput(outbound_cluster(port, "", host), retry=default_retries(ctx), hash_policies=hashed),
        name="default",
        decorator=f"{host}:{port}/*",
    )
    return RoutesPlan((route,), tuple(provenance))


def destination_service(ctx: Context, target: RouteTarget, host: str) -> Service | None:
    """Return the service that the proxy means by a host, if it knows one."""
    if target.view is not None:
        return ctx.derive(scope_service, target.view, host)
    return ctx.derive(service, target.namespace, host)


class _Binder:
    """Turns rules into routes for one target, and notes which objects that took."""

    def __init__(self, ctx: Context, target: RouteTarget, item: ResolvedVirtualService) -> None:
        self._ctx, self._target, self._item = ctx, target, item
        self._provenance: dict[ObjectKey, None] = dict.fromkeys(item.sources)
        self.routes: list[RouteInput] = []

    def result(self) -> RoutesPlan:
        return RoutesPlan(tuple(self.routes), tuple(self._provenance) if self.routes else ())

    def route(self, rule: RulePlan, block: MatchBlock) -> RouteInput:
        headers, action = rule.headers, self._action(rule)
        if isinstance(rule.action, ForwardPlan) and len(rule.action.destinations) == 1:
            headers = headers.then(rule.action.destinations[0].headers.operations)
        return RouteInput(
            match=block.match,
            action=action,
            name=f"{rule.name}.{block.name}" if block.name else rule.name,
            config=f"/apis/networking.istio.io/v1/namespaces/{self._item.namespace}/virtual-service/{self._item.name}",
            decorator=_operation(action, block.match, self._item.name, self._target.port),
            stat_prefix=block.stat_prefix,
            headers=headers,
            fault=rule.fault,
            cors=rule.cors,
        )

    def _action(self, rule: RulePlan) -> ActionInput:
        match rule.action:
            case ForwardPlan():
                return self._forward(rule.action)
            case RedirectPlan():
                return _redirect(rule.action, self._target)
            case DirectResponseInput():
                return rule.action
            case _:
                assert_never(rule.action)

    def _forward(self, plan: ForwardPlan) -> ForwardInput:
        hashed = tuple(policy for weighted in plan.destinations for policy in self._hash_policies(weighted.destination))
        retry, host_rewrite = plan.retry, plan.host_rewrite
        clusters: str | tuple[WeightedClusterInput, ...]
        if len(plan.destinations) == 1:
            only = plan.destinations[0]
            clusters = self._cluster(only.destination)
            host_rewrite = host_rewrite or only.headers.authority
            if retry is not None and hashed and not plan.keep_previous_hosts:
                # A retry must reach the endpoint that the hash says, even if it failed before.
                retry = replace(retry, previous_hosts=False)
        else:
            clusters = tuple(
                WeightedClusterInput(
                    self._cluster(weighted.destination), weighted.weight, weighted.headers.operations, weighted.headers.authority
                )
                for weighted in plan.destinations
                if weighted.weight > 0
            )
        return ForwardInput(
            clusters=clusters,
            timeout=plan.timeout,
            grpc_timeout=plan.timeout,
            retry=retry,
            host_rewrite=host_rewrite,
            forwarded_host=plan.has_rewrite and self._ctx.derive(forwards_host),
            rewrite=plan.rewrite,
            mirrors=tuple(MirrorInput(self._cluster(mirror.destination), mirror.fraction) for mirror in plan.mirrors),
            hash_policies=hashed,
        )

    def _cluster(self, destination: DestinationPlan) -> str:
        if not destination.host:
            return UNKNOWN_SERVICE
        found = self._service(destination.host)
        port = destination.port or (found.ports[0].number if found is not None and len(found.ports) == 1 else self._target.port)
        return outbound_cluster(port, destination.subset, found.host if found is not None else self._named(destination.host))

    def _named(self, host: str) -> str:
        """Return the host that stands in the cluster of an unknown service: what an ExternalName Service names, else the host itself."""
        return self._ctx.derive(alias_target, host) or host

    def _hash_policies(self, destination: DestinationPlan) -> tuple[HashPolicyInput, ...]:
        return _hashed(self._ctx, self._target, self._service(destination.host), destination, self._provenance)

    def _service(self, host: str) -> Service | None:
        found = destination_service(self._ctx, self._target, host)
        if found is not None:
            self._provenance[found.source] = None
        return found


def _hashed(
    ctx: Context, target: RouteTarget, found: Service | None, destination: DestinationPlan, provenance: dict[ObjectKey, None]
) -> tuple[HashPolicyInput, ...]:
    """Return the hash policy of a destination, if its DestinationRule has one, and note where it comes from."""
    if found is None:
        return ()
    provenance[found.source] = None
    policy = ctx.derive(consistent_hash, target.namespace, target.labels, found, destination.subset, destination.port)
    hashed = _hash_input(policy) if policy is not None else None
    if hashed is None:
        return ()
    rule = ctx.derive(destination_rule, target.namespace, target.labels, found)
    provenance.update(dict.fromkeys(rule.provenance if rule is not None else ()))
    return (hashed,)


def _hash_input(policy: HashPolicy) -> HashPolicyInput | None:
    """Return the policy; None for one that Envoy would refuse, which admission reports with the DestinationRule."""
    if policy.header:
        return HashHeaderInput(policy.header) if header_name_problem(policy.header, pseudo=True) is None else None
    if policy.cookie is not None:
        return _cookie(policy.cookie)
    return HashQueryInput(policy.query_parameter) if policy.query_parameter else HashSourceIpInput()


def _cookie(cookie: HashCookie) -> HashCookieInput | None:
    names = (cookie.name, *(name for name, _ in cookie.attributes))
    values = (cookie.path, *(value for _, value in cookie.attributes))
    if not all(names) or any(plain_text_problem(text) for text in (*names, *values)) or (cookie.ttl is not None and cookie.ttl.nanos < 0):
        return None
    return HashCookieInput(cookie.name, cookie.path, cookie.ttl, cookie.attributes)


def _redirect(plan: RedirectPlan, target: RouteTarget) -> RedirectInput:
    port = target.port if plan.derive_port else plan.port
    scheme = plan.redirect.scheme or ("https" if target.tls else "http")
    return replace(plan.redirect, port=0 if _DEFAULT_PORTS.get(scheme) == port else port)


def _operation(action: ActionInput, match: RouteMatchInput, name: str, port: int) -> str:
    """Return the name of the operation in traces: host and port of a single cluster, else name of the VirtualService and port; and the path."""
    path = f"{match.path.text}*" if match.path.kind is MatchKind.PREFIX else match.path.text
    if isinstance(action, ForwardInput) and isinstance(action.clusters, str) and (parts := split_outbound_cluster(action.clusters)):
        return f"{parts[2]}:{parts[0]}{path}"
    return f"{name}:{port}{path}"
