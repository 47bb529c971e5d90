"""Which clusters a client was told of and cannot use yet, so that nothing that leads there is sent before (make before break).

A new cluster can be used when its endpoints were sent, or, of one that discovers none, when the client has answered the response that has
it: Envoy withholds that answer while clusters warm. So a cluster that cannot warm, because a name is never resolved or a secret does not
come, keeps the answer away for all of them. What leads to it waits, and nothing else; and after a deadline it does not wait any longer.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from meshctl_operator.xds.resources import ResourceName, XdsResource
from meshctl_operator.xds.wire import varint

FEW: Final = 64
"""So many new clusters are told apart. More of them come when a client is told everything, and answers that soon: then everything waits."""


@dataclass(frozen=True, slots=True)
class Timing:
    """How long things may take, in seconds.

    Attributes:
        drain: how long removed clusters, endpoints and secrets stay after everything that led there was acknowledged, for requests under way.
        warming: how long what leads to a new cluster waits for it.
        whole: the same for a route configuration that is not split, since routes to all other clusters wait with it.
    """

    drain: float = 0.0
    warming: float = 10.0
    whole: float = 1.0


class Readiness:
    """The new clusters of one stream. Times are those of the clock of the stream."""

    __slots__ = ("_since", "_told")

    def __init__(self) -> None:
        self._told: dict[ResourceName, tuple[float, ResourceName]] = {}  # when it was told, and the name of its endpoints, if it has one
        self._since: float | None = None  # when so many were told that they are not told apart

    def told(self, clusters: Mapping[ResourceName, ResourceName], now: float) -> None:
        """Note that clusters were sent which the client had in no version, each with the name that it discovers its endpoints by, or none."""
        if len(clusters) + len(self._told) > FEW:
            self._since = now
            self._told.clear()
        else:
            self._told |= {name: (now, eds_name) for name, eds_name in clusters.items()}

    def endpoints(self, names: Collection[ResourceName]) -> None:
        """Note that endpoints were sent."""
        if self._told:
            self._told = {name: (since, eds_name) for name, (since, eds_name) in self._told.items() if eds_name not in names}

    def answered(self) -> None:
        """Note that the client has answered everything that it was told of clusters: they are ready, or rejected for good."""
        self._told.clear()
        self._since = None

    def expired(self, now: float, patience: float) -> tuple[ResourceName, ...]:
        """Return the clusters that took longer than ``patience``, each once; nothing waits for them any more. The empty name means many."""
        gone = tuple(sorted(name for name, (since, _) in self._told.items() if now - since >= patience))
        for name in gone:
            del self._told[name]
        if self._since is None or now - self._since < patience:
            return gone
        self._since = None
        return ("", *gone)

    def until(self, now: float, patience: float) -> float | None:
        """Return when the next cluster will have taken that long; None if none is waited for."""
        times = [since for since, _ in self._told.values()]
        if self._since is not None:
            times.append(self._since)
        return min((time + patience for time in times if time + patience > now), default=None)

    def waiting(self, now: float, patience: float) -> Waiting | None:
        """Return what is not ready and was told less than ``patience`` ago; None if there is nothing."""
        if self._since is not None and now - self._since < patience:
            return Waiting(None)
        clusters = tuple(name for name, (since, _) in self._told.items() if now - since < patience)
        return Waiting(clusters) if clusters else None


@dataclass(frozen=True, slots=True)
class Waiting:
    """Clusters that are not ready; None for any."""

    clusters: tuple[ResourceName, ...] | None

    def holds(self, resource: XdsResource) -> bool:
        """Tell whether a resource leads to one of the clusters: its name stands in the body as a text of just that length.

        The resource's own name does not count.
        """
        if self.clusters is None:
            return True
        frame = resource.sotw_frame
        return any((needle := _needle(name)) in frame and frame.count(needle) > (name == resource.name) for name in self.clusters)


def _needle(name: ResourceName) -> bytes:
    text = name.encode()
    return varint(len(text)) + text
