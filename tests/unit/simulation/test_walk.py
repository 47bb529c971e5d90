"""Whole walks, over hand-written and over compiled configurations."""

from __future__ import annotations

import pytest

from meshctl_operator.compiler.compiler import compile_proxy
from meshctl_operator.simulation import (
    Answered,
    Answerer,
    Capture,
    Closed,
    Connection,
    Draws,
    Forwarded,
    NotSimulated,
    Outcome,
    Proxied,
    ProxyConfig,
    Redirected,
    Request,
    Stage,
    Trace,
    simulate,
    simulate_request,
)
from tests.support.mesh_text import TextMesh
from tests.support.route_mesh import BOOKINFO
from tests.support.simulations import http_chain, listener, manager, proxy_config, route_configuration, served_config, tcp_chain
from tests.support.world import ROUTER, SIDECAR

HERE = Connection("10.0.0.1", 80)
TLS = {"name": "envoy.transport_sockets.tls"}


@pytest.fixture(scope="module", name="bookinfo")
def compiled_bookinfo() -> dict[str, ProxyConfig]:
    """What the ingress gateway and a sidecar of bookinfo are served."""
    mesh = TextMesh(BOOKINFO)
    return {proxy.name: served_config(mesh.evaluate(compile_proxy, proxy)) for proxy in (ROUTER, SIDECAR)}


def cluster_of(trace: Trace) -> str:
    """Return the cluster that a request is forwarded to."""
    assert isinstance(trace.outcome, Forwarded), trace.outcome
    return trace.outcome.cluster


def test_bookinfo_gateway(bookinfo: dict[str, ProxyConfig]) -> None:
    """The gateway of bookinfo serves two paths and answers the rest 404."""
    gateway = bookinfo[ROUTER.name]
    trace = simulate(gateway, Connection("10.1.1.1", 8080), Request("shop.com", "/static/x?y"))
    assert cluster_of(trace) == "outbound|9080||productpage.default.svc.cluster.local"
    assert trace.route is not None
    assert (trace.route.index, trace.route.config) == (1, "/apis/networking.istio.io/v1/namespaces/default/virtual-service/bookinfo")
    assert [(trial.name, trial.reason) for trial in trace.trials if trial.stage is Stage.ROUTE] == [
        ("*:80 routes[0]", 'path "/static/x" is not "/productpage"'),
        ("*:80 routes[1]", ""),
    ]
    assert simulate(gateway, Connection("10.1.1.1", 8080), Request("shop.com", "/x")).outcome == Answered(404, Answerer.NO_ROUTE)


def test_bookinfo_sidecar(bookinfo: dict[str, ProxyConfig]) -> None:
    """A sidecar sends jason to v2 and everybody else by weight; what it does not know goes where it was going."""
    sidecar, reviews = bookinfo[SIDECAR.name], Connection("10.96.0.14", 9080, Capture.OUTBOUND)
    jason = Request("reviews:9080", "/reviews/0", headers=(("End-User", "jason"),))
    assert cluster_of(simulate(sidecar, reviews, jason)) == "outbound|9080|v2|reviews.default.svc.cluster.local"
    drawn = [cluster_of(simulate(sidecar, reviews, Request("reviews"), Draws(draw))) for draw in (79, 80)]
    assert drawn == [f"outbound|9080|{subset}|reviews.default.svc.cluster.local" for subset in ("v1", "v3")]
    assert cluster_of(simulate(sidecar, reviews, Request("elsewhere.com"))) == "PassthroughCluster"
    assert simulate(sidecar, Connection("1.2.3.4", 99, Capture.OUTBOUND)).outcome == Proxied("PassthroughCluster")
    assert cluster_of(simulate(sidecar, Connection("10.1.0.1", 99, Capture.INBOUND), Request("a"))) == "InboundPassthroughCluster"


@pytest.mark.parametrize(
    ("chain", "connection", "request_", "outcome"),
    [
        (tcp_chain("c"), HERE, None, Proxied("c", known=False)),
        (http_chain("r"), HERE, None, Closed("the filter chain expects HTTP, and the client speaks something else")),
        (http_chain("r"), HERE, Request("a"), Answered(404, Answerer.NO_ROUTE)),
        (
            {**http_chain("r"), "transport_socket": TLS},
            HERE,
            Request("a"),
            Closed("the filter chain expects TLS, and the client speaks plain text"),
        ),
        (
            http_chain("r"),
            Connection("10.0.0.1", 80, tls=True),
            Request("a"),
            Closed("the filter chain expects plain HTTP, and the client speaks TLS"),
        ),
        (tcp_chain("c", {"destination_port": 81}), HERE, None, Closed("no filter chain takes the connection")),
        ({"name": "empty"}, HERE, None, Closed("the filter chain has no filter that ends it")),
    ],
)
def test_ends(chain: dict[str, object], connection: Connection, request_: Request | None, outcome: Outcome) -> None:
    """A connection may end at each step, and the trace says where."""
    assert simulate(proxy_config(listener(filter_chains=[chain]), clusters=()), connection, request_).outcome == outcome


def test_nothing_listens() -> None:
    """Without a listener the connection is refused."""
    assert simulate(proxy_config(), HERE).outcome == Closed("nothing listens on 10.0.0.1:80")


def test_tcp_weights() -> None:
    """A TCP proxy draws among its clusters."""
    weights = {"clusters": [{"name": "a", "weight": 1}, {"name": "b", "weight": 2}]}
    chain = tcp_chain("", weighted_clusters=weights)
    del chain["filters"][0]["typed_config"]["cluster"]
    config = proxy_config(listener(filter_chains=[chain]))
    assert [simulate(config, HERE, None, Draws(draw)).outcome for draw in range(4)] == [Proxied(name) for name in "abba"]


def test_tls_redirect() -> None:
    """A virtual host that wants TLS redirects plain requests, and serves those over TLS."""
    host = {
        "name": "h",
        "domains": ["*"],
        "require_tls": "ALL",
        "routes": [{"match": {"prefix": "/"}, "direct_response": {"status": 204}}],
    }
    config, http = proxy_config(route_configuration("r", host)), manager(rds={"route_config_name": "r"}, use_remote_address=True)
    assert simulate_request(config, http, HERE, Request("a.com", "/x?y")).outcome == Redirected(301, "https://a.com/x?y")
    over_tls = Connection("10.0.0.1", 443, tls=True)
    assert simulate_request(config, http, over_tls, Request("a.com")).outcome == Answered(204, Answerer.DIRECT_RESPONSE)


def test_faults_come_before_the_action() -> None:
    """A request that is aborted goes nowhere, but its route is told with all its facts."""
    fault = {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault",
        "abort": {"http_status": 555, "percentage": {"numerator": 100}},
    }
    one = {
        "name": "one",
        "match": {"prefix": "/"},
        "route": {"cluster": "c", "timeout": "3s"},
        "typed_per_filter_config": {"envoy.filters.http.fault": fault},
        "response_headers_to_add": [{"header": {"key": "x", "value": "1"}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}],
    }
    config = proxy_config(route_configuration("r", {"name": "h", "domains": ["*"], "routes": [one]}))
    trace = simulate_request(config, manager(rds={"route_config_name": "r"}), HERE, Request("a"))
    assert trace.outcome == Answered(555, Answerer.FAULT)
    assert trace.route is not None
    assert trace.route.name == "one"
    assert trace.route.response.overwritten == (("x", "1"),)
    assert trace.route.fault is not None


def test_what_is_not_simulated_ends_the_walk_where_it_matters() -> None:
    """A route with a condition that cannot be simulated stops only requests that fit all else."""
    secret = {"prefix": "/a", "tls_context": {"presented": True}}
    routes = [{"match": secret, "direct_response": {"status": 204}}, {"match": {"prefix": "/"}, "direct_response": {"status": 200}}]
    config = proxy_config(route_configuration("r", {"name": "h", "domains": ["*"], "routes": routes}))
    http = manager(rds={"route_config_name": "r"})
    assert simulate_request(config, http, HERE, Request("a", "/a")).outcome == NotSimulated("tls_context")
    assert simulate_request(config, http, HERE, Request("a", "/b")).outcome == Answered(200, Answerer.DIRECT_RESPONSE)
