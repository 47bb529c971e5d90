"""Listeners of a gateway: one per address and port, with the chains of the servers that share it."""

from __future__ import annotations

from dataclasses import dataclass, field

from meshctl_operator.base.diagnostics import Compiled, Diagnostic
from meshctl_operator.base.hostname import matches
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.compiler.inputs.listeners import ChainMatchInput, Direction, FilterChainInput, ListenerInput, TcpProxyInput
from meshctl_operator.compiler.inputs.planned import Planned, planned
from meshctl_operator.compiler.names import sni_cluster
from meshctl_operator.compiler.plan.chain_claims import ChainClaims
from meshctl_operator.compiler.plan.connection_managers import gateway_manager
from meshctl_operator.compiler.plan.gateway_tls import certificate_names, plan_server_tls
from meshctl_operator.compiler.plan.listener_settings import ListenerSettings, listener_settings, settings_findings
from meshctl_operator.compiler.plan.sni_clusters import MESH_PROTOCOLS, passed_services
from meshctl_operator.compiler.plan.tcp_routes import L4Client, L4Rule, cluster_proxy, passes, routed_proxy, server_names
from meshctl_operator.incremental.context import Context
from meshctl_operator.model import gateway_codes as codes
from meshctl_operator.model.gateways import GatewayServer, hosts_for_namespace, merged_gateway
from meshctl_operator.model.policies import destination_rule, subset_names
from meshctl_operator.model.protocols import Protocol
from meshctl_operator.model.services import service
from meshctl_operator.model.views import GatewayView, SecretView
from meshctl_operator.model.virtual_services import ResolvedVirtualService, resolved, virtual_services


def plan_gateway_listeners(ctx: Context, view: GatewayView) -> Compiled[tuple[Planned[ListenerInput], ...]]:
    """Return the listeners of a gateway, by name. One without any chain is not opened (tracked)."""
    merged = ctx.derive(merged_gateway, view)
    found: list[Diagnostic] = [*ctx.derive(settings_findings), *merged.diagnostics]
    listeners = []
    pairs = frozenset(name for server in merged.servers for name in certificate_names(server))
    for address, port in merged.listener_keys():
        planner = _Listener(ctx, view, address, port, pairs, found)
        for server in merged.servers_of_listener(address, port):
            planner.add(server)
        if planner.chains:
            listeners.append(planner.listener())
    return Compiled(tuple(sorted(listeners, key=lambda listener: listener.input.name)), tuple(found))


def gateway_virtual_services(ctx: Context, namespace: str, gateway: str) -> tuple[ResolvedVirtualService, ...]:
    """Return the VirtualServices of a Gateway that speak about TCP or TLS, by precedence (tracked)."""
    keys = (item.key for item in ctx.derive(virtual_services, namespace, gateway) if item.has_l4)
    return tuple(item for key in keys if (item := ctx.derive(resolved, key)) is not None)


@dataclass(slots=True)
class _Listener:
    """One listener in progress."""

    ctx: Context
    view: GatewayView
    address: str
    port: int
    pairs: frozenset[str]
    found: list[Diagnostic]
    chains: list[FilterChainInput] = field(default_factory=list)
    provenance: dict[ObjectKey, None] = field(default_factory=dict)
    _claims: ChainClaims = field(default_factory=ChainClaims)

    @property
    def settings(self) -> ListenerSettings:
        """The mesh settings that concern listeners."""
        return self.ctx.derive(listener_settings)

    @property
    def bound_port(self) -> int:
        """The port that is really opened; in the local mesh 80 may become 8080."""
        return dict(self.view.local.ports).get(self.port, self.port) if self.view.local else self.port

    @property
    def name(self) -> str:
        """The name of the listener: ``<address>_<port>``."""
        return f"{self.address}_{self.bound_port}"

    def listener(self) -> Planned[ListenerInput]:
        """Return the listener with the chains added so far."""
        listener = ListenerInput(
            name=self.name,
            address=self.address,
            port=self.bound_port,
            direction=Direction.OUTBOUND,
            filter_chains=tuple(self.chains),
            reuse_port=self.view.local is None,
            tls_inspector=any(chain.match.server_names for chain in self.chains),
            proxy_protocol=self.settings.proxy_protocol,
            buffer_limit=self.settings.gateways.buffer,
            access_log=self.settings.access_log,
        )
        return planned(listener, self.provenance)

    def add(self, server: GatewayServer) -> None:
        """Add the chains of a server, or report why there are none."""
        if server.terminates_tls:
            self._add_terminating(server)
        elif server.passes_to_services:
            self._add_services(server)
        elif server.is_tls:
            self._add_passthrough(server)
        elif server.route_name is not None:
            self._add_http(server, server.route_name)
        else:
            proxy = self._tcp_proxy(server)
            if proxy is not None:
                self._add_chain(server, FilterChainInput(proxy[0], virtual_service=proxy[1]), server.path)

    def _add_http(self, server: GatewayServer, route: str) -> None:
        self.provenance[server.gateway] = None
        if not self.chains:  # HTTP servers share one chain; their hosts are told apart by its routes
            manager = gateway_manager(self.settings, f"outbound_{self.name};", route, protocol=server.protocol, http10=self.view.http10)
            self.chains.append(FilterChainInput(manager))

    def _add_terminating(self, server: GatewayServer) -> None:
        context = plan_server_tls(self.ctx, SecretView(self.view.namespace), server, self.found, pairs=self.pairs)
        if context is None:
            return
        tls, secrets = context
        names = server_names((host.rpartition("/")[2] for host in server.hosts), server.gateway, f"{server.path}.hosts", self.found)
        if names is None:
            return
        match = ChainMatchInput(server_names=names)
        if server.route_name is not None:
            prefix = server.name or f"outbound_{self.name};"
            manager = gateway_manager(self.settings, prefix, server.route_name, protocol=server.protocol, http10=self.view.http10)
            chain = FilterChainInput(manager, match, tls=tls)
        else:
            proxy = self._tcp_proxy(server)
            if proxy is None:
                return
            chain = FilterChainInput(proxy[0], match, tls=tls, virtual_service=proxy[1])
        if self._add_chain(server, chain, f"{server.path}.hosts"):
            self.provenance.update(dict.fromkeys(secrets))

    def _add_passthrough(self, server: GatewayServer) -> None:
        """Add one chain per ``tls`` match of each VirtualService with a host of the server; TLS goes on to the destination."""
        client = self._client(server)
        added = False
        for item in self._virtual_services(server):
            for index, rule in enumerate(item.spec.tls):
                for position, match in enumerate(rule.match):
                    if not passes(match, client, item.namespace):
                        continue
                    path = f"spec.tls[{index}].match[{position}].sniHosts"
                    names = server_names(match.sni_hosts, item.key, path, self.found)
                    proxy = routed_proxy(
                        self.ctx,
                        client,
                        L4Rule(item.key, f"spec.tls[{index}]", rule.route),
                        protocol=server.protocol,
                        access_log=self.settings.access_log,
                        found=self.found,
                    )
                    if names is None or proxy is None:
                        continue
                    chain = FilterChainInput(proxy[0], ChainMatchInput(server_names=names), virtual_service=(item.namespace, item.name))
                    if self._add_chain(server, chain, path, item.key):
                        added = True
                        self.provenance.update(dict.fromkeys((item.key, *proxy[1])))
        if not added:
            message = f"has no tls rule of a VirtualService bound to Gateway {server.binding_key}, so nothing is passed through"
            hint = f"bind a VirtualService with a tls rule: gateways: [{server.binding_key}]"
            self.found.append(codes.NO_TLS_ROUTE.warning(server.gateway, server.path, message, hint=hint))

    def _add_services(self, server: GatewayServer) -> None:
        """Add one chain per port and subset of each service of the mesh that the server covers; its name tells where a connection goes."""
        client = self._client(server)
        for found in passed_services(self.ctx, self.view.namespace, server):
            subsets = ("", *subset_names(self.ctx.derive(destination_rule, self.view.namespace, self.view.labels, found)))
            for port in found.ports:
                if port.protocol is Protocol.UDP:
                    continue
                for subset in subsets:
                    name = sni_cluster(port.number, subset, found.host)
                    proxy, sources = cluster_proxy(self.ctx, client, name, found, subset, port.number, access_log=self.settings.access_log)
                    match = ChainMatchInput(server_names=(name.lower(),), application_protocols=MESH_PROTOCOLS)
                    if self._add_chain(server, FilterChainInput(proxy, match), f"{server.path}.hosts"):
                        self.provenance.update(dict.fromkeys((found.source, *sources)))

    def _tcp_proxy(self, server: GatewayServer) -> tuple[TcpProxyInput, tuple[str, str]] | None:
        """Return the proxy of the first VirtualService with a host of the server and a passing ``tcp`` rule; later ones have no say."""
        client = self._client(server)
        for item in self._virtual_services(server):
            for index, rule in enumerate(item.spec.tcp):
                if rule.match and not any(passes(match, client, item.namespace) for match in rule.match):
                    continue
                proxy = routed_proxy(
                    self.ctx,
                    client,
                    L4Rule(item.key, f"spec.tcp[{index}]", rule.route),
                    protocol=server.protocol,
                    access_log=self.settings.access_log,
                    found=self.found,
                )
                if proxy is not None:
                    self.provenance.update(dict.fromkeys((item.key, *proxy[1])))
                    return proxy[0], (item.namespace, item.name)
        message = f"has no tcp rule of a VirtualService bound to Gateway {server.binding_key}, so the server is not opened"
        hint = f"bind a VirtualService with a tcp rule: gateways: [{server.binding_key}]"
        self.found.append(codes.NO_TCP_ROUTE.warning(server.gateway, server.path, message, hint=hint))
        return None

    def _add_chain(self, server: GatewayServer, chain: FilterChainInput, path: str, rules: ObjectKey | None = None) -> bool:
        """Add what is still free of the chain; tell whether anything was.

        ``rules`` is the VirtualService of a chain that passes TLS through. Like Istio it takes all server names of a match or none: they
        are meant to go to one place together.
        """
        taken = self._claims.owner(chain)
        if rules is not None and taken is not None:
            message = f"has a server name that an earlier TLS rule or server takes on port {server.declared_port}; the match is left out"
            self.found.append(codes.SNI_TAKEN.warning(rules, path, message, hint="list a server name once per port"))
            return False
        cut = self._claims.take(chain)
        if taken is not None:
            kept = set(cut.match.server_names) if cut else set()
            lost = [name for name in chain.match.server_names if name not in kept] or ["every server name"]
            message = f"{', '.join(lost)} on port {server.declared_port} is taken by an earlier TLS rule or server; the first wins"
            self.found.append(codes.SNI_TAKEN.warning(server.gateway, path, message))
        if cut is None:
            return False
        self.chains.append(cut)
        self.provenance[server.gateway] = None
        return True

    def _virtual_services(self, server: GatewayServer) -> tuple[ResolvedVirtualService, ...]:
        return tuple(
            item
            for item in self.ctx.derive(gateway_virtual_services, self.view.namespace, server.binding_key)
            if any(matches(host, own) for host in item.hosts for own in hosts_for_namespace(server, item.namespace))
        )

    def _client(self, server: GatewayServer) -> L4Client:
        namespace = self.view.namespace
        return L4Client(
            namespace,
            self.view.labels,
            server.binding_key,
            server.declared_port,
            lambda host: self.ctx.derive(service, namespace, host),
        )
