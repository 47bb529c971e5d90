"""The intern table of resources: equal content is one object, so that its bytes are shared by all proxies."""

from __future__ import annotations

from weakref import WeakValueDictionary

from meshctl_operator.xds.resources import ContentHash, ResourceName, TypeUrl, XdsResource, content_hash, make_resource


class ResourceStore:
    """Resources by (type, name, version). Holds them weakly: what no view and no stream uses goes away with its bytes."""

    def __init__(self) -> None:
        self._resources: WeakValueDictionary[tuple[TypeUrl, ResourceName, ContentHash], XdsResource] = WeakValueDictionary()

    def __len__(self) -> int:
        return len(self._resources)

    def intern(self, type_url: TypeUrl, name: ResourceName, body: bytes, version: ContentHash | None = None) -> XdsResource:
        """Return the one resource with this content, framing the body only if it is new; ``version`` as in ``make_resource``."""
        version = version or content_hash(body)
        key = (type_url, name, version)
        known = self._resources.get(key)
        if known is None:
            known = self._resources[key] = make_resource(type_url, name, body, version)
        return known
