"""Schemas of messages."""

from __future__ import annotations

from typing import Any

import pytest

from meshctl_operator.apis.crd_schema import REQUIRED, message_schema
from meshctl_operator.apis.decode import ROUTING_SPECS
from meshctl_operator.apis.kinds import Kind
from meshctl_operator.apis.networking.common import Destination, ServerTls, StringMatch
from meshctl_operator.apis.networking.destination_rule import ConsistentHash, RetryBudget, TcpSettings
from meshctl_operator.apis.networking.service_entry import ServiceEntrySpec
from meshctl_operator.apis.networking.virtual_service import HttpMatchRequest, HttpRoute
from meshctl_operator.apis.schema import node_of
from tests.support.documents import document, errors_of
from tests.support.structural_schema import refusals


def schema_of(model: Any) -> Any:
    """Return the schema of a model."""
    return message_schema(node_of(model))


def without_texts(schema: Any) -> Any:
    """Return a schema without its descriptions."""
    if isinstance(schema, dict):
        return {key: without_texts(value) for key, value in schema.items() if key != "description" or isinstance(value, dict)}
    return [without_texts(item) for item in schema] if isinstance(schema, list) else schema


def test_one_of() -> None:
    """Of the fields of a one-of none or one may be set."""
    assert without_texts(schema_of(StringMatch)) == {
        "type": "object",
        "properties": {"exact": {"type": "string"}, "prefix": {"type": "string"}, "regex": {"type": "string"}},
        "oneOf": [
            {"not": {"anyOf": [{"required": ["exact"]}, {"required": ["prefix"]}, {"required": ["regex"]}]}},
            {"required": ["exact"]},
            {"required": ["prefix"]},
            {"required": ["regex"]},
        ],
    }


def test_several_one_ofs() -> None:
    """A message with two one-ofs must satisfy both."""
    schema = schema_of(ConsistentHash)
    assert [len(group["oneOf"]) for group in schema["allOf"]] == [5, 3]


@pytest.mark.parametrize(
    ("model", "field", "expected"),
    [
        (Destination, "host", {"type": "string"}),
        (TcpSettings, "maxConnections", {"type": "integer", "format": "int32"}),
        (TcpSettings, "connectTimeout", {"type": "string"}),
        (HttpMatchRequest, "port", {"type": "integer", "minimum": 0, "maximum": 4294967295}),
        (ConsistentHash, "minimumRingSize", {"type": "integer", "minimum": 0}),
        (ConsistentHash, "useSourceIp", {"type": "boolean"}),
        (RetryBudget, "percent", {"type": "number", "format": "double"}),
        (ServerTls, "minProtocolVersion", {"type": "string", "enum": ["TLS_AUTO", "TLSV1_0", "TLSV1_1", "TLSV1_2", "TLSV1_3"]}),
        (HttpMatchRequest, "sourceLabels", {"type": "object", "additionalProperties": {"type": "string", "nullable": True}}),
        (ServiceEntrySpec, "hosts", {"type": "array", "items": {"type": "string"}}),
    ],
)
def test_types(model: Any, field: str, expected: object) -> None:
    """Each type has one schema, without any limit but those of its integers."""
    assert without_texts(schema_of(model)["properties"][field]) == expected


def test_null_stands_for_an_empty_condition() -> None:
    """Where null is accepted for an item, the schema accepts it, and in every mapping, where it would be dropped without a word."""
    match = schema_of(HttpMatchRequest)["properties"]
    for name in ("queryParams", "withoutHeaders", "headers", "sourceLabels"):
        assert match[name]["additionalProperties"]["nullable"] is True
    assert schema_of(HttpRoute)["properties"]["match"]["items"]["nullable"] is True
    assert "nullable" not in schema_of(HttpRoute)["properties"]["route"]["items"]


def test_a_former_name_stays_known() -> None:
    """Stored objects may have a field under its former name, which must not be pruned."""
    fields = schema_of(HttpRoute)["properties"]
    assert without_texts(fields["mirror_percent"]) == without_texts(fields["mirrorPercent"])


def test_ports_are_told_apart_by_name() -> None:
    """Server-side apply merges the ports of a service one by one."""
    ports = schema_of(ServiceEntrySpec)["properties"]["ports"]
    assert (ports["x-kubernetes-list-type"], ports["x-kubernetes-list-map-keys"]) == ("map", ["name"])


_ROUTE = "route: [{destination: {host: a}}]"
_TLS = "port: {number: 443, protocol: HTTPS, name: h}"
LACKING = {
    "Destination": (Kind.VIRTUAL_SERVICE, "{hosts: [a.com], http: [{route: [{destination: {}}]}]}"),
    "DestinationRule": (Kind.DESTINATION_RULE, "{}"),
    "EgressListener": (Kind.SIDECAR, "{egress: [{}]}"),
    "HttpCookie": (
        Kind.DESTINATION_RULE,
        "{host: a, trafficPolicy: {loadBalancer: {consistentHash: {httpCookie: {ttl: 1s}}}}}",
    ),
    "HttpDirectResponse": (Kind.VIRTUAL_SERVICE, "{hosts: [a.com], http: [{directResponse: {}}]}"),
    "HttpMirrorPolicy": (Kind.VIRTUAL_SERVICE, f"{{hosts: [a.com], http: [{{{_ROUTE}, mirrors: [{{}}]}}]}}"),
    "HttpRouteDestination": (Kind.VIRTUAL_SERVICE, "{hosts: [a.com], http: [{route: [{}]}]}"),
    "IngressListener": (Kind.SIDECAR, "{ingress: [{defaultEndpoint: '127.0.0.1:80'}]}"),
    "Port": (Kind.GATEWAY, "{servers: [{port: {number: 80}, hosts: ['*']}]}"),
    "RouteDestination": (Kind.VIRTUAL_SERVICE, "{hosts: [a.com], tcp: [{route: [{}]}]}"),
    "Server": (Kind.GATEWAY, "{servers: [{}]}"),
    "ServiceEntry": (Kind.SERVICE_ENTRY, "{ports: [{number: 80, name: http, protocol: HTTP}]}"),
    "ServicePort": (Kind.SERVICE_ENTRY, "{hosts: [a.com], ports: [{number: 80, protocol: HTTP}]}"),
    "Subset": (Kind.DESTINATION_RULE, "{host: a, subsets: [{labels: {version: v1}}]}"),
    "TlsMatchAttributes": (Kind.VIRTUAL_SERVICE, f"{{hosts: [a.com], tls: [{{match: [{{port: 443}}], {_ROUTE}}}]}}"),
    "TlsRoute": (Kind.VIRTUAL_SERVICE, f"{{hosts: [a.com], tls: [{{{_ROUTE}}}]}}"),
    "Tunnel": (Kind.DESTINATION_RULE, "{host: a, trafficPolicy: {tunnel: {}}}"),
    "WorkloadGroup": (Kind.WORKLOAD_GROUP, "{}"),
}


@pytest.mark.parametrize("message", sorted(REQUIRED))
def test_what_is_required_is_required_by_the_rules_as_well(message: str) -> None:
    """The schema asks for nothing that an accepted object can do without."""
    kind, spec = LACKING[message]
    assert errors_of(kind, spec)
    assert refusals(document(kind, spec))


@pytest.mark.parametrize("kind", sorted(ROUTING_SPECS))
def test_a_document_without_spec(kind: Kind) -> None:
    """No kind is accepted without a spec, and the schema need not be laxer than Istio's about it."""
    raw = document(kind, {})
    assert errors_of(kind, {})
    del raw["spec"]
    refused = bool(refusals(raw))
    assert refused == (kind in {Kind.SERVICE_ENTRY, Kind.WORKLOAD_ENTRY, Kind.WORKLOAD_GROUP})


REFUSED = {
    "unknown field": "{hosts: [a.com], http: [{route: [{destination: {host: a}}], retires: {}}]}",
    "text for a list": "{hosts: a.com}",
    "number for text": "{hosts: [1]}",
    "text for a flag": "{http: [{match: [{ignoreUriCase: 'yes'}]}]}",
    "flag for a number": "{http: [{route: [{destination: {host: a}, weight: true}]}]}",
    "number beyond its type": "{http: [{route: [{destination: {host: a}, weight: 2147483648}]}]}",
    "number below zero": "{http: [{match: [{port: -1}]}]}",
    "no such choice": "{http: [{corsPolicy: {unmatchedPreflights: MAYBE}}]}",
    "two of a one-of": "{http: [{match: [{uri: {exact: a, prefix: b}}]}]}",
    "null in a list": "{hosts: [null]}",
}
TAKEN = {
    "null field": "{hosts: null}",
    "null in a map": "{http: [{match: [{headers: {a: null}}]}]}",
    "null parameter": "{http: [{match: [{queryParams: {a: null}}]}]}",
    "null block": "{http: [{match: [null]}]}",
    "one of a one-of beside null": "{http: [{match: [{uri: {exact: a, prefix: null}}]}]}",
    "none of a one-of": "{http: [{match: [{uri: {}}]}]}",
    "whole number with a fraction": "{http: [{match: [{port: 80.0}]}]}",
    "former name": "{http: [{mirror_percent: 5}]}",
}


@pytest.mark.parametrize("spec", REFUSED.values(), ids=REFUSED)
def test_what_an_api_server_refuses(spec: str) -> None:
    """Structure is refused before any webhook is asked."""
    assert refusals(document(Kind.VIRTUAL_SERVICE, spec))


@pytest.mark.parametrize("spec", TAKEN.values(), ids=TAKEN)
def test_what_an_api_server_takes(spec: str) -> None:
    """Nulls of fields are dropped, and a one-of may be empty."""
    assert refusals(document(Kind.VIRTUAL_SERVICE, spec)) == []
