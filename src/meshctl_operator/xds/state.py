"""What one proxy should hold at one revision."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from meshctl_operator.xds.resources import ResourceName, TypeUrl, XdsResource

_NOTHING: Final[Mapping[ResourceName, XdsResource]] = {}


@dataclass(frozen=True, slots=True)
class ViewState:
    """The resources of one proxy at one revision; immutable.

    The mappings given must never change afterwards. A caller that passes the very same inner mapping again for a type that did not
    change lets every stream skip that type without a look inside.
    ``eds_names`` maps a cluster to the name under which its endpoints are discovered (``eds_cluster_config.service_name``), where that
    differs from the name of the cluster.
    """

    revision: int
    resources: Mapping[TypeUrl, Mapping[ResourceName, XdsResource]] = field(repr=False)
    eds_names: Mapping[ResourceName, ResourceName] = field(default_factory=dict, repr=False)

    def of(self, type_url: TypeUrl) -> Mapping[ResourceName, XdsResource]:
        """Return the resources of a type by name."""
        return self.resources.get(type_url, _NOTHING)

    def eds_name(self, cluster: ResourceName) -> ResourceName:
        """Return the name of the ClusterLoadAssignment of a cluster."""
        return self.eds_names.get(cluster, cluster)


def view_state(revision: int, resources: Iterable[XdsResource], eds_names: Mapping[ResourceName, ResourceName] | None = None) -> ViewState:
    """Return the state that holds the given resources; of two with one type and name the later wins."""
    by_type: dict[TypeUrl, dict[ResourceName, XdsResource]] = {}
    for resource in resources:
        by_type.setdefault(resource.type_url, {})[resource.name] = resource
    return ViewState(revision, by_type, eds_names or {})
