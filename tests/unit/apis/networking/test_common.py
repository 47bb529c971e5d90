"""Scalar types and shared messages."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, ValidationError

from meshctl_operator.apis.decode import ROUTING_SPECS
from meshctl_operator.apis.mesh_config import MeshConfig
from meshctl_operator.apis.meta import Frozen
from meshctl_operator.apis.networking.common import GoDuration, StringMatch, TlsProtocol
from meshctl_operator.apis.networking.virtual_service import HttpBody, HttpRoute
from meshctl_operator.apis.schema import FieldNode, Node, node_of
from meshctl_operator.base.durations import Duration


def json_name(proto_name: str) -> str:
    """Return the JSON name that protobuf derives from a field name: each letter behind an underscore in upper case, no underscores."""
    head, *rest = proto_name.split("_")
    return head + "".join(part[:1].upper() + part[1:] for part in rest)


def fields_below(node: Node) -> list[tuple[str, FieldNode]]:
    """Return (type, field) of every field of a model and of what it contains."""
    while node.item is not None:
        node = node.item
    found = []
    for name in node.field_names:
        field = (node.fields or {})[name]
        found += [(node.name, field), *fields_below(field.node)]
    return found


MODELS: tuple[type[BaseModel], ...] = (*ROUTING_SPECS.values(), MeshConfig)
FIELDS = {(name, field.attribute): field for model in MODELS for name, field in fields_below(node_of(model))}


def test_every_field_has_its_protobuf_json_name() -> None:
    """YAML names follow from the protobuf names by protobuf's rule, so that both spellings of Istio are read."""
    wrong = {key: field.alias for key, field in FIELDS.items() if field.alias != json_name(field.attribute.rstrip("_"))}
    assert wrong == {}


@pytest.mark.parametrize(
    "name",
    [
        "consecutive5xxErrors",
        "http1MaxPendingRequests",
        "http2MaxRequests",
        "http2KeepAlive",
        "h2UpgradePolicy",
        "caCrl",
        "verifyCertificateSpki",
        "useSourceIp",
        "exportTo",
        "uriRegexRewrite",
        "ignoreUriCase",
        "mirrorPercent",
        "httpStatus",
        "http2Error",
        "warmupDurationSecs",
        "localityLbSetting",
        "outlierDetectionHttpErrorCodes",
        "sniHosts",
        "from",
        "exec",
        "bytes",
    ],
)
def test_odd_names(name: str) -> None:
    """Names that a rule of thumb gets wrong are Istio's."""
    assert name in {field.alias for field in FIELDS.values()}


def test_both_spellings_are_read() -> None:
    """Protobuf JSON accepts the original field names as well."""
    assert HttpRoute.model_validate({"mirror_percent": 5}) == HttpRoute.model_validate({"mirrorPercent": 5})


def test_models_are_frozen() -> None:
    """A decoded object never changes."""
    match = StringMatch(exact="a")
    with pytest.raises(ValidationError):
        match.exact = "b"  # type: ignore[misc]  # that it cannot be assigned is the point


@pytest.mark.parametrize(
    ("text", "nanos"),
    [("5s", 5_000_000_000), ("1h30m", 5_400_000_000_000), ("24h", 86_400_000_000_000), ("8ms", 8_000_000), ("1.5s", 1_500_000_000)],
)
def test_durations(text: str, nanos: int) -> None:
    """Durations are read in Go notation and written back in it."""

    class Holder(Frozen):
        period: GoDuration

    holder = Holder.model_validate({"period": text})
    assert holder.period == Duration(nanos)
    assert Holder.model_validate(holder.model_dump()) == holder


@pytest.mark.parametrize("value", [5, 5.0, "5", "", "five", None, True, "1d"])
def test_what_is_no_duration(value: object) -> None:
    """A number without unit is refused, since nobody knows what it means."""

    class Holder(Frozen):
        period: GoDuration

    with pytest.raises(ValidationError):
        Holder.model_validate({"period": value})


@pytest.mark.parametrize("given", [{"exact": "a", "prefix": "b"}, {"prefix": "", "regex": ""}])
def test_one_of_is_enforced(given: dict[str, str]) -> None:
    """A string is compared in one way only, empty values included."""
    with pytest.raises(ValidationError, match="at most one"):
        StringMatch.model_validate(given)


@pytest.mark.parametrize(("text", "value"), [("YWI=", b"ab"), ("YWI", b"ab"), ("_-8=", b"\xff\xef"), ("/+8=", b"\xff\xef")])
def test_base64(text: str, value: bytes) -> None:
    """Both alphabets of base64 are read, with and without padding, as protobuf JSON does."""
    assert HttpBody.model_validate({"bytes": text}).bytes_ == value


def test_enums_are_spelt_as_in_yaml() -> None:
    """The value of an enum is Istio's name."""
    assert TlsProtocol("TLSV1_2") is TlsProtocol.TLSV1_2
