"""What compiling gives: resources as they travel, with their provenance, for one proxy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from meshctl_operator.base.diagnostics import Diagnostic
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.base.shards import ShardedMap
from meshctl_operator.xds.resources import ContentHash, TypeUrl, XdsResource, make_resource


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class CompiledResource(XdsResource):
    """One Envoy resource, framed once for all proxies, with the objects that it was computed from.

    ``sources`` are those of its parts: the virtual hosts of a route configuration come from thousands of objects, and hardly anybody
    ever asks. Of a cluster that discovers its endpoints ``eds_name`` is always set; ``secret_names`` are those that it asks for by SDS.
    Two are equal when content and sources are.
    """

    sources: tuple[tuple[ObjectKey, ...], ...] = ()
    secret_names: tuple[str, ...] = ()

    @property
    def provenance(self) -> tuple[ObjectKey, ...]:
        """The objects that the resource was computed from, in key order; gathered from the sources at each call."""
        return tuple(sorted({key for part in self.sources for key in part}))

    def __eq__(self, other: object) -> bool:
        """Compare identity of content, and where it came from."""
        if not isinstance(other, CompiledResource):
            return NotImplemented
        return self is other or (self.version, self.name, self.type_url, self.sources) == (
            other.version,
            other.name,
            other.type_url,
            other.sources,
        )

    def __hash__(self) -> int:
        """Hash by content."""
        return hash((self.type_url, self.name, self.version))

    def __repr__(self) -> str:
        """Return type, name and size; the body of a secret must not get into a log."""
        return f"CompiledResource({self.type_url.rpartition('.')[2]} {self.name!r}, {self.body_size} bytes)"


def compiled_resource(
    type_url: TypeUrl,
    name: str,
    body: bytes,
    sources: tuple[tuple[ObjectKey, ...], ...] = (),
    eds_name: str = "",
    *,
    version: ContentHash | None = None,
    secret_names: tuple[str, ...] = (),
) -> CompiledResource:
    """Frame a serialised message; ``version`` as in ``xds.resources.make_resource``, the rest as in ``CompiledResource``."""
    made = make_resource(type_url, name, body, version, eds_name=eds_name)
    return CompiledResource(
        type_url, name, made.version, made.sotw_frame, made.delta_head, made.delta_tail, made.body_size, eds_name, sources, secret_names
    )


Resources = ShardedMap[CompiledResource]


class CompiledProxy:
    """All resources of one proxy by type and name, and the findings met on the way.

    ``resources`` have whole route configurations, ``split`` have their virtual hosts as resources of their own. The whole ones are made
    when they are asked for: one changed route joins a megabyte, and few clients still need it.
    """

    __slots__ = ("_make_whole", "_whole", "diagnostics", "split")

    def __init__(
        self,
        split: Mapping[TypeUrl, Resources],
        diagnostics: tuple[Diagnostic, ...] = (),
        make_whole: Callable[[], Resources] | None = None,
    ) -> None:
        """Take over the resources in split form; ``make_whole`` gives the whole route configurations, if there are others than these."""
        self.split = split
        self.diagnostics = diagnostics
        self._make_whole = make_whole
        self._whole: Mapping[TypeUrl, Resources] | None = None

    @property
    def resources(self) -> Mapping[TypeUrl, Resources]:
        """All resources with whole route configurations; made once."""
        if self._whole is None:
            whole: dict[TypeUrl, Resources] = {
                type_url: found for type_url, found in self.split.items() if type_url is not TypeUrl.VIRTUAL_HOST
            }
            if self._make_whole is not None:
                whole[TypeUrl.ROUTE] = self._make_whole()
            self._whole = whole
        return self._whole

    def __eq__(self, other: object) -> bool:
        """Compare what it is made of: the split form says all that the whole one does."""
        if not isinstance(other, CompiledProxy):
            return NotImplemented
        return self is other or (self.split == other.split and self.diagnostics == other.diagnostics)

    __hash__ = None  # type: ignore[assignment]  # a bundle of mappings, as those

    def __repr__(self) -> str:
        """Return how many resources there are of each type."""
        counts = ", ".join(f"{len(found)} {type_url.short}" for type_url, found in self.split.items())
        return f"CompiledProxy({counts})"
