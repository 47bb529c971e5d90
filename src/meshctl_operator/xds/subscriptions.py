"""Which names of one resource type a client wants.

The SotW variant replaces the whole list with each request, the Delta variant adds and removes. An empty first list means everything
for CDS, LDS and VHDS (legacy wildcard, the only form that Envoy uses), ``*`` means everything for every type.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final

from meshctl_operator.xds.resources import ResourceName, TypeUrl

WILDCARD: Final = "*"


@dataclass(frozen=True, slots=True)
class SubscriptionChange:
    """What a request changed: names that are wanted now and were not, names that are not wanted by name any more, wildcard begun or ended."""

    added: frozenset[ResourceName] = frozenset()
    removed: frozenset[ResourceName] = frozenset()
    wildcard_begun: bool = False
    wildcard_ended: bool = False

    def __bool__(self) -> bool:
        """Tell whether anything changed."""
        return bool(self.added or self.removed or self.wildcard_begun or self.wildcard_ended)


NO_CHANGE: Final = SubscriptionChange()


class Subscription:
    """The names of one type that one stream wants, and whether it wants everything.

    ``names`` is a set that all streams share which want the same; ``share`` (``Sharing.names``) returns it.
    """

    __slots__ = ("_named", "_requested", "_share", "_type_url", "names", "wildcard")

    def __init__(self, type_url: TypeUrl, share: Callable[[frozenset[ResourceName]], frozenset[ResourceName]] = frozenset) -> None:
        self.names: frozenset[ResourceName] = frozenset()
        self.wildcard = False
        self._type_url = type_url
        self._share = share
        self._named = False  # a name was sent once: the legacy wildcard never comes back
        self._requested = False

    def covers(self, name: ResourceName) -> bool:
        """Tell whether the client wants a name."""
        return self.wildcard or name in self.names

    def replace(self, names: Collection[ResourceName]) -> SubscriptionChange:
        """Apply the list of a SotW request: it is all that the client wants from now on."""
        self._named |= bool(names)
        legacy = not self._named and self._type_url.legacy_wildcard
        return self._become(frozenset(names) - {WILDCARD}, wildcard=legacy or WILDCARD in names)

    def update(self, subscribe: Collection[ResourceName], unsubscribe: Collection[ResourceName]) -> SubscriptionChange:
        """Apply the lists of a Delta request. A name in both lists is not wanted."""
        if self._requested and not subscribe and not unsubscribe:
            return NO_CHANGE
        legacy = not self._requested and not subscribe and self._type_url.legacy_wildcard
        added, gone = frozenset(subscribe), frozenset(unsubscribe)
        wildcard = (self.wildcard or legacy or WILDCARD in added) and WILDCARD not in gone
        names = self.names | added if self.names else added
        if gone or WILDCARD in names:
            names -= gone | {WILDCARD}
        return self._become(names, wildcard=wildcard)

    def _become(self, names: frozenset[ResourceName], *, wildcard: bool) -> SubscriptionChange:
        if self._requested and wildcard is self.wildcard and names == self.names:
            return NO_CHANGE
        names = self._share(names)
        change = SubscriptionChange(
            added=names - self.names if self.names else names,
            removed=self.names - names,
            wildcard_begun=wildcard and not self.wildcard,
            wildcard_ended=self.wildcard and not wildcard,
        )
        self.names, self.wildcard, self._requested = names, wildcard, True
        return change
