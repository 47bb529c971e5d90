"""Finds the virtual hosts for which a client rejects a whole route configuration, so that the others get through.

Where virtual hosts are resources of their own the stream does that (``xds.rejections``). A whole route configuration is one resource to the
stream, so here other ones are made of it: with everything but the virtual hosts that wait, which are as the client has them, or left out.
"""

from __future__ import annotations

from dataclasses import dataclass

from meshctl_operator.xds.isolation import Isolation
from meshctl_operator.xds.resources import ContentHash, ResourceName, XdsResource
from meshctl_operator.xds.route_pieces import pieces, shell, with_pieces


@dataclass(frozen=True, slots=True)
class Found:
    """What a route configuration is rejected for: one of its virtual hosts, or, without one, all of it."""

    piece: XdsResource | None = None


class RouteSearch:
    """The search on one stream for one route configuration."""

    def __init__(self, accepted: XdsResource | None, target: XdsResource) -> None:
        """Begin with what the client accepted before, if anything, and what it should have and was served."""
        self._base = accepted
        self._isolation = Isolation()
        self._shell_first = False
        self._target = self.served = target
        self._changes = self._difference(target)

    @property
    def over(self) -> bool:
        """Whether the client has what it should."""
        return self._base is self._target

    def serve(self, target: XdsResource) -> XdsResource:
        """Return what to serve of what the client should have."""
        if target is self._target and self.served is not self._base:
            return self.served
        self._target, self.served = target, self._next(target)
        return self.served

    def accepted(self, version: ContentHash) -> None:
        """Note that the client accepted a version."""
        if version == self.served.version:
            self._base = self.served
            if not self._shell_first:
                self._isolation.accepted()
            self._shell_first = False

    def rejected(self, version: ContentHash) -> Found | None:
        """Note that the client rejected a version; returns what for if that is clear now."""
        if version != self.served.version:
            return None
        shell_changed = self._base is None or shell(self._base) != shell(self.served)
        if not self._changes:
            return Found()
        changes: dict[ResourceName, ContentHash | None] = {name: piece.version for name, piece in self._changes.items()}
        if shell_changed:
            self._shell_first = True
            self._isolation.rejected({**changes, "": ""})  # as one more change, for it is not known which it is
        elif self._isolation.rejected(changes):
            (piece,) = self._changes.values()
            return Found(piece)
        self.served = self._next(self._target)
        return None

    def _next(self, target: XdsResource) -> XdsResource:
        had = pieces(self._base) if self._base is not None else {}
        changed = {name: piece for name, piece in pieces(target).items() if name not in had or had[name].version != piece.version}
        names = tuple(sorted(changed))
        now: tuple[ResourceName, ...] = ()
        if not self._shell_first:
            now, _ = self._isolation.portion(names)
            if not now and names and self._isolation.through():
                now, _ = self._isolation.portion(names)
        self._changes = {name: changed[name] for name in now}
        later = {piece.version: had.get(name) for name, piece in changed.items() if name not in self._changes}
        return with_pieces(target, later)

    def _difference(self, target: XdsResource) -> dict[ResourceName, XdsResource]:
        had = pieces(self._base) if self._base is not None else {}
        return {name: piece for name, piece in pieces(target).items() if name not in had or had[name].version != piece.version}
