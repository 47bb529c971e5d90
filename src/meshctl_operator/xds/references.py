"""What a resource refers to: every string in its message that is the name of another resource. Exact enough to keep what is needed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from google.protobuf import any_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from meshctl_operator.xds.resources import ResourceName, TypeUrl, XdsResource
from meshctl_operator.xds.virtual_hosts import route_of

if TYPE_CHECKING:
    from meshctl_operator.xds.state import ViewState

_REFERRED: Final = (TypeUrl.CLUSTER, TypeUrl.ENDPOINT, TypeUrl.ROUTE, TypeUrl.SECRET)


def references(resource: XdsResource, state: ViewState) -> tuple[XdsResource, ...]:
    """Return the resources of a state that this one needs, directly or by way of others, without itself.

    The virtual hosts of a split route configuration belong to it.
    """
    found: dict[tuple[TypeUrl, ResourceName], XdsResource] = {}
    left = [resource]
    while left:
        for needed in _direct(left.pop(), state):
            key = (needed.type_url, needed.name)
            if key not in found and needed is not resource:
                found[key] = needed
                left.append(needed)
    return tuple(found[key] for key in sorted(found))


def _direct(resource: XdsResource, state: ViewState) -> Iterator[XdsResource]:
    names = {*_strings(resource.type_url, resource.body)}
    if resource.type_url is TypeUrl.CLUSTER:
        names.add(resource.eds_name or resource.name)
    for type_url in _REFERRED:
        resources = state.of(type_url)
        yield from (
            resources[name] for name in sorted(names) if name in resources and (type_url, name) != (resource.type_url, resource.name)
        )
    if resource.type_url is TypeUrl.ROUTE:
        yield from (host for name, host in state.of(TypeUrl.VIRTUAL_HOST).items() if route_of(name) == resource.name)


def _strings(type_url: str, body: bytes) -> Iterator[str]:
    """Yield every string in a message, also in messages packed inside, of types that this process knows."""
    try:
        descriptor = descriptor_pool.Default().FindMessageTypeByName(type_url.rpartition("/")[2])
    except KeyError:
        return
    try:
        message = message_factory.GetMessageClass(descriptor).FromString(body)
    except DecodeError:
        return
    yield from _strings_in(message)


def _strings_in(message: Any) -> Iterator[str]:  # noqa: ANN401  (a protobuf message of any type)
    if isinstance(message, any_pb2.Any):
        yield from _strings(message.type_url, message.value)
        return
    for descriptor, value in message.ListFields():
        if descriptor.type == descriptor.TYPE_STRING:
            yield from [value] if isinstance(value, str) else value
        elif descriptor.type == descriptor.TYPE_MESSAGE:
            if descriptor.message_type.GetOptions().map_entry:
                for key, item in value.items():
                    if isinstance(key, str):
                        yield key
                    if hasattr(item, "ListFields"):
                        yield from _strings_in(item)
            else:
                for item in [value] if hasattr(value, "ListFields") else value:
                    yield from _strings_in(item)
