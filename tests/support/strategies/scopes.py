"""Sidecars and the settings of the whole mesh."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.support.strategies.alphabet import JsonStrategy, app_labels, few, flags, ports, routing, some
from tests.support.strategies.policies import traffic_policies

EGRESS_HOSTS = (
    "*/*",
    "./*",
    "shop/*",
    "default/*",
    "~/*",
    "*/api.example.com",
    "default/cart.default.svc.cluster.local",
    "*/*.example.com",
)
MODES = ("ALLOW_ANY", "REGISTRY_ONLY")
_LISTENERS = (
    {"port": {"number": 80, "protocol": "HTTP", "name": "web"}},
    {"port": {"number": 3128, "protocol": "HTTP_PROXY", "name": "proxy"}, "bind": "127.0.0.1", "captureMode": "NONE"},
    {"port": {"number": 0, "protocol": "HTTP", "name": "socket"}, "bind": "unix:///tmp/egress.sock"},
    {"port": {"number": 9000, "protocol": "TCP", "name": "tcp"}},
)
_INGRESS = (
    {"port": {"number": 8080, "protocol": "HTTP", "name": "web"}, "defaultEndpoint": "127.0.0.1:8081"},
    {"port": {"number": 9000, "protocol": "TCP", "name": "tcp"}, "connectionPool": {"tcp": {"maxConnections": 3}}},
)
_EGRESS_PROXY = {"mode": "ALLOW_ANY", "egressProxy": {"host": "cart.default.svc.cluster.local", "port": {"number": 80}}}


def sidecars() -> JsonStrategy:
    """Draw a Sidecar."""
    hosts = few(st.sampled_from(EGRESS_HOSTS), least=1, unique=True)
    catch_all = st.builds(lambda names, more: {"hosts": names, **more}, hosts, st.sampled_from(({}, {}, {"captureMode": "NONE"})))
    own_port = st.builds(lambda names, more: {"hosts": names, **more}, hosts, st.sampled_from(_LISTENERS))
    egress = st.builds(lambda first, last: [*first, last], few(own_port, most=1), catch_all)
    spec = some(
        {
            "egress": egress,
            "ingress": few(st.sampled_from(_INGRESS), least=1, most=1),
            "outboundTrafficPolicy": st.sampled_from([*({"mode": mode} for mode in MODES), _EGRESS_PROXY]),
            "workloadSelector": app_labels.map(lambda labels: {"labels": labels}),
        },
        least=1,
    )
    return routing("Sidecar", st.sampled_from(("scope-1", "scope-2")), spec)


_VISIBILITY = {
    "defaultServiceExportTo": st.sampled_from((["."], ["shop"], ["~"])),
    "defaultVirtualServiceExportTo": st.sampled_from((["."], ["default"])),
    "defaultDestinationRuleExportTo": st.sampled_from((["."], ["shop"])),
    "rootNamespace": st.sampled_from(("shop", "elsewhere", "")),
}
"""The settings that decide who sees what is not declared otherwise."""


def visibilities() -> JsonStrategy:
    """Draw a MeshConfig that says who sees what."""
    return some(_VISIBILITY, least=1)


def mesh_configs() -> JsonStrategy:
    """Draw the settings of the mesh, as the fields of a MeshConfig document."""
    retries = st.sampled_from(({"attempts": 0}, {"attempts": 4, "retryOn": "5xx"}))
    return some(
        {
            "outboundTrafficPolicy": st.sampled_from([{"mode": mode} for mode in MODES]),
            "connectTimeout": st.just("3s"),
            "protocolDetectionTimeout": st.just("1s"),
            "tcpKeepalive": st.just({"time": "10s"}),
            "dnsRefreshRate": st.just("5s"),
            "h2UpgradePolicy": st.just("UPGRADE"),
            "defaultTrafficPolicy": traffic_policies(),
            "defaultHttpRetryPolicy": retries,
            **_VISIBILITY,
            "accessLogFile": st.just("/dev/stdout"),
            "accessLogFormat": st.sampled_from(("%REQ(:PATH)%\n", "%NO_SUCH%")),
            "accessLogEncoding": st.just("JSON"),
            "pathNormalization": st.sampled_from(
                [{"normalization": name} for name in ("NONE", "MERGE_SLASHES", "DECODE_AND_MERGE_SLASHES")]
            ),
            "inboundClusterStatName": st.just("%SERVICE%"),
            "outboundClusterStatName": st.just("%SERVICE_FQDN%_%SERVICE_PORT%"),
            "proxyHttpPort": ports,
            "enableTracing": flags,
        }
    )
