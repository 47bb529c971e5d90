"""Outbound listeners of a sidecar: one per address and port that its scope needs, the capture listener, the HTTP proxy port."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

from meshctl_operator.base.diagnostics import Compiled, Diagnostic
from meshctl_operator.base.durations import Duration
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.base.shards import SHARDS
from meshctl_operator.compiler import listener_codes
from meshctl_operator.compiler.inputs.listeners import (
    MATCH_ALL,
    ChainMatchInput,
    Direction,
    FilterChainInput,
    HttpConnectionManagerInput,
    ListenerInput,
)
from meshctl_operator.compiler.inputs.planned import Planned, planned
from meshctl_operator.compiler.inputs.routes import ForwardInput, RouteConfigurationInput, RouteInput, RouteMatchInput, VirtualHostInput
from meshctl_operator.compiler.names import ANY_HOST, BLACK_HOLE, PASSTHROUGH
from meshctl_operator.compiler.ordering import HttpFilterName, http_filter_order
from meshctl_operator.compiler.plan.chain_claims import ChainClaims
from meshctl_operator.compiler.plan.connection_managers import application_protocols, outbound_manager
from meshctl_operator.compiler.plan.dynamic_dns import dns_cache, with_caches
from meshctl_operator.compiler.plan.egress_proxies import egress_proxy_cluster, egress_proxy_findings
from meshctl_operator.compiler.plan.listener_settings import ListenerSettings, listener_settings, settings_findings
from meshctl_operator.compiler.plan.outbound_services import (
    Contribution,
    concerned_view,
    listener_name,
    service_contributions,
    stranger_view,
)
from meshctl_operator.compiler.plan.tcp_routes import plain_proxy
from meshctl_operator.incremental.context import Context
from meshctl_operator.model.dynamic_hosts import dynamic_hosts
from meshctl_operator.model.egress_listeners import UNIX, EgressListener, egress_listeners
from meshctl_operator.model.protocols import Protocol
from meshctl_operator.model.proxies import InterceptionMode, IpFamilies
from meshctl_operator.model.scopes import OutboundMode, scope, scope_shard
from meshctl_operator.model.vantage import insiders_of_shard
from meshctl_operator.model.views import OutboundView

HTTP_PROXY_ROUTE: Final = "http_proxy"
HTTP_PROXY_ADDRESS: Final = "127.0.0.1"
CAPTURE_LISTENER: Final = "virtualOutbound"
_SERVER_FIRST: Final = (Protocol.MONGO, Protocol.MYSQL)
"""Protocols in which the server speaks first: sniffing would wait for a client that waits for the server."""


def plan_outbound_listeners(ctx: Context, view: OutboundView) -> Compiled[tuple[Planned[ListenerInput], ...]]:
    """Return the outbound listeners of a sidecar, by name. A proxy of the local mesh has its HTTP proxy port and nothing else (tracked)."""
    settings = ctx.derive(listener_settings)
    listeners: list[Planned[ListenerInput]] = []
    found: list[Diagnostic] = list(ctx.derive(settings_findings))
    if view.http_proxy_port:
        listeners.append(planned(_http_proxy(settings, view), (view.sidecar,)))
    if not view.local:
        fallback = fallback_cluster(ctx, view)
        found += egress_proxy_findings(ctx, view)
        drafts: dict[tuple[str, int], _Draft] = {}
        for index, listener in enumerate(ctx.derive(listeners_of, view)):
            if listener.is_catch_all:
                for draft in drafts.values():
                    draft.locked = True  # a listener that the Sidecar declares has the services that it declares for it, and no others
            narrowed = view if view.sidecar is None else replace(view, listener=index)
            wanted = {host: each for number in range(SHARDS) for host, each in ctx.derive(contributions_of_shard, narrowed, number).items()}
            for service in ctx.derive(scope, narrowed).services:
                contributions = wanted[service.host]
                found += contributions.diagnostics
                for contribution in contributions.value:
                    draft = drafts.setdefault((contribution.address, contribution.port), _Draft(contribution))
                    draft.add(contribution, found)
        listeners += [draft.listener(settings, view, fallback) for draft in drafts.values() if draft.chains]
        if view.interception is not InterceptionMode.NONE:
            resolves = ctx.derive(scope, view).outbound_mode is OutboundMode.ALLOW_ANY_DYNAMIC_DNS
            listeners.append(planned(_capture(settings, view, fallback, resolves=resolves), (view.sidecar,)))
    listeners = _resolving(ctx, view, listeners)
    return Compiled(tuple(sorted(listeners, key=lambda listener: listener.input.name)), tuple(found))


def _resolving(ctx: Context, view: OutboundView, listeners: list[Planned[ListenerInput]]) -> list[Planned[ListenerInput]]:
    """Return the listeners with connection managers that resolve the wildcard hosts of their ports, if the view imports such."""
    hosts = ctx.derive(dynamic_hosts, view)
    if not hosts:
        return listeners
    found = []
    for listener in listeners:
        proxies = listener.input.address.startswith(UNIX) or listener.input.port == view.http_proxy_port
        caches = tuple(dns_cache(host, view.families) for host, ports in hosts if ports and (proxies or listener.input.port in ports))
        found.append(replace(listener, input=with_caches(listener.input, caches)))
    return found


def listeners_of(ctx: Context, view: OutboundView) -> tuple[EgressListener, ...]:
    """Return the egress listeners of a view (tracked)."""
    return egress_listeners(ctx, view.sidecar, view.interception, view.families.loopback)


def fallback_cluster(ctx: Context, view: OutboundView) -> str:
    """Return where traffic goes that no service takes: to its own destination, to the egress proxy of the Sidecar, or nowhere."""
    imported = ctx.derive(scope, view)
    if imported.outbound_mode is OutboundMode.REGISTRY_ONLY:
        return BLACK_HOLE
    proxy = imported.egress_proxy
    if proxy is None:
        return PASSTHROUGH
    return egress_proxy_cluster(proxy)


def contributions_of_shard(ctx: Context, view: OutboundView, number: int) -> dict[str, Compiled[tuple[Contribution, ...]]]:
    """Return what the services of one shard of the scope ask for, by host (tracked)."""
    services = ctx.derive(scope_shard, view, number)
    if not services:
        return {}
    insiders, stranger = ctx.derive(insiders_of_shard, number), stranger_view(view)
    listener = ctx.derive(listeners_of, view)[view.listener or 0]
    return {
        service.host: ctx.derive(
            service_contributions, concerned_view(ctx, view, stranger, service, insiders[service.host]), service, listener
        )
        for service in services
    }


@dataclass(slots=True)
class _Draft:
    """One listener in progress. The oldest service, which comes first, decides where nothing tells the connections apart."""

    first: Contribution
    locked: bool = False
    chains: list[FilterChainInput] = field(default_factory=list)
    provenance: dict[ObjectKey, None] = field(default_factory=dict)
    _claims: ChainClaims = field(default_factory=ChainClaims)
    _owners: dict[FilterChainInput, Contribution] = field(default_factory=dict)

    def add(self, wanted: Contribution, found: list[Diagnostic]) -> None:
        """Add the chains of a service port as far as their connections are free; report what is not."""
        if self.locked:
            return
        if self.first.protocol is not wanted.protocol and (self.first.protocol in _SERVER_FIRST or wanted.protocol in _SERVER_FIRST):
            found.append(_conflict(wanted, self.first))
            return
        kept = False
        for chain in wanted.chains:
            winner = self._claims.owner(chain)
            # Every HTTP service of a port shares one chain, whose routes tell them apart by host; a lost HTTP chain is no loss.
            shared = (
                winner is not None
                and isinstance(winner.network, HttpConnectionManagerInput)
                and isinstance(chain.network, HttpConnectionManagerInput)
            )
            if shared or (winner is not None and winner == chain):
                kept = True
                continue
            cut = self._claims.take(chain)
            if cut is not None:
                self.chains.append(cut)
                self._owners[cut] = wanted
                kept = True
            if cut != chain and winner is not None:
                found.append(_conflict(wanted, self._owners[winner]))
        if kept:
            self.provenance.update(dict.fromkeys(wanted.provenance))

    def listener(self, settings: ListenerSettings, view: OutboundView, fallback: str) -> Planned[ListenerInput]:
        """Return the listener.

        A chain that takes everything becomes the default beside others. Where there is none, traffic that fits no chain passes as TCP.
        """
        chains = tuple(chain for chain in self.chains if chain.match != MATCH_ALL)
        everything = next((chain for chain in self.chains if chain.match == MATCH_ALL), None)
        if not chains and everything is not None:
            chains, everything = (everything,), None
        elif everything is None:
            everything = FilterChainInput(plain_proxy(fallback, settings.access_log), name="PassthroughFilterChain")
        bound = self.first.bound
        http_inspector = any(chain.match.application_protocols for chain in chains)
        listener = ListenerInput(
            name=listener_name(self.first.address, self.first.port),
            address=self.first.address,
            extra_addresses=("::",) if view.families is IpFamilies.DUAL and self.first.address == view.families.wildcard else (),
            port=self.first.port,
            direction=Direction.OUTBOUND,
            filter_chains=chains,
            default_chain=everything,
            bind_to_port=bound,
            tls_inspector=any(chain.match.server_names for chain in chains),
            http_inspector=http_inspector,
            detection_timeout=settings.detection_timeout if http_inspector else Duration(0),
            max_accepts_per_event=1 if bound else 0,
            access_log=settings.access_log,
        )
        return planned(listener, (*self.provenance, view.sidecar))


def _conflict(loser: Contribution, winner: Contribution) -> Diagnostic:
    message = (
        f"{loser.host} port {loser.port} ({loser.protocol.value}) needs connections to {loser.address}:{loser.port}"
        f" that {winner.host} ({winner.protocol.value}) has already; it gets none of them"
    )
    hint = "give one of the services an address or a port of its own"
    return listener_codes.LISTENER_CONFLICT.warning(loser.source, loser.path, message, hint=hint)


def _any_host_chain(settings: ListenerSettings, view: OutboundView) -> FilterChainInput:
    """Return the chain that sends HTTP to whatever host it names."""
    route = RouteInput(RouteMatchInput(), ForwardInput(ANY_HOST), name="allow_any_dynamic_dns")
    routes = RouteConfigurationInput(
        ANY_HOST,
        (VirtualHostInput("allow_any_dynamic_dns", ("*",), (route,)),),
        ignore_port_in_host_matching=False,
        max_direct_response_body=None,
    )
    manager = outbound_manager(settings, CAPTURE_LISTENER, routes, protocol=Protocol.HTTP, http10=view.http10)
    manager = replace(
        manager,
        dns_caches=(dns_cache(ANY_HOST, view.families),),
        http_filters=http_filter_order((*manager.http_filters, HttpFilterName.DYNAMIC_FORWARD_PROXY)),
    )
    match = ChainMatchInput(transport_protocol="raw_buffer", application_protocols=application_protocols(http10=view.http10))
    return FilterChainInput(manager, match, name=f"{CAPTURE_LISTENER}-catchall-http")


def _http_proxy(settings: ListenerSettings, view: OutboundView) -> ListenerInput:
    """Return the port that applications use as ``http_proxy``; its routes know every service by host and port."""
    name = f"{HTTP_PROXY_ADDRESS}_{view.http_proxy_port}"
    manager = outbound_manager(settings, name, HTTP_PROXY_ROUTE, protocol=Protocol.HTTP, http10=view.http10, absolute_url=True)
    return ListenerInput(
        name=name,
        address=HTTP_PROXY_ADDRESS,
        port=view.http_proxy_port,
        direction=Direction.OUTBOUND,
        filter_chains=(FilterChainInput(manager),),
        reuse_port=not view.local,
        max_accepts_per_event=1,
        access_log=settings.access_log,
    )


def _capture(settings: ListenerSettings, view: OutboundView, fallback: str, *, resolves: bool) -> ListenerInput:
    """Return the listener that captured traffic arrives at; it hands connections to the listener of their original destination.

    With ``resolves`` HTTP to unknown hosts goes where their names lead to, not where the client went.
    """
    log = settings.access_log
    loop_guard = FilterChainInput(
        plain_proxy(BLACK_HOLE, log), ChainMatchInput(destination_port=settings.outbound_port), name=f"{CAPTURE_LISTENER}-blackhole"
    )
    catch_all = FilterChainInput(plain_proxy(fallback, log), name=f"{CAPTURE_LISTENER}-catchall-tcp")
    return ListenerInput(
        name=CAPTURE_LISTENER,
        address=view.families.wildcard,
        extra_addresses=("::",) if view.families is IpFamilies.DUAL else (),
        port=settings.outbound_port,
        direction=Direction.OUTBOUND,
        filter_chains=(loop_guard, *((_any_host_chain(settings, view),) if resolves else ()), catch_all),
        http_inspector=resolves,
        detection_timeout=settings.detection_timeout if resolves else None,
        use_original_dst=True,
        transparent=view.interception is InterceptionMode.TPROXY,
        max_accepts_per_event=1,
        access_log=log,
    )
