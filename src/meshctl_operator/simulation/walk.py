"""Walk one connection, and the request on it, through the configuration of a proxy as Envoy would."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from envoy.config.listener.v3 import listener_components_pb2
from envoy.config.route.v3 import route_components_pb2, route_pb2
from envoy.extensions.filters.network.tcp_proxy.v3 import tcp_proxy_pb2

from meshctl_operator.base.durations import Duration
from meshctl_operator.simulation.actions import (
    answer,
    forward,
    read_mirrors,
    read_retry,
    redirect,
    redirect_to_tls,
)
from meshctl_operator.simulation.config import ProxyConfig
from meshctl_operator.simulation.connection_managers import Manager, receive
from meshctl_operator.simulation.filter_chains import TLS, select_chain
from meshctl_operator.simulation.filters import answer_preflight, apply_fault, route_cors, route_fault
from meshctl_operator.simulation.header_operations import joined, response_change
from meshctl_operator.simulation.headers import AUTHORITY, FORWARDED_PROTO, Headers
from meshctl_operator.simulation.listeners import inspect, select_listener
from meshctl_operator.simulation.matches import mismatch, unsupported
from meshctl_operator.simulation.requests import Connection, Draws, Request
from meshctl_operator.simulation.traces import (
    Answered,
    Answerer,
    Closed,
    Forwarded,
    NotSimulated,
    Outcome,
    Proxied,
    RouteFacts,
    Stage,
    Trace,
    Trial,
)
from meshctl_operator.simulation.values import read_duration
from meshctl_operator.simulation.virtual_hosts import select_virtual_host

_MANAGER: Final = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_TCP_PROXY: Final = "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy"
_NOT_FOUND: Final = 404
_USUAL: Final = Draws()


def simulate(config: ProxyConfig, connection: Connection, request: Request | None = None, draws: Draws = _USUAL) -> Trace:
    """Return what becomes of a connection, and of the HTTP request on it if there is one, with all that was tried on the way."""
    return _Walk(config, connection, request, draws).run()


def simulate_request(config: ProxyConfig, manager: Manager, connection: Connection, request: Request, draws: Draws = _USUAL) -> Trace:
    """Return what becomes of a request that has reached a connection manager already."""
    walk = _Walk(config, connection, request, draws)
    return walk.ended(walk.serve(manager, request))


@dataclass(slots=True)
class _Walk:
    """One walk, with what has been found so far."""

    config: ProxyConfig
    connection: Connection
    request: Request | None
    draws: Draws
    trials: list[Trial] = field(default_factory=list)
    listener: str = ""
    chain: str = ""
    route: RouteFacts | None = None
    delayed: Duration | None = None

    def ended(self, outcome: Outcome) -> Trace:
        return Trace(tuple(self.trials), outcome, self.listener, self.chain, self.route, self.delayed)

    def run(self) -> Trace:
        listener, trials = select_listener(self.config.listeners, self.connection)
        self.trials += trials
        if listener is None:
            return self.ended(Closed(f"nothing listens on {self.connection.address}:{self.connection.port}"))
        self.listener = listener.name
        seen = inspect(listener, self.connection, self.request.version if self.request is not None else None)
        chain, trials = select_chain(listener, self.connection, seen)
        self.trials += trials
        if chain is None:
            return self.ended(Closed("no filter chain takes the connection"))
        self.chain = chain.name
        terminates = chain.HasField("transport_socket") and TLS in chain.transport_socket.name
        if terminates and not self.connection.tls:
            return self.ended(Closed("the filter chain expects TLS, and the client speaks plain text"))
        return self.ended(self._network(chain, terminates=terminates))

    def _network(self, chain: listener_components_pb2.FilterChain, *, terminates: bool) -> Outcome:
        """Return what the network filters do: the first that ends the chain decides."""
        for entry in chain.filters:
            kind = entry.typed_config.TypeName()
            if kind == _TCP_PROXY:
                proxy = tcp_proxy_pb2.TcpProxy.FromString(entry.typed_config.value)
                return self._proxied(proxy)
            if kind == _MANAGER:
                if self.connection.tls and not terminates:
                    return Closed("the filter chain expects plain HTTP, and the client speaks TLS")
                if self.request is None:
                    return Closed("the filter chain expects HTTP, and the client speaks something else")
                return self.serve(Manager.FromString(entry.typed_config.value), self.request)
        return Closed("the filter chain has no filter that ends it")

    def _proxied(self, proxy: tcp_proxy_pb2.TcpProxy) -> Outcome:
        cluster = proxy.cluster
        if proxy.WhichOneof("cluster_specifier") == "weighted_clusters":
            left = self.draws.route % sum(entry.weight for entry in proxy.weighted_clusters.clusters)
            for entry in proxy.weighted_clusters.clusters:
                cluster = entry.name
                left -= entry.weight
                if left < 0:
                    break
        self.trials.append(Trial(Stage.CLUSTER, cluster, "" if self.config.knows(cluster) else "there is no such cluster"))
        return Proxied(cluster, self.config.knows(cluster))

    def serve(self, manager: Manager, request: Request) -> Outcome:
        """Return what an HTTP connection manager does with the request."""
        headers, early, trials = receive(manager, self.connection, request)
        self.trials += trials
        if early is not None:
            return early
        if manager.WhichOneof("route_specifier") == "rds":
            configuration = self.config.routes.get(manager.rds.route_config_name)
        else:
            configuration = manager.route_config
        if configuration is None:
            name = manager.rds.route_config_name
            self.trials.append(Trial(Stage.VIRTUAL_HOST, name, "there is no such route configuration"))
            return Answered(_NOT_FOUND, Answerer.NO_ROUTE)
        return self._routed(manager, configuration, headers)

    def _routed(self, manager: Manager, configuration: route_pb2.RouteConfiguration, headers: Headers) -> Outcome:
        authority = headers.text(AUTHORITY)
        found = select_virtual_host(configuration, authority)
        if found is None:
            reason = f'none of {len(configuration.virtual_hosts)} virtual hosts has a domain for "{authority}"'
            self.trials.append(Trial(Stage.VIRTUAL_HOST, configuration.name, reason))
            return Answered(_NOT_FOUND, Answerer.NO_ROUTE)
        host, domain = found
        self.trials.append(Trial(Stage.VIRTUAL_HOST, host.name, note=f"by its domain {domain}"))
        if host.require_tls == host.ALL and headers.text(FORWARDED_PROTO) != "https":
            self.route = RouteFacts(configuration.name, host.name, domain, -1, "", timeout=None)
            return redirect_to_tls(headers)
        for index, route in enumerate(host.routes):
            reason = mismatch(route.match, headers, self.draws.route)
            if not reason and (missing := unsupported(route.match)):
                return NotSimulated(missing)
            self.trials.append(Trial(Stage.ROUTE, route.name or f"{host.name} routes[{index}]", reason))
            if not reason:
                return self._taken(manager, (configuration, host, route), headers, domain, index)
        return Answered(_NOT_FOUND, Answerer.NO_ROUTE)

    def _taken(
        self,
        manager: Manager,
        levels: tuple[route_pb2.RouteConfiguration, route_components_pb2.VirtualHost, route_components_pb2.Route],
        headers: Headers,
        domain: str,
        index: int,
    ) -> Outcome:
        """Note the facts of the route, and return what its filters and its action do."""
        configuration, host, route = levels
        outcome, drawn = self._action(levels, headers)
        action, forwards = route.route, route.HasField("route")
        fault, cors = route_fault(manager, route), route_cors(manager, route, headers)
        answering = [level for level in (drawn, route, host, configuration) if level is not None]
        self.route = RouteFacts(
            configuration.name,
            host.name,
            domain,
            index,
            route.name,
            config=_config_of(route),
            timeout=read_duration(action.timeout) if action.HasField("timeout") else None,
            retry=read_retry(action) if forwards else None,
            weights=tuple((cluster.name, cluster.weight.value) for cluster in action.weighted_clusters.clusters),
            mirrors=read_mirrors(self.config, action),
            fault=fault,
            cors=cors,
            response=joined(
                response_change(level.response_headers_to_add, level.response_headers_to_remove, headers) for level in answering
            ),
        )
        self.delayed, aborted = apply_fault(fault, self.draws)
        early = aborted or answer_preflight(cors, headers)
        if early is not None:
            return early
        if isinstance(outcome, Forwarded):
            self.trials.append(Trial(Stage.CLUSTER, outcome.cluster, "" if outcome.known else "there is no such cluster"))
        return outcome

    def _action(
        self,
        levels: tuple[route_pb2.RouteConfiguration, route_components_pb2.VirtualHost, route_components_pb2.Route],
        headers: Headers,
    ) -> tuple[Outcome, route_components_pb2.WeightedCluster.ClusterWeight | None]:
        route = levels[2]
        match route.WhichOneof("action"):
            case "route":
                return forward(self.config, levels, headers, self.draws.route)
            case "redirect":
                return redirect(route, headers), None
            case "direct_response":
                return answer(route), None
            case other:
                return NotSimulated(str(other)), None


def _config_of(route: route_components_pb2.Route) -> str:
    """Return the path of the VirtualService that the route is from, in Istio's metadata form."""
    if "istio" not in route.metadata.filter_metadata:
        return ""
    fields = route.metadata.filter_metadata["istio"].fields
    return str(fields["config"].string_value) if "config" in fields else ""
