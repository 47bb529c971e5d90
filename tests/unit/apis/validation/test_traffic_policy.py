"""Rules of a traffic policy."""

from __future__ import annotations

import pytest

from tests.support.documents import errors_of, warnings_of

ACCEPTED = {
    "connection pool": "connectionPool: {tcp: {maxConnections: 1, connectTimeout: 1s, idleTimeout: 0s}, http: {maxRetries: 0}}",
    "keepalive": "connectionPool: {tcp: {tcpKeepalive: {time: 7200s, interval: 75s, probes: 9}}, http: {http2KeepAlive: {interval: 1s, timeout: 1s}}}",
    "outlier detection": "outlierDetection: {}",
    "local errors": "outlierDetection: {splitExternalLocalOriginErrors: true, consecutiveLocalOriginFailures: 5}",
    "simple tls": "tls: {mode: SIMPLE, sni: a.com, subjectAltNames: [a.com], caCertificates: /ca}",
    "mutual tls": "tls: {mode: MUTUAL, clientCertificate: /c, privateKey: /k}",
    "mutual tls by credential": "tls: {mode: MUTUAL, credentialName: c}",
    "own config map": "tls: {mode: SIMPLE, credentialName: 'configmap://shop/ca'}",
    "port": "portLevelSettings: [{port: {number: 80}, tls: {}}]",
    "names that this mode does not verify": "tls: {mode: ISTIO_MUTUAL, insecureSkipVerify: true, subjectAltNames: [a]}",
    "tunnel": "tunnel: {protocol: POST, targetHost: a.com, targetPort: 443}",
    "retry budget": "retryBudget: {percent: 20.5}",
}
REJECTED = {
    "empty": ("", "MC1308", ""),
    "tunnel and proxy protocol": ("tunnel: {targetHost: a, targetPort: 1}, proxyProtocol: {}", "MC1308", ".proxyProtocol"),
    "empty pool": ("connectionPool: {}", "MC1303", ".connectionPool"),
    "negative limit": ("connectionPool: {tcp: {maxConnections: -1}}", "MC1303", ".connectionPool.tcp.maxConnections"),
    "negative requests": (
        "connectionPool: {http: {http1MaxPendingRequests: -1}}",
        "MC1303",
        ".connectionPool.http.http1MaxPendingRequests",
    ),
    "connect timeout of 0": ("connectionPool: {tcp: {connectTimeout: 0s}}", "MC1022", ".connectionPool.tcp.connectTimeout"),
    "connect timeout in microseconds": ("connectionPool: {tcp: {connectTimeout: 1500us}}", "MC1022", ".connectionPool.tcp.connectTimeout"),
    "idle timeout of 0": ("connectionPool: {http: {idleTimeout: 0s}}", "MC1022", ".connectionPool.http.idleTimeout"),
    "keepalive of 0": ("connectionPool: {tcp: {tcpKeepalive: {time: 0s}}}", "MC1022", ".connectionPool.tcp.tcpKeepalive.time"),
    "upgrade and client protocol": (
        "connectionPool: {http: {h2UpgradePolicy: UPGRADE, useClientProtocol: true}}",
        "MC1303",
        ".connectionPool.http.useClientProtocol",
    ),
    "half a ping": ("connectionPool: {http: {http2KeepAlive: {interval: 1s}}}", "MC1303", ".connectionPool.http.http2KeepAlive.timeout"),
    "local errors not split": (
        "outlierDetection: {consecutiveLocalOriginFailures: 5}",
        "MC1304",
        ".outlierDetection.consecutiveLocalOriginFailures",
    ),
    "ejection percent": ("outlierDetection: {maxEjectionPercent: 101}", "MC1304", ".outlierDetection.maxEjectionPercent"),
    "health percent": ("outlierDetection: {minHealthPercent: -1}", "MC1304", ".outlierDetection.minHealthPercent"),
    "interval of 0": ("outlierDetection: {interval: 0s}", "MC1022", ".outlierDetection.interval"),
    "error code": (
        "outlierDetection: {outlierDetectionHttpErrorCodes: [500, 99]}",
        "MC1304",
        ".outlierDetection.outlierDetectionHttpErrorCodes[1]",
    ),
    "mutual without key": ("tls: {mode: MUTUAL, clientCertificate: /c}", "MC1305", ".tls.privateKey"),
    "credential and file": ("tls: {mode: SIMPLE, credentialName: c, caCertificates: /ca}", "MC1305", ".tls.caCertificates"),
    "foreign config map": ("tls: {mode: SIMPLE, credentialName: 'configmap://other/ca'}", "MC1305", ".tls.credentialName"),
    "skipped verification of names": (
        "tls: {mode: SIMPLE, insecureSkipVerify: true, subjectAltNames: [a]}",
        "MC1305",
        ".tls.subjectAltNames",
    ),
    "skipped verification with credential": (
        "tls: {mode: SIMPLE, insecureSkipVerify: true, credentialName: a}",
        "MC1305",
        ".tls.credentialName",
    ),
    "port without number": ("portLevelSettings: [{tls: {}}]", "MC1306", ".portLevelSettings[0].port"),
    "port without policy": ("portLevelSettings: [{port: {number: 80}}]", "MC1306", ".portLevelSettings[0]"),
    "null port": ("portLevelSettings: [null]", "MC1005", ".portLevelSettings[0]"),
    "tunnel protocol": ("tunnel: {protocol: GET, targetHost: a, targetPort: 1}", "MC1028", ".tunnel.protocol"),
    "tunnel protocol in lower case": ("tunnel: {protocol: post, targetHost: a, targetPort: 1}", "MC1028", ".tunnel.protocol"),
    "tunnel host": ("tunnel: {targetPort: 1}", "MC1020", ".tunnel.targetHost"),
    "tunnel port": ("tunnel: {targetHost: a}", "MC1021", ".tunnel.targetPort"),
    "retry budget": ("retryBudget: {percent: 101}", "MC1029", ".retryBudget.percent"),
}


@pytest.mark.parametrize("policy", ACCEPTED.values(), ids=ACCEPTED)
def test_accepted(policy: str) -> None:
    """What the API server and Istio's admission accept, we accept."""
    assert errors_of("DestinationRule", f"{{host: a, trafficPolicy: {{{policy}}}}}") == []


@pytest.mark.parametrize(("policy", "code", "path"), REJECTED.values(), ids=REJECTED)
def test_rejected(policy: str, code: str, path: str) -> None:
    """Each mistake gives one error, at the field that is wrong."""
    assert errors_of("DestinationRule", f"{{host: a, trafficPolicy: {{{policy}}}}}") == [(code, f"spec.trafficPolicy{path}")]


@pytest.mark.parametrize(("policy", "path"), [("outlierDetection: {maxEjectionPercent: 101}", ".outlierDetection.maxEjectionPercent")])
def test_ports_and_subsets_follow_the_same_rules(policy: str, path: str) -> None:
    """A policy is checked wherever it stands."""
    port = f"{{host: a, trafficPolicy: {{portLevelSettings: [{{port: {{number: 1}}, {policy}}}]}}}}"
    assert errors_of("DestinationRule", port) == [("MC1304", f"spec.trafficPolicy.portLevelSettings[0]{path}")]
    subset = f"{{host: a, subsets: [{{name: v1, trafficPolicy: {{{policy}}}}}]}}"
    assert errors_of("DestinationRule", subset) == [("MC1304", f"spec.subsets[0].trafficPolicy{path}")]


def test_ignored_errors() -> None:
    """The field that Istio ignores is warned about."""
    spec = "{host: a, trafficPolicy: {outlierDetection: {consecutiveErrors: 5}}}"
    assert warnings_of("DestinationRule", spec) == [("MC1030", "spec.trafficPolicy.outlierDetection.consecutiveErrors")]
