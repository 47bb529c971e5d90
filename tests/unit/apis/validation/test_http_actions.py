"""Rules of redirect, direct response, rewrite, retries, faults, mirrors and CORS."""

from __future__ import annotations

import pytest

from tests.support.documents import errors_of, findings_of, warnings_of

ROUTE = "route: [{destination: {host: a}}]"


def rule(text: str) -> str:
    """Return the spec of a VirtualService with one HTTP rule."""
    return f"{{hosts: [a], http: [{{{text}}}]}}"


ACCEPTED = {
    "redirect to a path": "redirect: {uri: '/x?y=1'}",
    "redirect of the scheme": "redirect: {scheme: https, redirectCode: 308}",
    "redirect of a prefix": "match: [{uri: {prefix: /a}}, {}], redirect: {prefixRewrite: /b}",
    "redirect to the request's port": "redirect: {derivePort: FROM_REQUEST_PORT}",
    "direct response": "directResponse: {status: 599, body: {string: gone}}",
    "direct response in base64": "directResponse: {status: 200, body: {bytes: aGk=}}",
    "rewrite": f"{ROUTE}, rewrite: {{uri: /x, authority: a.com}}",
    "rewrite by regex": f"{ROUTE}, rewrite: {{uriRegexRewrite: {{match: '/(.*)', rewrite: '/x/\\1'}}}}",
    "retries": f"{ROUTE}, retries: {{attempts: 3, perTryTimeout: 2s, retryOn: '5xx, reset,503', backoff: 25ms}}",
    "no retries": f"{ROUTE}, retries: {{}}",
    "delay": f"{ROUTE}, fault: {{delay: {{fixedDelay: 7s, percentage: {{value: 0.0001}}}}}}",
    "abort": f"{ROUTE}, fault: {{abort: {{grpcStatus: UNAVAILABLE, percentage: {{value: 100}}}}}}",
    "mirror": f"{ROUTE}, mirror: {{host: b}}, mirrorPercentage: {{value: 0}}",
    "mirrors": f"{ROUTE}, mirrors: [{{destination: {{host: b}}, percentage: {{value: 50}}}}]",
    "cors": f"{ROUTE}, corsPolicy: {{allowOrigins: [{{regex: '.*'}}], allowMethods: [GET, '*'], allowHeaders: ['*', x], maxAge: 24h}}",
}
REJECTED = {
    "redirect of nothing": ("redirect: {}", "MC1210", ".redirect"),
    "redirect of the code alone": ("redirect: {redirectCode: 302}", "MC1210", ".redirect"),
    "redirect to path and prefix": ("redirect: {uri: /a, prefixRewrite: /b}", "MC1210", ".redirect.prefixRewrite"),
    "redirect of a prefix that is none": (
        "match: [{uri: {exact: /a}}], redirect: {prefixRewrite: /b}",
        "MC1210",
        ".redirect.prefixRewrite",
    ),
    "redirect to ftp": ("redirect: {scheme: ftp}", "MC1210", ".redirect.scheme"),
    "redirect with 304, which Envoy cannot": ("redirect: {uri: /a, redirectCode: 304}", "MC1210", ".redirect.redirectCode"),
    "redirect with 200": ("redirect: {uri: /a, redirectCode: 200}", "MC1210", ".redirect.redirectCode"),
    "redirect to two ports": ("redirect: {port: 80, derivePort: FROM_REQUEST_PORT}", "MC1008", ".redirect"),
    "redirect to a port too large": ("redirect: {port: 65536}", "MC1021", ".redirect.port"),
    "status 600, which Envoy refuses": ("directResponse: {status: 600}", "MC1211", ".directResponse.status"),
    "status 199": ("directResponse: {status: 199}", "MC1211", ".directResponse.status"),
    "no status": ("directResponse: {}", "MC1211", ".directResponse.status"),
    "body too large": (f"directResponse: {{status: 200, body: {{string: {'a' * (1024 * 1024 + 1)}}}}}", "MC1211", ".directResponse.body"),
    "two bodies": ("directResponse: {status: 200, body: {string: a, bytes: YQ==}}", "MC1008", ".directResponse.body"),
    "body that is no base64": ("directResponse: {status: 200, body: {bytes: '%'}}", "MC1005", ".directResponse.body.bytes"),
    "rewrite of nothing": (f"{ROUTE}, rewrite: {{}}", "MC1209", ".rewrite"),
    "rewrite twice": (
        f"{ROUTE}, rewrite: {{uri: /a, uriRegexRewrite: {{match: a, rewrite: b}}}}",
        "MC1209",
        ".rewrite.uriRegexRewrite",
    ),
    "rewrite by a bad regex": (
        f"{ROUTE}, rewrite: {{uriRegexRewrite: {{match: '(', rewrite: b}}}}",
        "MC1023",
        ".rewrite.uriRegexRewrite.match",
    ),
    "rewrite to nothing": (
        f"{ROUTE}, rewrite: {{uriRegexRewrite: {{match: a}}}}",
        "MC1209",
        ".rewrite.uriRegexRewrite.rewrite",
    ),
    "line break in a rewrite": (f'{ROUTE}, rewrite: {{uri: "/a\\nb"}}', "MC1209", ".rewrite.uri"),
    "negative attempts": (f"{ROUTE}, retries: {{attempts: -1}}", "MC1212", ".retries.attempts"),
    "no attempts, but a condition": (f"{ROUTE}, retries: {{retryOn: 5xx}}", "MC1212", ".retries.retryOn"),
    "no attempts, but a time": (f"{ROUTE}, retries: {{perTryTimeout: 1s}}", "MC1212", ".retries.perTryTimeout"),
    "no attempts, but localities": (f"{ROUTE}, retries: {{retryRemoteLocalities: true}}", "MC1212", ".retries.retryRemoteLocalities"),
    "unknown retry policy": (f"{ROUTE}, retries: {{attempts: 1, retryOn: 6xx}}", "MC1212", ".retries.retryOn"),
    "unknown status": (f"{ROUTE}, retries: {{attempts: 1, retryOn: '599'}}", "MC1212", ".retries.retryOn"),
    "short time for a try": (f"{ROUTE}, retries: {{attempts: 1, perTryTimeout: 1us}}", "MC1022", ".retries.perTryTimeout"),
    "backoff of 0": (f"{ROUTE}, retries: {{attempts: 1, backoff: 0s}}", "MC1022", ".retries.backoff"),
    "empty fault": (f"{ROUTE}, fault: {{}}", "MC1213", ".fault"),
    "exponential delay": (f"{ROUTE}, fault: {{delay: {{exponentialDelay: 1s}}}}", "MC1213", ".fault.delay.exponentialDelay"),
    "delay of 0": (f"{ROUTE}, fault: {{delay: {{fixedDelay: 0s}}}}", "MC1022", ".fault.delay.fixedDelay"),
    "share too small": (
        f"{ROUTE}, fault: {{delay: {{fixedDelay: 1s, percentage: {{value: 0.00001}}}}}}",
        "MC1029",
        ".fault.delay.percentage.value",
    ),
    "share too large": (
        f"{ROUTE}, fault: {{abort: {{httpStatus: 500, percentage: {{value: 100.5}}}}}}",
        "MC1029",
        ".fault.abort.percentage.value",
    ),
    "abort with 600": (f"{ROUTE}, fault: {{abort: {{httpStatus: 600}}}}", "MC1213", ".fault.abort.httpStatus"),
    "abort with an unknown status": (f"{ROUTE}, fault: {{abort: {{grpcStatus: CANCELED}}}}", "MC1213", ".fault.abort.grpcStatus"),
    "abort by HTTP/2": (f"{ROUTE}, fault: {{abort: {{http2Error: X}}}}", "MC1213", ".fault.abort.http2Error"),
    "two aborts": (f"{ROUTE}, fault: {{abort: {{httpStatus: 500, grpcStatus: OK}}}}", "MC1008", ".fault.abort"),
    "mirror and mirrors": (f"{ROUTE}, mirror: {{host: b}}, mirrors: [{{destination: {{host: c}}}}]", "MC1214", ".mirrors"),
    "mirror of nothing": (f"{ROUTE}, mirrors: [{{}}]", "MC1214", ".mirrors[0].destination"),
    "mirror to a star": (f"{ROUTE}, mirror: {{host: '*'}}", "MC1206", ".mirror.host"),
    "mirror share too large": (f"{ROUTE}, mirror: {{host: b}}, mirrorPercentage: {{value: 101}}", "MC1029", ".mirrorPercentage.value"),
    "negative mirror share": (
        f"{ROUTE}, mirrors: [{{destination: {{host: b}}, percentage: {{value: -1}}}}]",
        "MC1029",
        ".mirrors[0].percentage.value",
    ),
    "mirror percent too large": (f"{ROUTE}, mirror: {{host: b}}, mirrorPercent: 101", "MC1029", ".mirrorPercent"),
    "origin compared with nothing": (f"{ROUTE}, corsPolicy: {{allowOrigins: [{{}}]}}", "MC1026", ".corsPolicy.allowOrigins[0]"),
    "origin with a bad regex": (
        f"{ROUTE}, corsPolicy: {{allowOrigins: [{{regex: '('}}]}}",
        "MC1023",
        ".corsPolicy.allowOrigins[0].regex",
    ),
    "method in lower case": (f"{ROUTE}, corsPolicy: {{allowMethods: [get]}}", "MC1215", ".corsPolicy.allowMethods[0]"),
    "header that is none": (f"{ROUTE}, corsPolicy: {{exposeHeaders: ['a b']}}", "MC1215", ".corsPolicy.exposeHeaders[0]"),
    "age in milliseconds": (f"{ROUTE}, corsPolicy: {{maxAge: 1500ms}}", "MC1022", ".corsPolicy.maxAge"),
}
WARNED = {
    "large body": (f"directResponse: {{status: 200, body: {{string: {'a' * (100 * 1024 + 1)}}}}}", "MC1211", ".directResponse.body"),
    "delay without a time": (f"{ROUTE}, fault: {{delay: {{percentage: {{value: 1}}}}}}", "MC1213", ".fault.delay"),
    "abort without a status": (f"{ROUTE}, fault: {{abort: {{percentage: {{value: 1}}}}}}", "MC1213", ".fault.abort"),
    "abort of nobody": (f"{ROUTE}, fault: {{abort: {{httpStatus: 500}}}}", "MC1213", ".fault.abort"),
    "old percent of a delay": (f"{ROUTE}, fault: {{delay: {{fixedDelay: 1s, percent: 5}}}}", "MC1030", ".fault.delay.percent"),
    "odd percent of a delay": (f"{ROUTE}, fault: {{delay: {{fixedDelay: 1s, percent: -5}}}}", "MC1029", ".fault.delay.percent"),
    "old percent of a mirror": (f"{ROUTE}, mirror: {{host: b}}, mirrorPercent: 5", "MC1030", ".mirrorPercent"),
    "old origins": (f"{ROUTE}, corsPolicy: {{allowOrigin: ['*']}}", "MC1030", ".corsPolicy.allowOrigin"),
}


@pytest.mark.parametrize("text", ACCEPTED.values(), ids=ACCEPTED)
def test_accepted(text: str) -> None:
    """What Istio's admission accepts and Envoy takes, we accept without a word."""
    assert findings_of("VirtualService", rule(text)) == ()


@pytest.mark.parametrize(("text", "code", "path"), REJECTED.values(), ids=REJECTED)
def test_rejected(text: str, code: str, path: str) -> None:
    """Each mistake gives one error, at the field that is wrong."""
    assert errors_of("VirtualService", rule(text)) == [(code, f"spec.http[0]{path}")]


@pytest.mark.parametrize(("text", "code", "path"), WARNED.values(), ids=WARNED)
def test_warned(text: str, code: str, path: str) -> None:
    """What is deprecated or without effect is accepted with a warning at the field."""
    assert errors_of("VirtualService", rule(text)) == []
    assert (code, f"spec.http[0]{path}") in warnings_of("VirtualService", rule(text))


def test_misspelt_status_of_grpc_gets_a_hint() -> None:
    """The American spelling is corrected to gRPC's."""
    found = findings_of("VirtualService", rule(f"{ROUTE}, fault: {{abort: {{grpcStatus: CANCELED, percentage: {{value: 1}}}}}}"))
    assert [d.hint for d in found] == ['did you mean "CANCELLED"?']
