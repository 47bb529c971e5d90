"""Format strings in header values (``%REQ(x-id)%``): one that Envoy does not know would cost the whole route configuration.

The operators are those that every supported Envoy accepts in a header value, tried one by one on the oldest and the newest.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from meshctl_operator.compiler.plan.route_texts import plain_text_problem

_OPERATOR: Final = re.compile(r"%([A-Z_0-9]+)(?:\((\[[^%]*?\]|[^)]*)\))?(?::(\d+))?%")
_ANY: Final = re.compile(r".+")
_WORD: Final = re.compile(r"[^:]+")
_HEADER: Final = re.compile(r"(:?[A-Za-z0-9_.\-]+)?(\?:?[A-Za-z0-9_.\-]*)?")
_FILTER_STATE: Final = re.compile(r"[^:]+(:(PLAIN|TYPED|FIELD:[^:]+)?)?")
_METADATA: Final = re.compile(r"(DYNAMIC|CLUSTER|ROUTE|UPSTREAM_HOST|LISTENER|VIRTUAL_HOST)(:.*)?")


@dataclass(frozen=True, slots=True)
class _Shape:
    """What may follow the name of an operator: an argument of this form, and a length (``:5``)."""

    argument: re.Pattern[str]
    length: bool = True
    optional: bool = False


_SHAPES: Final = {
    "CLUSTER_METADATA": _Shape(_ANY, length=False),
    "DOWNSTREAM_PEER_CERT_V_END": _Shape(_ANY, length=False, optional=True),
    "DOWNSTREAM_PEER_CERT_V_START": _Shape(_ANY, length=False, optional=True),
    "DYNAMIC_METADATA": _Shape(_ANY),
    "ENVIRONMENT": _Shape(_ANY),
    "FILTER_STATE": _Shape(_FILTER_STATE),
    "METADATA": _Shape(_METADATA),
    "PER_REQUEST_STATE": _Shape(_WORD, length=False),
    "QUERY_PARAM": _Shape(_ANY),
    "REQ": _Shape(_HEADER),
    "RESP": _Shape(_HEADER),
    "START_TIME": _Shape(_ANY, length=False, optional=True),
    "START_TIME_LOCAL": _Shape(_ANY, length=False, optional=True),
    "EMIT_TIME": _Shape(_ANY, length=False, optional=True),
    "EMIT_TIME_LOCAL": _Shape(_ANY, length=False, optional=True),
    "TRAILER": _Shape(_HEADER),
    "UPSTREAM_FILTER_STATE": _Shape(_FILTER_STATE),
    "UPSTREAM_METADATA": _Shape(_ANY, length=False),
    "UPSTREAM_PEER_CERT_V_END": _Shape(_ANY, length=False, optional=True),
    "UPSTREAM_PEER_CERT_V_START": _Shape(_ANY, length=False, optional=True),
}
"""Operators with an argument."""

_PLAIN: Final = frozenset(
    """
    ACCESS_LOG_TYPE BYTES_RECEIVED BYTES_SENT
    CONNECTION_ID CONNECTION_TERMINATION_DETAILS DOWNSTREAM_DIRECT_LOCAL_ADDRESS
    DOWNSTREAM_DIRECT_LOCAL_ADDRESS_WITHOUT_PORT DOWNSTREAM_DIRECT_REMOTE_ADDRESS DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT
    DOWNSTREAM_DIRECT_REMOTE_PORT DOWNSTREAM_HANDSHAKE_DURATION DOWNSTREAM_HEADER_BYTES_RECEIVED
    DOWNSTREAM_HEADER_BYTES_SENT DOWNSTREAM_LOCAL_ADDRESS DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT
    DOWNSTREAM_LOCAL_DNS_SAN DOWNSTREAM_LOCAL_EMAIL_SAN DOWNSTREAM_LOCAL_IP_SAN
    DOWNSTREAM_LOCAL_OTHERNAME_SAN DOWNSTREAM_LOCAL_PORT DOWNSTREAM_LOCAL_SUBJECT
    DOWNSTREAM_LOCAL_URI_SAN DOWNSTREAM_PEER_CERT DOWNSTREAM_PEER_CHAIN_FINGERPRINTS_1
    DOWNSTREAM_PEER_CHAIN_FINGERPRINTS_256 DOWNSTREAM_PEER_CHAIN_SERIALS DOWNSTREAM_PEER_DNS_SAN
    DOWNSTREAM_PEER_EMAIL_SAN DOWNSTREAM_PEER_FINGERPRINT_1 DOWNSTREAM_PEER_FINGERPRINT_256
    DOWNSTREAM_PEER_IP_SAN DOWNSTREAM_PEER_ISSUER DOWNSTREAM_PEER_OTHERNAME_SAN
    DOWNSTREAM_PEER_SERIAL DOWNSTREAM_PEER_SUBJECT DOWNSTREAM_PEER_URI_SAN
    DOWNSTREAM_REMOTE_ADDRESS DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT DOWNSTREAM_REMOTE_PORT
    DOWNSTREAM_TLS_CIPHER DOWNSTREAM_TLS_SESSION_ID DOWNSTREAM_TLS_VERSION
    DOWNSTREAM_TRANSPORT_FAILURE_REASON DOWNSTREAM_WIRE_BYTES_RECEIVED DOWNSTREAM_WIRE_BYTES_SENT
    DURATION FILTER_CHAIN_NAME HOSTNAME
    PROTOCOL REQUESTED_SERVER_NAME REQUEST_DURATION
    REQUEST_HEADERS_BYTES REQUEST_TX_DURATION RESPONSE_CODE
    RESPONSE_CODE_DETAILS RESPONSE_DURATION RESPONSE_FLAGS
    RESPONSE_FLAGS_LONG RESPONSE_HEADERS_BYTES RESPONSE_TRAILERS_BYTES
    RESPONSE_TX_DURATION ROUNDTRIP_DURATION ROUTE_NAME
    STREAM_ID TLS_JA3_FINGERPRINT TLS_JA4_FINGERPRINT
    TRACE_ID UNIQUE_ID UPSTREAM_CLUSTER
    UPSTREAM_CLUSTER_RAW UPSTREAM_CONNECTION_ID UPSTREAM_CONNECTION_POOL_READY_DURATION
    UPSTREAM_HEADER_BYTES_RECEIVED UPSTREAM_HEADER_BYTES_SENT UPSTREAM_HOST
    UPSTREAM_HOST_NAME UPSTREAM_HOST_NAME_WITHOUT_PORT UPSTREAM_LOCAL_ADDRESS
    UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT UPSTREAM_LOCAL_PORT UPSTREAM_PEER_CERT
    UPSTREAM_PEER_DNS_SAN UPSTREAM_PEER_IP_SAN UPSTREAM_PEER_ISSUER
    UPSTREAM_PEER_SUBJECT UPSTREAM_PEER_URI_SAN UPSTREAM_PROTOCOL
    UPSTREAM_REMOTE_ADDRESS UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT UPSTREAM_REMOTE_PORT
    UPSTREAM_REQUEST_ATTEMPT_COUNT UPSTREAM_TLS_CIPHER UPSTREAM_TLS_SESSION_ID
    UPSTREAM_TLS_VERSION UPSTREAM_TRANSPORT_FAILURE_REASON UPSTREAM_WIRE_BYTES_RECEIVED
    UPSTREAM_WIRE_BYTES_SENT VIRTUAL_CLUSTER_NAME
    """.split()
)
"""Operators without an argument."""


def format_problem(text: str) -> str | None:
    """Return why Envoy would refuse a header value with ``%OPERATOR%``s in it. ``%%`` stands for a percent sign."""
    if problem := plain_text_problem(text):
        return problem
    position = 0
    while (position := text.find("%", position)) >= 0:
        if text.startswith("%%", position):
            position += 2
            continue
        operator = _OPERATOR.match(text, position)
        if operator is None:
            return f"has a % that starts no operator at position {position} (write %% for a percent sign)"
        if problem := _operator_problem(operator[1], operator[2], operator[3]):
            return problem
        position = operator.end()
    return None


def _operator_problem(name: str, argument: str | None, length: str | None) -> str | None:
    if name in _PLAIN:
        return f"gives an argument or a length to %{name}%, which takes none" if argument is not None or length is not None else None
    shape = _SHAPES.get(name)
    if shape is None:
        return f"has %{name}%, which is no operator that every supported Envoy knows"
    if length is not None and not shape.length:
        return f"gives a length to %{name}%, which takes none"
    if not argument:
        return None if shape.optional else f"gives no argument to %{name}(...)%"
    return None if shape.argument.fullmatch(argument) else f"gives the unusable argument {argument!r} to %{name}(...)%"
