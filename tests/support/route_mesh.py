"""Meshes and views for tests of routes: the worked example of bookinfo, and short ways to compile and show route configurations."""

from __future__ import annotations

from typing import Any

from meshctl_operator.base.diagnostics import Diagnostic
from meshctl_operator.compiler.emit.routes import emit_route_configuration
from meshctl_operator.compiler.findings import mesh_findings
from meshctl_operator.compiler.inputs.routes import RouteConfigurationInput, VirtualHostInput
from meshctl_operator.model.proxies import ProxyRole
from meshctl_operator.model.views import GatewayView, OutboundView
from tests.support.mesh_text import TextMesh, as_json
from tests.support.plans import plan_gateway_route, plan_sidecar_route

SIDECAR = OutboundView(ProxyRole.SIDECAR, "default", "default.svc.cluster.local")
INGRESS = GatewayView("istio-system", (("istio", "ingressgateway"),))

BUILT_IN_RETRY = {
    "num_retries": 2,
    "retry_on": "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes",
    "host_selection_retry_max_attempts": "5",
    "retry_host_predicate": [
        {
            "name": "envoy.retry_host_predicates.previous_hosts",
            "typed_config": {"@type": "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"},
        }
    ],
}


def service(name: str, address: str = "", *ports: int, namespace: str = "default", protocol: str = "http") -> str:
    """Return a Kubernetes Service; without ports it has 9080."""
    listed = ", ".join(f"{{name: {protocol}-{port}, port: {port}}}" for port in ports or (9080,))
    spec = f"{{clusterIP: {address or 'None'}, ports: [{listed}]}}"
    return f"---\napiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: {namespace}}}\nspec: {spec}\n"


def virtual_service(name: str, spec: str, *, namespace: str = "default", created: str = "2024-01-01T00:00:00Z") -> str:
    """Return a VirtualService with a spec in YAML flow style."""
    meta = f'{{name: {name}, namespace: {namespace}, creationTimestamp: "{created}"}}'
    return f"---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {meta}\nspec: {spec}\n"


def gateway(spec: str, name: str = "bookinfo-gateway", *, namespace: str = "default") -> str:
    """Return a Gateway with a spec in YAML flow style."""
    return f"---\napiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {{name: {name}, namespace: {namespace}}}\nspec: {spec}\n"


def destination_rule(name: str, spec: str, *, namespace: str = "default") -> str:
    """Return a DestinationRule with a spec in YAML flow style."""
    return f"---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {{name: {name}, namespace: {namespace}}}\nspec: {spec}\n"


HTTP_SERVER = '{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}'

INGRESS_SERVICE = """---
apiVersion: v1
kind: Service
metadata: {name: istio-ingressgateway, namespace: istio-system}
spec: {clusterIP: 10.96.1.1, selector: {istio: ingressgateway}, ports: [{name: http2, port: 80, targetPort: 8080}]}
"""

SERVICES = "".join(
    service(name, f"10.96.0.{11 + index}")
    + destination_rule(name, f"{{host: {name}, subsets: [{{name: v1}}, {{name: v2}}, {{name: v3}}]}}")
    for index, name in enumerate(("details", "productpage", "ratings", "reviews"))
)

GATEWAY = gateway(f"{{selector: {{istio: ingressgateway}}, servers: [{HTTP_SERVER}]}}")

VS_BOOKINFO = virtual_service(
    "bookinfo",
    """
  hosts: ["*"]
  gateways: [bookinfo-gateway]
  http:
  - match: [{uri: {exact: /productpage}}, {uri: {prefix: /static}}]
    route: [{destination: {host: productpage, port: {number: 9080}}}]
""",
)

VS_REVIEWS = virtual_service(
    "reviews",
    """
  hosts: [reviews]
  http:
  - name: tester
    match: [{headers: {end-user: {exact: jason}}}]
    route: [{destination: {host: reviews, subset: v2}}]
  - route: [{destination: {host: reviews, subset: v1}, weight: 80}, {destination: {host: reviews, subset: v3}, weight: 20}]
""",
)

VS_RATINGS = virtual_service(
    "ratings",
    """
  hosts: [ratings]
  http:
  - match: [{headers: {end-user: {exact: jason}}}]
    fault: {delay: {percentage: {value: 100}, fixedDelay: 7s}}
    timeout: 10s
    route: [{destination: {host: ratings, subset: v1}}]
  - route: [{destination: {host: ratings, subset: v1}}]
""",
)

BOOKINFO = INGRESS_SERVICE + SERVICES + GATEWAY + VS_BOOKINFO + VS_REVIEWS + VS_RATINGS


def sidecar_input(mesh: TextMesh, name: str = "9080", view: OutboundView = SIDECAR) -> RouteConfigurationInput:
    """Return the Input of a sidecar's route configuration."""
    return mesh.evaluate(plan_sidecar_route, view, name).input


def gateway_input(mesh: TextMesh, name: str = "http.8080", view: GatewayView = INGRESS) -> RouteConfigurationInput:
    """Return the Input of a gateway's route configuration."""
    return mesh.evaluate(plan_gateway_route, view, name).input


def sidecar_json(mesh: TextMesh, name: str = "9080", view: OutboundView = SIDECAR) -> dict[str, Any]:
    """Return a sidecar's route configuration in protobuf JSON."""
    return as_json(emit_route_configuration(sidecar_input(mesh, name, view)))


def gateway_json(mesh: TextMesh, name: str = "http.8080", view: GatewayView = INGRESS) -> dict[str, Any]:
    """Return a gateway's route configuration in protobuf JSON."""
    return as_json(emit_route_configuration(gateway_input(mesh, name, view)))


def gateway_routes(rules: str, *, more: str = "") -> list[dict[str, Any]]:
    """Return the routes that HTTP rules (YAML flow style) give at a gateway which serves every host, in protobuf JSON."""
    mesh = TextMesh(
        INGRESS_SERVICE
        + SERVICES
        + GATEWAY
        + virtual_service("shop", f'{{hosts: ["*"], gateways: [bookinfo-gateway], http: {rules}}}')
        + more
    )
    hosts = gateway_json(mesh)["virtual_hosts"]
    routes: list[dict[str, Any]] = hosts[0].get("routes", []) if hosts[0]["name"] == "*:80" else []
    return routes


def gateway_findings(rules: str, *, more: str = "") -> tuple[Diagnostic, ...]:
    """Return what is found about HTTP rules (YAML flow style) that are bound to a gateway."""
    mesh = TextMesh(
        INGRESS_SERVICE
        + SERVICES
        + GATEWAY
        + virtual_service("shop", f'{{hosts: ["*"], gateways: [bookinfo-gateway], http: {rules}}}')
        + more
    )
    return mesh.evaluate(mesh_findings)


def shown(findings: tuple[Diagnostic, ...]) -> list[tuple[str, str]]:
    """Return code and path of findings."""
    return [(finding.code, finding.path) for finding in findings]


def host_named(route: RouteConfigurationInput, name: str) -> VirtualHostInput:
    """Return the virtual host of that name."""
    return next(host for host in route.virtual_hosts if host.name == name)


def host_names(route: RouteConfigurationInput) -> list[str]:
    """Return the names of the virtual hosts in order."""
    return [host.name for host in route.virtual_hosts]
