"""What a client rejects of one type on one stream: which resource it is for, and when something may be sent again.

Envoy names the reason (``Error adding/updating cluster(s) NAME: ...``), and then has applied everything else, or it names nothing and has
applied nothing (``Proto constraint validation failed``). So of a response that is rejected without a name the parts are told again, half
by half (``xds.isolation``), and where a name is given all others at once, unless they are known to be applied. What is rejected for good
is not sent again on this stream until it changes: the client stays at what it accepted before.

A client that rejects one response after the other has to wait longer and longer for the next one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from meshctl_operator.xds.isolation import Isolation
from meshctl_operator.xds.resources import ContentHash, ResourceName
from meshctl_operator.xds.state import Resources

AT_ONCE: Final = 16
"""Rejections in a row after which nothing is waited for: more than the halvings of ten thousand resources take."""

FIRST_WAIT: Final = 0.1
LONGEST_WAIT: Final = 30.0
"""Seconds until the next response after one rejection more than that; the wait doubles with each one."""

_REST_APPLIED: Final = "Error adding/updating"  # how Envoy begins where it names clusters or listeners, and has applied the others
_NAME_CHARACTER: Final = r"[\w.|/:*-]"


def named_in(message: str, names: Iterable[ResourceName]) -> tuple[ResourceName, ...]:
    """Return which of the names a rejection speaks of: as whole words, for one name may be the beginning of another."""
    return tuple(
        name
        for name in sorted(names)
        if name in message and re.search(rf"(?<!{_NAME_CHARACTER}){re.escape(name)}(?!{_NAME_CHARACTER.replace(':', '')})", message)
    )


class Rejections:
    """The rejections of one type on one stream, from the first one on."""

    __slots__ = ("_isolation", "_refused", "_streak", "not_before")

    def __init__(self) -> None:
        self._isolation = Isolation()
        self._refused: dict[ResourceName, ContentHash] = {}
        self._streak = 0  # rejections in a row
        self.not_before = 0.0  # when the next response may be sent

    @property
    def searching(self) -> bool:
        """Whether it is being found out what a response was rejected for."""
        return self._isolation.active

    @property
    def delayed(self) -> bool:
        """Whether the client has to wait for the next response, so that nobody should wait for what is being found out."""
        return self._streak > AT_ONCE

    def rejected(
        self, changes: Mapping[ResourceName, ContentHash | None], message: str, now: float, *, atomic: bool
    ) -> tuple[tuple[ResourceName, ...], bool]:
        """Note that a response was rejected. Returns the names that the client may hold in any version now, and whether the rejection counts.

        Args:
            changes: what was new in the response.
            message: the reason, as the client says it.
            now: when it happened.
            atomic: whether such a response is applied wholly or not at all, and never names what it is for.
        """
        self._streak += 1
        if self._streak > AT_ONCE:
            self.not_before = now + min(FIRST_WAIT * 2 ** (self._streak - AT_ONCE - 1), LONGEST_WAIT)
        sent = {name: version for name, version in changes.items() if version is not None}
        named = () if atomic else named_in(message, sent)
        if named:
            if message.startswith(_REST_APPLIED):
                self._forget(changes)
            self._refused |= {name: sent[name] for name in named}
            return named if message.startswith(_REST_APPLIED) else tuple(changes), True
        counts = self._isolation.rejected(changes)
        if counts:
            self._refused |= sent
        return tuple(changes) if sent else (), counts

    def accepted(self, changes: Mapping[ResourceName, ContentHash | None]) -> bool:
        """Note that a response was accepted: the next one may be bigger. Returns whether there is nothing left to remember."""
        self._streak, self.not_before = 0, 0.0
        self._isolation.accepted()
        self._forget(changes)
        return not (self._refused or self._isolation.active)

    def _forget(self, names: Iterable[ResourceName]) -> None:
        if self._refused:
            for name in names:
                self._refused.pop(name, None)

    def portion(self, changed: tuple[ResourceName, ...], current: Resources) -> tuple[tuple[ResourceName, ...], tuple[ResourceName, ...]]:
        """Return what of the changes may be told now, and what has to wait."""
        refused = self._refused
        possible = tuple(name for name in changed if refused.get(name) != current[name].version) if refused else changed
        now, later = self._isolation.portion(possible)
        if not now and self._isolation.active and self._isolation.through():
            now, later = self._isolation.portion(possible)
        if not refused:
            return now, later
        told = set(now)
        return now, tuple(name for name in changed if name not in told)
