"""Real Envoys load every route configuration that we plan, whatever users write: what they would refuse has been left out before."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from meshctl_operator.model.proxies import ProxyRole
from meshctl_operator.model.views import OutboundView
from tests.support.envoy_versions import BINARIES
from tests.support.mesh_text import TextMesh
from tests.support.route_mesh import (
    BOOKINFO,
    GATEWAY,
    INGRESS_SERVICE,
    SERVICES,
    destination_rule,
    gateway_json,
    sidecar_json,
    virtual_service,
)

pytestmark = pytest.mark.envoy

HCM = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
FILTERS = {"fault": "fault.v3.HTTPFault", "cors": "cors.v3.Cors", "router": "router.v3.Router"}
MAX_PROGRAM_SIZE = 32768  # what bootstraps set
LOCAL = OutboundView(ProxyRole.SIDECAR, "default", "default.svc.cluster.local", http_proxy_port=15080, local=True)
TO = "route: [{destination: {host: details}}]"

GOOD = [
    "match: [{uri: {prefix: ''}}, {uri: {exact: ''}}, {uri: {}}, {uri: {exact: '/a b?x#y'}}, {uri: {regex: '/[a-z]{1,90}'}}]",
    "match: [{headers: {x: {regex: '*'}, ':path': {exact: a}, Host: {exact: ''}, y: {}}, withoutHeaders: {x: {}, y: {exact: a}, z: null}}]",
    "match: [{queryParams: {'a b': {exact: ''}, z: {}, y: {regex: '*'}}, statPrefix: 'a b', ignoreUriCase: true}]",
    "match: [{method: {}, scheme: {regex: '.*'}, authority: {prefix: a}}]",
    "rewrite: {uri: 'a b'}",
    "rewrite: {authority: 'a b'}",
    "rewrite: {uri: '%FOO%'}",
    "rewrite: {uri: /x, uriRegexRewrite: {match: '/(a)', rewrite: '/\\1\\0\\\\'}}",
    "timeout: 2000000h",
    "timeout: 1us",
    "retries: {attempts: 3, retryOn: 'foo, 5xx,503,9999,', perTryTimeout: 0s, retryRemoteLocalities: true}",
    "retries: {attempts: 3, backoff: 1000h, retryIgnorePreviousHosts: false}",
    "fault: {delay: {fixedDelay: 1us, percentage: {value: 1000}}, abort: {grpcStatus: OK}}",
    "fault: {delay: {fixedDelay: 1s, percent: -4}, abort: {httpStatus: 599, percentage: {value: 0.0001}}}",
    "mirror: {host: ratings}, mirrorPercent: 1000",
    "mirrors: [{destination: {host: ''}}, {destination: {host: x, subset: y}, percentage: {value: 0.01}}]",
    "corsPolicy: {allowOrigin: ['*', ''], allowHeaders: ['*'], maxAge: 1500ms, allowCredentials: true}",
    "headers: {request: {set: {x: '%REQ(:path)%%%', host: 'a b'}, add: {y: '%START_TIME(%Y)%'}, remove: [X]}, response: {set: {e: 'é'}}}",
]
BAD = [
    "match: [{uri: {regex: '('}}, {uri: {regex: ''}}, {uri: {regex: '/(?=x)'}}, {uri: {regex: '((a{1,30}){1,30}){1,40}'}}]",
    "match: [{headers: {x: {prefix: ''}}}, {headers: {'x y': {}}}, {headers: {'': {}}}, {headers: {':foo': {}}}, {queryParams: {'': {}}}]",
    'match: [{headers: {x: {exact: "a\\nb"}}}, {headers: {x: {exact: "\\0"}}}, {queryParams: {x: {exact: "\\0"}}}, {uri: {exact: "/\\0"}}]',
    'rewrite: {uri: "/a\\nb"}',
    'rewrite: {authority: "a\\0"}',
    "rewrite: {uriRegexRewrite: {match: '/(a)', rewrite: '/\\2'}}",
    "rewrite: {uriRegexRewrite: {match: '(', rewrite: '/x'}}",
    "timeout: -1s",
    "retries: {attempts: 3, backoff: 0s, perTryTimeout: -1s}",
    "retries: {attempts: -3}",
    "fault: {delay: {fixedDelay: 0s, percentage: {value: 10}}, abort: {httpStatus: 600}}",
    "fault: {delay: {exponentialDelay: 1s}, abort: {grpcStatus: FOO}}",
    "mirrors: [{percentage: {value: 2}}, {destination: {host: b}, percentage: {value: -2}}]",
    'corsPolicy: {allowOrigins: [{prefix: ""}, {regex: "("}, {}], allowHeaders: ["a\\nb"], allowMethods: ["F F"]}',
    "headers: {request: {set: {':path': x, 'a b': c, '': d, x: '%', y: '100%', z: '%FOO%', w: '%REQ()%', v: '%SPAN_ID%'}, remove: [host, ':path', '']}}",
    'headers: {response: {set: {host: a, x: "\\0", y: "\\n"}, add: {":status": "3"}, remove: [":status"]}}',
]
ALONE = [
    "{}",
    "{route: [{destination: {host: ''}}]}",
    "{route: [{destination: {host: 'a b|c'}}]}",
    "{route: [{destination: {host: details}}, {destination: {host: ratings}}]}",
    "{route: [{destination: {host: details}}, {destination: {host: ratings}, weight: 7}]}",
    "{route: [{destination: {host: details}, weight: -1}, {destination: {host: ratings}, weight: 7}]}",
    "{route: [" + ", ".join(["{destination: {host: details}, weight: 2147483647}"] * 3) + "]}",
    "{route: [{destination: {host: details}, weight: 1, headers: {request: {set: {host: z, q: '%X%'}}}}, {destination: {host: ratings}, weight: 1}]}",
    "{redirect: {redirectCode: 304}}",
    "{redirect: {redirectCode: 302}}",
    "{redirect: {port: 70000}}",
    "{redirect: {scheme: 'f t p', authority: '%FOO%', uri: '%REQ(x)%'}}",
    '{redirect: {uri: "/a\\nb"}}',
    "{redirect: {prefixRewrite: /x, uri: /y}, match: [{uri: {exact: /q}}]}",
    "{directResponse: {status: 199}}",
    "{directResponse: {status: 600}}",
    "{directResponse: {status: 599, body: {string: '%FOO%'}}, headers: {response: {set: {a: b}}}, corsPolicy: {}}",
    "{directResponse: {status: 200, body: {bytes: AAEC}}}",
]
HOSTS = [
    "a b",
    "a/b",
    "*-foo.com",
    "*foo.com",
    "a*b.com",
    "bar.*",
    "",
    "a:80",
    "é.com",
    "A.com",
    "a.com.",
    "a\\nb",
    "::1",
    "**",
    "*.*.com",
    "x" * 300,
]
RULES = [f"{{{part}, {TO}}}" for part in (*GOOD, *BAD)] + ALONE
HASHES = [
    "{httpHeaderName: x}",
    "{httpCookie: {name: c, ttl: 0s}}",
    "{httpCookie: {name: c, path: /, ttl: 5s}}",
    "{useSourceIp: true}",
    "{httpQueryParameterName: q}",
    "{httpHeaderName: ':path'}",
    "{httpHeaderName: 'a b'}",
    "{httpCookie: {}}",
    "{httpCookie: {name: c, ttl: -1s, attributes: [{name: SameSite, value: Lax}, {}]}}",
]


def many(objects: Iterable[tuple[str, str]], binding: str) -> str:
    """Return a VirtualService for each pair of hosts and rules."""
    return "".join(
        virtual_service(f"v{index}", f'{{hosts: ["{host}"], {binding}http: [{rule}]}}') for index, (host, rule) in enumerate(objects)
    )


def bootstrap(routes: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Return a bootstrap with one listener for each route configuration."""
    filters = [
        {"name": f"envoy.filters.http.{name}", "typed_config": {"@type": f"type.googleapis.com/envoy.extensions.filters.http.{kind}"}}
        for name, kind in FILTERS.items()
    ]
    listeners = []
    for index, route in enumerate(routes):
        manager = {"@type": HCM, "stat_prefix": "x", "route_config": route, "http_filters": filters}
        chain = {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
        address = {"socket_address": {"address": "127.0.0.1", "port_value": 20000 + index}}
        listeners.append({"name": f"l{index}", "address": address, "filter_chains": [chain]})
    runtime = {"layers": [{"name": "static", "static_layer": {"re2.max_program_size.error_level": MAX_PROGRAM_SIZE}}]}
    return {"static_resources": {"listeners": listeners}, "layered_runtime": runtime}


@pytest.fixture(params=sorted(BINARIES))
def loads(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """Return a check that Envoy loads route configurations, once for each end of the supported versions."""

    def check(*routes: dict[str, Any]) -> None:
        file = tmp_path / "bootstrap.json"
        file.write_text(json.dumps(bootstrap(routes)))
        command: list[str | Path] = [BINARIES[request.param](), "--mode", "validate", "-c", file, "-l", "error"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr[-2000:] + done.stdout[-2000:]

    return check


def test_bookinfo(loads: Any) -> None:
    """The worked example is loaded for gateway, sidecar and HTTP proxy port."""
    mesh = TextMesh(BOOKINFO)
    loads(gateway_json(mesh), sidecar_json(mesh), sidecar_json(mesh, "80"), sidecar_json(mesh, "http_proxy", LOCAL))


def test_whatever_users_write(loads: Any) -> None:
    """Every rule, usable or not, leaves a route configuration that Envoy loads, and every usable one is in it."""
    objects = [(f"h{index}.com", rule) for index, rule in enumerate(RULES)]
    objects += [(host, f"{{{TO}}}") for host in HOSTS]
    at_gateway = gateway_json(TextMesh(INGRESS_SERVICE + SERVICES + GATEWAY + many(objects, "gateways: [bookinfo-gateway], ")))
    served = {domain for host in at_gateway["virtual_hosts"] for domain in host["domains"]}
    assert {f"h{index}.com" for index in range(len(GOOD))} <= served
    in_mesh = TextMesh(SERVICES + many(objects, ""))
    loads(at_gateway, sidecar_json(in_mesh, "80"), sidecar_json(in_mesh, "9080"), sidecar_json(in_mesh, "http_proxy", LOCAL))


def test_hash_policies(loads: Any) -> None:
    """Every kind of hash policy is loaded."""
    for policy in HASHES:
        rule = destination_rule("details", f"{{host: details, trafficPolicy: {{loadBalancer: {{consistentHash: {policy}}}}}}}")
        loads(sidecar_json(TextMesh(SERVICES + rule)))
