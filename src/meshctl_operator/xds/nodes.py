"""What a client says about itself: the Node message of its first request, read once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from envoy.config.core.v3 import base_pb2

JsonValue = None | bool | float | str | list["JsonValue"] | dict[str, "JsonValue"]


@dataclass(frozen=True, slots=True)
class Locality:
    """Where the proxy runs; empty strings where it does not say."""

    region: str = ""
    zone: str = ""
    sub_zone: str = ""


@dataclass(frozen=True, slots=True)
class NodeInfo:
    """The Node message as plain values. ``extensions`` are the names of the extensions that are compiled into this Envoy."""

    id: str
    cluster: str = ""
    metadata: Mapping[str, JsonValue] = field(default_factory=dict, repr=False)
    locality: Locality = Locality()
    extensions: frozenset[str] = field(default=frozenset(), repr=False)
    user_agent: str = ""
    version: tuple[int, int, int] | None = None

    @property
    def version_text(self) -> str:
        """The version of Envoy as ``1.40.0``; empty if the client does not say."""
        return ".".join(map(str, self.version)) if self.version else ""


def read_node(node: base_pb2.Node, share: Callable[[frozenset[str]], frozenset[str]] = frozenset) -> NodeInfo:
    """Return the Node message (envoy.config.core.v3.Node) as plain values. It has some 60 KB, so call it once for a stream.

    Most of that are the names of hundreds of extensions, equal for all Envoys of one build: ``share`` returns one set for equal ones.
    """
    build = node.user_agent_build_version.version
    version = (build.major_number, build.minor_number, build.patch) if node.HasField("user_agent_build_version") else None
    return NodeInfo(
        id=node.id,
        cluster=node.cluster,
        metadata=_fields(node.metadata),
        locality=Locality(node.locality.region, node.locality.zone, node.locality.sub_zone),
        extensions=share(frozenset(extension.name for extension in node.extensions)),
        user_agent=node.user_agent_name,
        version=version,
    )


def _fields(struct: Any) -> dict[str, JsonValue]:  # noqa: ANN401  (a google.protobuf.Struct, whose stubs do not type its map)
    return {name: _value(value) for name, value in struct.fields.items()}


def _value(value: Any) -> JsonValue:  # noqa: ANN401  (a google.protobuf.Value)
    match value.WhichOneof("kind"):
        case "struct_value":
            return _fields(value.struct_value)
        case "list_value":
            return [_value(item) for item in value.list_value.values]
        case "bool_value":
            return bool(value.bool_value)
        case "number_value":
            return float(value.number_value)
        case "string_value":
            return str(value.string_value)
        case _:
            return None
