"""Which servers of which Gateways a gateway workload serves."""

from __future__ import annotations

import pytest

from meshctl_operator.apis.kinds import Kind
from meshctl_operator.base.diagnostics import Severity
from meshctl_operator.base.labels import freeze
from meshctl_operator.model.gateways import (
    GatewayServer,
    MergedGateway,
    hosts_for_namespace,
    merged_gateway,
    normalized_hosts,
    port_translation,
)
from meshctl_operator.model.proxies import LocalBinding
from meshctl_operator.model.views import GatewayView
from tests.support.mesh_text import TextMesh

LABELS = freeze({"istio": "ingressgateway"})
VIEW = GatewayView("istio-system", LABELS)


def gateway(
    *servers: str, name: str = "gw", namespace: str = "default", year: int = 2020, selector: str = "{istio: ingressgateway}"
) -> str:
    """Return a Gateway with servers in flow YAML."""
    listed = "\n".join(f"  - {server}" for server in servers)
    return f"""
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {{name: {name}, namespace: {namespace}, creationTimestamp: "{year}-01-01T00:00:00Z"}}
spec:
  selector: {selector}
  servers:
{listed}
"""


def http(port: int = 80, hosts: str = "['*']", extra: str = "") -> str:
    """Return an HTTP server."""
    return f"{{port: {{number: {port}, name: http-{port}, protocol: HTTP}}, hosts: {hosts}{extra}}}"


def https(hosts: str, name: str = "https", mode: str = "SIMPLE, credentialName: bk", extra: str = "", protocol: str = "HTTPS") -> str:
    """Return a server with TLS on port 443."""
    return f"{{port: {{number: 443, name: {name}, protocol: {protocol}}}, hosts: {hosts}, tls: {{mode: {mode}}}{extra}}}"


def merge(text: str, view: GatewayView = VIEW, switches: tuple[tuple[str, str], ...] = ()) -> MergedGateway:
    """Return what the workload serves."""
    return TextMesh(text, switches=switches).evaluate(merged_gateway, view)


def shown(merged: MergedGateway) -> list[tuple[str, int]]:
    """Return Gateway name and server index of what is served."""
    return [(server.gateway.name, server.index) for server in merged.servers]


@pytest.mark.parametrize(
    ("selector", "selected"),
    [
        ("{istio: ingressgateway}", True),
        ("{istio: egressgateway}", False),
        ("{}", True),
        ("null", True),
        ("{istio: ingressgateway, a: b}", False),
    ],
)
def test_selector(selector: str, *, selected: bool) -> None:
    """A Gateway applies to workloads that carry every label of its selector; without a selector to all."""
    assert bool(merge(gateway(http(), selector=selector)).servers) is selected


def test_scope_switch() -> None:
    """With PILOT_SCOPE_GATEWAY_TO_NAMESPACE only Gateways of the workload's own namespace apply."""
    text = gateway(http()) + gateway(http(81), namespace="istio-system", name="own")
    assert shown(merge(text, switches=(("PILOT_SCOPE_GATEWAY_TO_NAMESPACE", "true"),))) == [("own", 0)]


SERVICE = """
---
apiVersion: v1
kind: Service
metadata: {name: %s, namespace: istio-system, creationTimestamp: "%d-01-01T00:00:00Z", labels: {%s}}
spec: {clusterIP: 10.0.0.1, selector: {istio: ingressgateway}, ports: [{name: http, port: 80, targetPort: %s}, {name: x, port: 99}]}
"""


def test_port_translation() -> None:
    """The listen port is the target port of the oldest Service that selects the workload; a port of no Service stays as it is."""
    text = SERVICE % ("young", 2022, "", 9090) + SERVICE % ("old", 2020, "", 8080) + gateway(http(80), http(81))
    merged = merge(text)
    assert [(server.declared_port, server.port, server.route_name) for server in merged.servers] == [
        (80, 8080, "http.8080"),
        (81, 81, "http.81"),
    ]


def test_port_translation_opt_out() -> None:
    """A Service with the opt-out label translates nothing."""
    mesh = TextMesh(SERVICE % ("a", 2020, 'experimental.istio.io/disable-gateway-port-translation: "true"', 8080))
    assert mesh.evaluate(port_translation, "istio-system", LABELS) == ()


def test_named_target_port() -> None:
    """A target port given by name is looked up in the containers of the workload."""
    pod = """
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: gw, namespace: istio-system}
spec: {template: {metadata: {labels: {istio: ingressgateway}}, spec: {containers: [{name: p, ports: [{name: web, containerPort: 7777}]}]}}}
"""
    mesh = TextMesh(SERVICE % ("a", 2020, "", "web") + pod)
    assert mesh.evaluate(port_translation, "istio-system", LABELS) == ((80, 7777), (99, 99))


def test_http_servers_merge() -> None:
    """HTTP servers of a port share one route configuration, the oldest Gateway first."""
    merged = merge(gateway(http(hosts="[b.com]"), name="young", year=2022) + gateway(http(hosts="[a.com]"), name="old", year=2021))
    assert shown(merged) == [("old", 0), ("young", 0)]
    assert merged.listener_keys() == (("0.0.0.0", 80),)
    assert [server.hosts for server in merged.servers_of_route("http.80")] == [("a.com",), ("b.com",)]
    assert len(merged.servers_of_listener("0.0.0.0", 80)) == 2


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("{port: {number: 80, name: a, protocol: TCP}, hosts: ['*']}", http()),
        (http(), "{port: {number: 80, name: a, protocol: TCP}, hosts: ['*']}"),
        ("{port: {number: 80, name: a, protocol: TCP}, hosts: ['*']}", "{port: {number: 80, name: b, protocol: TCP}, hosts: ['*']}"),
        (http(443), https("[a.com]")),
        (https("[a.com]"), http(443)),
    ],
)
def test_protocols_that_cannot_share(first: str, second: str) -> None:
    """A port is shared by HTTP servers, or by TLS servers; anything else loses to the older one, which is named."""
    merged = merge(gateway(first, name="winner", year=2020) + gateway(second, name="loser", year=2021))
    assert shown(merged) == [("winner", 0)]
    (finding,) = merged.diagnostics
    assert (finding.code, finding.severity, finding.subject.name) == ("MC2103", Severity.ERROR, "loser")
    assert "Gateway default/winner spec.servers[0]" in finding.message


def test_other_bind_is_another_listener() -> None:
    """The same port on another address never conflicts; the route name tells the address."""
    merged = merge(gateway(http(extra=", bind: 10.0.0.1"), "{port: {number: 80, name: t, protocol: TCP}, hosts: ['*']}"))
    assert merged.diagnostics == ()
    assert [(server.address, server.route_name) for server in merged.servers] == [("10.0.0.1", "http.80.10.0.0.1"), ("0.0.0.0", None)]


@pytest.mark.parametrize(("bind", "address"), [("::ffff:10.0.0.1", "10.0.0.1"), ("FD00:0::1", "fd00::1"), ("10.0.0.1", "10.0.0.1")])
def test_spelling_of_a_bind_address(bind: str, address: str) -> None:
    """However an address is spelt, it is one listener; IPv4 in the clothes of IPv6 is IPv4, since no socket takes the other."""
    merged = merge(gateway(http(extra=f', bind: "{bind}"')))
    assert [server.address for server in merged.servers] == [address]


def test_wildcard_bind_is_the_same_listener() -> None:
    """Binding to 0.0.0.0 in words is the same listener as binding to nothing, with one set of routes."""
    merged = merge(gateway(http(), http(hosts="[a.com]", extra=", bind: 0.0.0.0")))
    assert merged.listener_keys() == (("0.0.0.0", 80),)
    assert {server.route_name for server in merged.servers} == {"http.80"}


def test_https_servers() -> None:
    """Each terminating HTTPS server has its own routes, named after port, port name and Gateway."""
    merged = merge(gateway(https("[b.com]", "one"), https("[a.com]", "two", extra=", bind: 10.0.0.1")))
    assert [server.route_name for server in merged.servers] == ["https.443.one.gw.default", "https.443.two.gw.default.10.0.0.1"]
    assert all(server.terminates_tls for server in merged.servers)


def test_tls_and_https_share() -> None:
    """Servers with TLS share a port whatever their protocol is called; pass-through has no routes."""
    merged = merge(
        gateway(https("[a.com]"), https("[b.com]", "pass", "PASSTHROUGH", protocol="TLS"), https("[c.com]", "tcp", protocol="TLS"))
    )
    assert [server.route_name for server in merged.servers] == ["https.443.https.gw.default", None, None]
    assert [server.terminates_tls for server in merged.servers] == [True, False, True]


@pytest.mark.parametrize(
    ("older", "younger"),
    [("[a.com]", "[b.com, a.com]"), ("[ns1/a.com]", "[ns2/a.com]"), ("[a.com]", "[ns1/A.com]"), ("['ns1/*']", "['*']")],
)
def test_hosts_are_served_once(older: str, younger: str) -> None:
    """Of two terminating servers with one host on a port the younger is left out, also where only the namespace differs."""
    merged = merge(gateway(https(older), name="older", year=2020) + gateway(https(younger), name="younger", year=2021))
    assert shown(merged) == [("older", 0)]
    (finding,) = merged.diagnostics
    assert (finding.code, finding.istio_code) == ("MC2102", "IST0145")
    assert "Gateway default/older" in finding.message


def test_passthrough_hosts_of_namespaces() -> None:
    """Pass-through servers with hosts for different namespaces stand beside each other: their chains come from VirtualServices."""
    merged = merge(gateway(https("['ns1/*']", "a", "PASSTHROUGH"), https("['ns2/*']", "b", "PASSTHROUGH")))
    assert len(merged.servers) == 2


def test_port_name_taken() -> None:
    """Two terminating servers with one port name would share routes; the second is left out."""
    merged = merge(gateway(https("[a.com]"), https("[b.com]")))
    assert shown(merged) == [("gw", 0)]
    assert merged.diagnostics[0].code == "MC2104"


@pytest.mark.parametrize(
    ("mode", "terminates"),
    [
        ("SIMPLE", True),
        ("MUTUAL", True),
        ("OPTIONAL_MUTUAL", True),
        ("ISTIO_MUTUAL", True),
        ("PASSTHROUGH", False),
        ("AUTO_PASSTHROUGH", False),
    ],
)
def test_modes(mode: str, *, terminates: bool) -> None:
    """Every mode is served; only a server that ends TLS has routes of its own."""
    (server,) = merge(gateway(https("[a.com]", "one", mode))).servers
    assert server.terminates_tls is terminates
    assert (server.route_name is not None) is terminates


@pytest.mark.parametrize(
    ("server", "path"),
    [
        ("{hosts: ['*']}", "port.number"),
        ("{port: {number: 70000, name: a, protocol: HTTP}, hosts: ['*']}", "port.number"),
        ("{port: {number: 80, name: a, protocol: SMTP}, hosts: ['*']}", "port.protocol"),
        ("{port: {number: 80, name: a, protocol: UDP}, hosts: ['*']}", "port.protocol"),
        ("{port: {number: 80, name: a, protocol: HTTP}, hosts: ['*'], bind: 'unix:///tmp/a'}", "port.number"),
        ("{port: {number: 80, name: a, protocol: HTTP}, hosts: ['*'], bind: localhost}", "bind"),
        ("{port: {number: 80, name: a, protocol: HTTP}, hosts: []}", "hosts"),
        ("{port: {number: 443, name: a, protocol: HTTPS}, hosts: ['*']}", "tls"),
        ("{port: {number: 80, name: a, protocol: TCP}, hosts: ['*'], tls: {mode: SIMPLE}}", "tls"),
        ("{port: {number: 80, name: a, protocol: HTTP}, hosts: ['*'], tls: {mode: SIMPLE, credentialName: x}}", "tls.mode"),
    ],
)
def test_unusable_servers(server: str, path: str) -> None:
    """A server that no listener can be made of is reported at the field, and the others are served."""
    merged = merge(gateway(server, http(8080)))
    assert shown(merged) == [("gw", 1)]
    (finding,) = merged.diagnostics
    assert (finding.code, finding.path) == ("MC2101", f"spec.servers[0].{path}")


def test_https_redirect_is_plain_text() -> None:
    """An HTTP server that only redirects to https is a plain-text server."""
    (server,) = merge(gateway(http(extra=", tls: {httpsRedirect: true}"))).servers
    assert (server.route_name, server.terminates_tls) == ("http.80", False)


def test_unprivileged() -> None:
    """An unprivileged workload opens no port below 1024, unless it is translated to a higher one."""
    view = GatewayView("istio-system", LABELS, unprivileged=True)
    assert merge(gateway(http()), view).diagnostics[0].code == "MC2109"
    assert merge(SERVICE % ("a", 2020, "", 8080) + gateway(http()), view).diagnostics == ()


def test_local_mesh_binds_one_address() -> None:
    """In the local mesh every server listens on the address of the workload."""
    view = GatewayView("istio-system", LABELS, local=LocalBinding("127.0.0.5"))
    assert merge(gateway(http(extra=", bind: 10.0.0.1")), view).servers[0].address == "127.0.0.5"


def test_ipv6_wildcard() -> None:
    """A workload with IPv6 addresses alone listens on ``::``."""
    assert merge(gateway(http()), GatewayView("istio-system", LABELS, ipv6=True)).servers[0].address == "::"


@pytest.mark.parametrize(
    ("hosts", "expected"),
    [
        (["./a.com"], ("shop/a.com",)),
        (["*/a.com", "a.com"], ("a.com",)),
        (["b.com", "*/*", "a.com"], ("*",)),
        (["ns/a.com", "ns/*"], ("ns/a.com", "ns/*")),
    ],
)
def test_normalized_hosts(hosts: list[str], expected: tuple[str, ...]) -> None:
    """``.`` is the Gateway's namespace, ``*/`` means nothing, and ``*/*`` is every host."""
    assert normalized_hosts(hosts, "shop") == expected


def test_hosts_for_namespace() -> None:
    """A host with a namespace counts only for VirtualServices of that namespace."""
    (server,) = merge(gateway(http(hosts="[prod/a.com, b.com]"))).servers
    assert hosts_for_namespace(server, "prod") == ("a.com", "b.com")
    assert hosts_for_namespace(server, "dev") == ("b.com",)


def test_paths_and_keys() -> None:
    """A server knows where it stands and by which name VirtualServices bind to it."""
    server: GatewayServer = merge(gateway(http(), http(81))).servers[1]
    assert (server.path, server.binding_key) == ("spec.servers[1]", "default/gw")


def test_a_deleted_gateway_frees_its_claims() -> None:
    """When the winner goes, the server that lost to it is served."""
    mesh = TextMesh(gateway(https("[a.com]"), name="old", year=2020) + gateway(https("[a.com]"), name="young", year=2021))
    assert shown(mesh.evaluate(merged_gateway, VIEW)) == [("old", 0)]
    mesh.delete(Kind.GATEWAY, "default", "old")
    assert shown(mesh.evaluate(merged_gateway, VIEW)) == [("young", 0)]


def test_unix_sockets() -> None:
    """A Unix socket has no port; two servers on different sockets never meet."""
    merged = merge(
        gateway(
            "{port: {number: 0, name: a, protocol: HTTP}, bind: 'unix:///run/a', hosts: ['*']}",
            "{port: {number: 0, name: b, protocol: TCP}, bind: 'unix:///run/b', hosts: ['*']}",
            "{port: {number: 80, name: c, protocol: HTTP}, bind: 'unix:///run/c', hosts: ['*']}",
            "{port: {number: 0, name: d, protocol: HTTP}, bind: 'unix:///run/', hosts: ['*']}",
        )
    )
    assert [(server.address, server.port) for server in merged.servers] == [("unix:///run/a", 0), ("unix:///run/b", 0)]
    assert [finding.path for finding in merged.diagnostics] == ["spec.servers[2].port.number", "spec.servers[3].bind"]
