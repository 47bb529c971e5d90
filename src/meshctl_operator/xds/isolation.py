"""Finds which resource it is for which a client rejects a whole response without naming it, so that the others get through.

The changes of a rejected response are sent again in halves, until single ones are rejected. One of these may be innocent: it may want a
domain that another gives up in a later half. Therefore each is tried once more when all others are through, and only then its rejection counts.
Only an exchange of domains between two of them is not found out, and stays undone until one of them changes.
"""

from __future__ import annotations

from collections.abc import Mapping

from meshctl_operator.xds.resources import ContentHash, ResourceName


class Isolation:
    """How far the search on one stream is; idle until a response is rejected."""

    __slots__ = ("_limit", "_retried", "_suspects")

    def __init__(self) -> None:
        self._limit: int | None = None  # how many changes the next response may have
        self._suspects: list[ResourceName] = []  # rejected alone, while others waited
        self._retried: set[ResourceName] = set()

    @property
    def active(self) -> bool:
        """Whether a search goes on."""
        return self._limit is not None

    def portion(self, changed: tuple[ResourceName, ...]) -> tuple[tuple[ResourceName, ...], tuple[ResourceName, ...]]:
        """Return what of the changes may be sent now, and what has to wait."""
        if self._limit is None:
            return changed, ()
        free = [name for name in changed if name not in self._suspects]
        now = tuple(free[: self._limit])
        return now, tuple(name for name in changed if name not in now) if len(now) < len(changed) else ()

    def accepted(self) -> None:
        """Note that a response was accepted: the next one may be bigger."""
        if self._limit is not None:
            self._limit *= 2

    def rejected(self, changes: Mapping[ResourceName, ContentHash | None]) -> bool:
        """Note that a response was rejected; returns whether the rejection counts. All of the changes have to be told again then, if any."""
        changed = tuple(name for name, version in changes.items() if version is not None)
        if not changed:
            return True
        if len(changed) > 1:
            self._limit = len(changed) // 2
            return False
        if self._limit is None or changed[0] in self._retried:
            return True
        self._suspects += changed
        return False

    def through(self) -> tuple[ResourceName, ...]:
        """Note that nothing waits any more. Returns the names that are to be tried once more, one by one; none if the search is over."""
        again = tuple(self._suspects)
        self._suspects = []
        if again:
            self._limit = 1
            self._retried.update(again)
        else:
            self._limit = None
            self._retried.clear()
        return again
