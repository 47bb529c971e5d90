"""Findings about routes: what a VirtualService says that cannot be served, or that will surprise."""

from __future__ import annotations

from typing import Final

from meshctl_operator.base.codes import define

UNKNOWN_DESTINATION: Final = define(
    "MC2201",
    "A destination host is not known",
    cause="No Service and no ServiceEntry that is visible from the namespace of the VirtualService has this host. Requests are answered 503.",
    example="route: [{destination: {host: cartt}}]",
    fix="Correct the host, or declare it. A name without a dot is looked up in the namespace of the VirtualService.",
    istio_code="IST0101",
)
UNKNOWN_SUBSET: Final = define(
    "MC2202",
    "A subset is not defined",
    cause="No DestinationRule for the destination host defines the subset, so its cluster does not exist. Requests are answered 503.",
    example="route: [{destination: {host: reviews, subset: v4}}]",
    fix="Add the subset to the DestinationRule of the host, or name one that it has.",
    istio_code="IST0101",
)
UNKNOWN_PORT: Final = define(
    "MC2203",
    "A destination has no such port",
    cause="The service exists but has no port of this number, so its cluster does not exist. Requests are answered 503.",
    example="route: [{destination: {host: reviews, port: {number: 9081}}}]",
    fix="Name a port of the service (the port of the Service, not the target port).",
    istio_code="IST0101",
)
PORT_NEEDED: Final = define(
    "MC2204",
    "A destination needs a port",
    cause="The service has several ports and the destination names none, so the port that the request came in on is used.",
    example="route: [{destination: {host: reviews}}]   # reviews has ports 80 and 9080",
    fix="Add port: {number: ...} to the destination.",
    istio_code="IST0112",
)
UNKNOWN_GATEWAY: Final = define(
    "MC2205",
    "A gateway is not known",
    cause="The VirtualService is bound to a Gateway that does not exist, so it has no effect there.",
    example="spec: {gateways: [bookinfo-gatewy]}",
    fix="Correct the name; a Gateway of another namespace is named namespace/name.",
    istio_code="IST0101",
)
HOST_NOT_IN_GATEWAY: Final = define(
    "MC2206",
    "A gateway does not serve this host",
    cause="No server of the Gateway has a host that covers it, so requests for it do not reach this VirtualService.",
    example="Gateway hosts: [shop.example.com], VirtualService hosts: [www.example.com]",
    fix="Add the host to a server of the Gateway, or correct it.",
    istio_code="IST0132",
)
DUPLICATE_HOST: Final = define(
    "MC2207",
    "Two VirtualServices have the same host",
    cause="For sidecars one VirtualService decides about a host: the oldest. Rules of the others for that host have no effect.",
    example="two VirtualServices with hosts: [reviews] and no gateways",
    fix="Move the rules into one VirtualService, or use delegates.",
    istio_code="IST0109",
)
UNREACHABLE_RULE: Final = define(
    "MC2208",
    "A rule is never reached behind a delegate",
    cause="A rule that comes from a delegate matches every request, so what follows it in the root is left out.",
    example="root: http: [{delegate: {name: all}}, {match: [{uri: {prefix: /api}}], route: [...]}]   # all has a rule without match",
    fix="Move the delegating rule to the end, or give it a match.",
    istio_code="IST0130",
)
SHADOWED_RULE: Final = define(
    "MC2209",
    "A rule is covered by an earlier one",
    cause="A rule before it, in the same VirtualService or in an older one on the same hosts and gateways, takes every request that it takes.",
    example="older: match: [{uri: {prefix: /api}}]   younger, same host: match: [{uri: {exact: /api/v1}, method: {exact: GET}}]",
    fix="Move the narrower rule first, put both rules into one VirtualService in the right order, or remove the one that is never reached.",
    istio_code="IST0130",
)
UNUSABLE_MATCH: Final = define(
    "MC2210",
    "A match block cannot be used",
    cause="A condition of the block is one that Envoy refuses. The block is left out, so it matches nothing; the other blocks are served.",
    example='match: [{uri: {regex: "(?=x)"}}]',
    fix="Correct the value that the message names. Regular expressions have the syntax of RE2.",
)
UNUSABLE_ACTION: Final = define(
    "MC2212",
    "A rule cannot be served",
    cause="What the rule does is something that Envoy refuses. The rule is left out, the others are served.",
    example="redirect: {uri: /x, redirectCode: 304}",
    fix="Correct the value that the message names.",
)
UNUSABLE_PART: Final = define(
    "MC2213",
    "A part of a rule cannot be served",
    cause="A header operation, fault, mirror or CORS policy has a value that Envoy refuses. That part is left out, the rule itself is served.",
    example='headers: {request: {set: {x-id: "%FOO%"}}}',
    fix="Correct the value that the message names.",
)
UNUSABLE_HOST: Final = define(
    "MC2215",
    "A host cannot be served",
    cause="The host has characters that no host name has, so Envoy would refuse the whole route configuration. It is left out.",
    example='hosts: ["a b"]',
    fix="Correct the host.",
)
