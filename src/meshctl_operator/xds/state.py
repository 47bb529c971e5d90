"""What one proxy should hold at one revision."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from meshctl_operator.base.shards import EMPTY_MAP, ShardedMap
from meshctl_operator.xds.resources import ResourceName, TypeUrl, XdsResource

Resources = ShardedMap[XdsResource]
"""The resources of one type by name."""


@dataclass(frozen=True, slots=True)
class ViewState:
    """The resources of one proxy at one revision; immutable.

    A caller that passes the very same mapping again for a type that did not change lets every stream skip that type without a look
    inside; of another mapping, only the shards that are not shared with the one before are looked at.
    Where route configurations are split, ``make_whole`` gives the resources without VHDS, for clients that must have them whole; they
    share the mappings of all types but RDS. It is called when the first client needs it.
    """

    revision: int
    resources: Mapping[TypeUrl, Resources] = field(repr=False)
    make_whole: Callable[[], Mapping[TypeUrl, Resources]] | None = field(default=None, repr=False, compare=False)
    _whole: ViewState = field(init=False, repr=False, compare=False)

    @property
    def splits(self) -> bool:
        """Whether there are two forms of the state."""
        return self.make_whole is not None

    @property
    def whole(self) -> ViewState:
        """The state with whole route configurations; itself where there is no other form."""
        if self.make_whole is None:
            return self
        try:
            return self._whole
        except AttributeError:
            whole = ViewState(self.revision, self.make_whole())
            object.__setattr__(self, "_whole", whole)
            return whole

    def of(self, type_url: TypeUrl) -> Resources:
        """Return the resources of a type by name."""
        return self.resources.get(type_url, EMPTY_MAP)

    def eds_name(self, cluster: ResourceName) -> ResourceName:
        """Return the name of the ClusterLoadAssignment of a cluster: its own name, unless the cluster says otherwise."""
        resource = self.of(TypeUrl.CLUSTER).get(cluster)
        return (resource.eds_name if resource is not None else "") or cluster


def view_state(revision: int, resources: Iterable[XdsResource]) -> ViewState:
    """Return the state that holds the given resources; of two with one type and name the later wins."""
    by_type: dict[TypeUrl, dict[ResourceName, XdsResource]] = {}
    for resource in resources:
        by_type.setdefault(resource.type_url, {})[resource.name] = resource
    return ViewState(revision, {type_url: ShardedMap.of(found) for type_url, found in by_type.items()})
