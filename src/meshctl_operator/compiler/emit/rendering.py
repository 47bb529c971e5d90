"""From bytes back to text: served resources as protobuf JSON, for people and for files."""

from __future__ import annotations

from typing import Any

from google.protobuf import any_pb2, json_format

# The messages of these packages are inside Any fields; a decoder must have met them before.
from meshctl_operator.compiler.emit import resources as _resources  # noqa: F401  (imported for the message types that it registers)
from meshctl_operator.compiler.resources import CompiledResource


def as_json(resource: CompiledResource) -> dict[str, Any]:
    """Return the resource in protobuf JSON with the original field names, as plain dicts and lists."""
    envelope = any_pb2.Any(type_url=resource.type_url, value=resource.body)
    message = json_format.MessageToDict(envelope, preserving_proto_field_name=True)
    return {name: _plain(value) for name, value in message.items() if name != "@type"}


def _plain(value: Any) -> Any:  # noqa: ANN401  (protobuf JSON)
    """Return the value without ordered dicts, which the decoder uses for Any and which YAML writers do not know."""
    match value:
        case dict():
            return {name: _plain(item) for name, item in value.items()}
        case list():
            return [_plain(item) for item in value]
        case _:
            return value
