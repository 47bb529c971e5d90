"""Findings about listeners of sidecars: ports that cannot be opened as declared, and TCP or TLS routes that cannot be served."""

from __future__ import annotations

from typing import Final

from meshctl_operator.base.codes import define

LISTENER_CONFLICT: Final = define(
    "MC2280",
    "Two services need the same connections",
    cause="Both services want the TCP connections to one address and port, and nothing tells them apart. The older service gets them.",
    example="two ServiceEntries without addresses, both with port 5432 and protocol TCP",
    fix="Give the services addresses of their own, use other ports, or declare HTTP or TLS where that is what is spoken.",
)
RESERVED_PORT: Final = define(
    "MC2281",
    "A port belongs to the sidecar itself",
    cause="The service has a port that the sidecar uses (capture of traffic, health, metrics), so no listener is made for it.",
    example="ports: [{number: 15001, protocol: HTTP}]",
    fix="Use another service port.",
)
PRIVILEGED_PORT: Final = define(
    "MC2287",
    "A port needs privileges that the sidecar does not have",
    cause="The sidecar binds its listeners itself (no interception, or captureMode NONE) and runs without privileges: ports below 1024 are closed to it.",
    example="interceptionMode: NONE, UNPRIVILEGED_POD, and a service with port 80",
    fix="Use a port of 1024 or above, or let traffic be captured.",
)
NO_DESTINATION_LEFT: Final = define(
    "MC2283",
    "A TCP or TLS rule sends its connections nowhere",
    cause="The rule has no destination, or each of its destinations has weight 0. Envoy would reject the listener, so the rule is left out.",
    example="tcp: [{route: [{destination: {host: a}, weight: 0}, {destination: {host: b}, weight: 0}]}]",
    fix="Give at least one destination a weight of 1 or more.",
)
SUBNET_UNUSABLE: Final = define(
    "MC2284",
    "A destination subnet is not an address range",
    cause="destinationSubnets holds something that is neither an IP address nor a CIDR. It matches nothing and is left out.",
    example="destinationSubnets: [10.0.0.0/33]",
    fix="Write an address (10.0.0.1) or a range (10.0.0.0/8).",
)
INBOUND_PROTOCOL: Final = define(
    "MC2285",
    "Two services declare different protocols for one port of a workload",
    cause="Both services lead to the same target port. The oldest service decides how the sidecar of the workload treats it.",
    example="Service a: port 80, name http, targetPort 8080\nService b: port 9000, name tcp, targetPort 8080",
    fix="Declare the same protocol in both services (port name or appProtocol).",
)
ACCESS_LOG_FORMAT: Final = define(
    "MC2286",
    "The format of the access log cannot be used",
    cause="accessLogFormat names a command operator that Envoy does not have, or is no JSON object although the encoding is JSON. Envoy would reject every listener.",
    example='accessLogFormat: "%REQUEST_PATH%"',
    fix="Use operators of the Envoy documentation, as in %REQ(:PATH)%. The default format is used until then.",
)
