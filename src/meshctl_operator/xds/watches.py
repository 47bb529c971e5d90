"""One type on one stream: what is wanted, what the client holds, what waits for an answer.

What a client holds is not a list of its own. It is a reference to the mapping that the client was told last, which is shared with the view
and with the other streams, and the few exceptions from it. So a stream costs some hundred bytes for each type, whatever the number of
resources, and a change costs what changed.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from meshctl_operator.base.shards import EMPTY_MAP, SHARDS
from meshctl_operator.xds.differences import Claims, Holding, version_in, versions_in
from meshctl_operator.xds.events import Sent
from meshctl_operator.xds.exchange import Exchange
from meshctl_operator.xds.rejections import Rejections
from meshctl_operator.xds.resources import ContentHash, ResourceName, TypeUrl, XdsResource
from meshctl_operator.xds.sharing import Sharing
from meshctl_operator.xds.state import Resources
from meshctl_operator.xds.subscriptions import Subscription, SubscriptionChange

UNKNOWN: Final[ContentHash] = ""
"""The version of a name that the client may or may not hold: it is sent if it exists, and its absence is told if it does not."""

_NO_NAMES: Final[frozenset[ResourceName]] = frozenset()


@dataclass(frozen=True, slots=True)
class Pending:
    """What the client should be told about a type: sorted names, and whether an answer is due even if nothing changed."""

    changed: tuple[ResourceName, ...] = ()
    removed: tuple[ResourceName, ...] = ()
    due: bool = False

    def __bool__(self) -> bool:
        """Tell whether there is anything to send."""
        return bool(self.changed or self.removed or self.due)


NOTHING: Final = Pending()
_ANSWER: Final = Pending(due=True)


class Watch(ABC):
    """One type on one stream.

    The client holds, of the names that it wants, the version that was sent last; any, if that was rejected: so a name that Envoy accepted out
    of a rejected response still gets its removal. That version is, in this order:
    the one in ``_exceptions`` (None: not held), ``UNKNOWN`` for a name in ``_asked``, or the one in ``_told``.
    """

    __slots__ = (
        "_actual",
        "_asked",
        "_exceptions",
        "_good",
        "_sharing",
        "_told",
        "answer_due",
        "exchange",
        "newest",
        "rejections",
        "subscription",
        "type_url",
    )

    def __init__(self, type_url: TypeUrl, sharing: Sharing) -> None:
        self.type_url = type_url
        self.subscription = Subscription(type_url, sharing.names)
        self.exchange = Exchange()
        self.answer_due = False
        self.newest = 0  # the number of the response that was sent last
        self._sharing = sharing
        self._told: Holding = EMPTY_MAP
        self._asked = _NO_NAMES
        self._exceptions: dict[ResourceName, ContentHash | None] = {}
        self._actual: Resources = EMPTY_MAP  # what was told last, but what comes later, or is rejected, as the client had it
        self._good: Resources = EMPTY_MAP  # the same from before what waits for its answer
        self.rejections: Rejections | None = None

    @property
    def may_send(self) -> bool:
        """Whether a response may be sent now: one at a time, but CDS, whose ACK Envoy withholds while clusters warm.

        While it is being found out what the client rejects, the next one depends on its answer.
        """
        if not self.exchange.in_flight:
            return True
        return self.type_url is TypeUrl.CLUSTER and not (self.rejections is not None and self.rejections.searching)

    @property
    def begun(self) -> bool:
        """Whether the client holds, or was told, anything."""
        return bool(self.exchange.latest) or isinstance(self._told, Claims)

    @property
    def known(self) -> bool:
        """Whether the client is known to hold something, because it was told or said so, be it what it has to give up later."""
        return self._told is not EMPTY_MAP or bool(self._exceptions)

    def version(self, name: ResourceName) -> ContentHash | None:
        """Return the version of a name that the client holds; None if it holds none."""
        if not self.subscription.covers(name):
            return None
        if name in self._exceptions:
            return self._exceptions[name]
        return UNKNOWN if name in self._asked else version_in(self._told, name)

    def holds(self, name: ResourceName) -> bool:
        """Tell whether the client holds a name in any version, be it unknown."""
        return self._exceptions.get(name, version_in(self._told, name)) is not None

    def held(self) -> dict[ResourceName, ContentHash]:
        """Return the version of each name that the client holds, ``UNKNOWN`` while the client has not answered; for debug pages."""
        found = dict.fromkeys(self.exchange.unanswered, UNKNOWN)
        return {name: version for name, version in self._versions().items() if self.subscription.covers(name)} | found

    def claim(self, held: Holding, asked: frozenset[ResourceName]) -> None:
        """Begin with what the client says that it holds, and with names that are to be answered whatever it holds."""
        self._told, self._asked = held, self._sharing.names(asked)
        self._actual = held if not isinstance(held, Claims) else EMPTY_MAP

    def ask_again(self, name: ResourceName) -> None:
        """Have a name sent, whatever version the client holds."""
        self._exceptions[name] = UNKNOWN

    def forget(self, prefixes: tuple[str, ...]) -> None:
        """Forget the exceptions whose names begin so: the client has given up what they belong to."""
        if self._exceptions:
            self._exceptions = {name: version for name, version in self._exceptions.items() if not name.startswith(prefixes)}

    def retain(self, change: SubscriptionChange) -> None:
        """Forget what is not wanted any more, and do not take for held what was not wanted until now."""
        if change.wildcard_begun or change.wildcard_ended:
            self._spell_out(change)
        elif not self.subscription.wildcard:
            for name in change.removed:
                self._exceptions.pop(name, None)
            if self._told is not EMPTY_MAP or self._asked:
                self._exceptions.update(dict.fromkeys(change.added))

    def _spell_out(self, change: SubscriptionChange) -> None:
        """Keep what is held name by name, since it is no longer what the subscription covers."""
        before = (self.subscription.names - change.added) | change.removed
        everything = change.wildcard_ended
        held = {name: version for name, version in self._versions().items() if everything or name in before}
        self._told, self._asked = EMPTY_MAP, _NO_NAMES
        self._exceptions = {name: version for name, version in held.items() if self.subscription.covers(name)}

    def _versions(self) -> dict[ResourceName, ContentHash]:
        exceptions = self._exceptions.items()
        held = {**versions_in(self._told), **dict.fromkeys(self._asked, UNKNOWN)}
        held |= {name: version for name, version in exceptions if version is not None}
        return {name: version for name, version in held.items() if self._exceptions.get(name, version) is not None}

    def pending(self, current: Resources) -> Pending:
        """Return what the client should be told now, when these resources exist."""
        if current is self._told and not self._exceptions and not self._asked:
            return _ANSWER if self.answer_due else NOTHING
        difference = self._sharing.difference(self._told, current)
        changed, removed = self._wanted(difference.changed), self._wanted(difference.removed)
        if self._exceptions or (self._asked and self._told is not EMPTY_MAP):
            changed, removed = self._corrected(current, changed, removed)
        elif self._asked:
            removed = self._wanted(self._sharing.missing(self._asked, current))
        pending = Pending(changed, self.vanished(removed), self.answer_due)
        if not pending:
            self._agree(current)
        return pending

    def _wanted(self, names: tuple[ResourceName, ...]) -> tuple[ResourceName, ...]:
        """Return the names that are wanted: the very tuple if all are, so that equal responses are found without comparing names."""
        if self.subscription.wildcard or not names:
            return names
        wanted = self.subscription.names
        found = [name for name in names if name in wanted] if wanted else ()
        return names if len(found) == len(names) else tuple(found)

    def _corrected(
        self, current: Resources, changed: tuple[ResourceName, ...], removed: tuple[ResourceName, ...]
    ) -> tuple[tuple[ResourceName, ...], tuple[ResourceName, ...]]:
        """Return what differs, with the exceptions taken into account."""
        special = {**dict.fromkeys(self._asked, UNKNOWN), **self._exceptions}
        now = [name for name in changed if name not in special]
        gone = [name for name in removed if name not in special]
        for name, version in special.items():
            resource = current.get(name)
            if not self.subscription.covers(name):
                continue
            if resource is None:
                if version is not None:
                    gone.append(name)
            elif resource.version != version:
                now.append(name)
        return tuple(sorted(now)), tuple(sorted(gone))

    def tell(self, current: Resources, late: tuple[ResourceName, ...]) -> None:
        """Note that the client is told of these resources, but for the removals of ``late``, which come later."""
        kept = {name: self.version(name) for name in late}
        actual = self.with_late(current, late)
        if not self.exchange.in_flight:
            self._good = self._actual
        self._agree(current)
        self._actual, self._exceptions = actual, kept
        self.answer_due = False

    def with_late(self, current: Resources, late: tuple[ResourceName, ...]) -> Resources:
        """Return the resources, but what comes later as the client has it."""
        return _with_others(current, late, self._actual) if late else current

    def accepted(self) -> Resources:
        """Return what the client was told and has accepted, as far as the control plane has the content, and of it what is wanted or not."""
        return self._good if self.exchange.in_flight else self._actual

    def note_accepted(self, sent: Sent) -> None:
        """Note that the client accepted a response."""
        if not self.exchange.in_flight:
            self._good = EMPTY_MAP
        if self.rejections is not None and self.rejections.accepted(sent.changes):
            self.rejections = None

    def note_rejected(self, sent: Sent, message: str) -> bool:
        """Note that the client rejected a response; returns whether it is clear what for."""
        if sent.outdated:
            return False
        if self.rejections is None:
            self.rejections = Rejections()
        atomic = self.type_url is TypeUrl.VIRTUAL_HOST
        again, counts = self.rejections.rejected(sent.changes, message, self._sharing.clock(), atomic=atomic)
        self.revert(again)
        if not self.exchange.in_flight:
            self._good = EMPTY_MAP
        return counts

    def revert(self, names: Iterable[ResourceName]) -> None:
        """Note that the client rejected these names: it has what it had, or any version, and they are to be told again."""
        names = [name for name in names if self.subscription.covers(name)]
        self._actual = _with_others(self._actual, names, self._good)
        for name in names:
            self.ask_again(name)

    def _agree(self, current: Resources) -> None:
        self._told, self._asked, self._actual = current, _NO_NAMES, current
        if self._exceptions:
            self._exceptions = {}

    def listed(self, current: Resources, names: tuple[ResourceName, ...]) -> list[XdsResource]:
        """Return the resources of these names, in their order."""
        found = {name: resource for shard in current.shards for name, resource in shard.items()} if len(names) > SHARDS else current
        return [found[name] for name in names]

    def vanished(self, names: tuple[ResourceName, ...]) -> tuple[ResourceName, ...]:
        """Return which of the names that the client may hold and that do not exist are to be told."""
        return names

    def size(self, current: Resources, pending: Pending) -> int:
        """Return about how many bytes the response has that tells what is pending."""
        return size_of(current, pending.changed)

    @abstractmethod
    def key(self, late: tuple[ResourceName, ...]) -> Hashable | None:
        """Return what besides the resources and the changes decides about the response; None if no other stream can have the same."""

    @abstractmethod
    def compose(self, current: Resources, pending: Pending, late: tuple[ResourceName, ...], revision: int, nonce: str) -> bytes:
        """Return the response that tells what is pending. Called before ``tell``, and not at all if another stream's is taken."""


def _with_others(resources: Resources, names: Collection[ResourceName], others: Resources) -> Resources:
    """Return the resources, but those of some names as they are among others, or without them if they are not."""
    return resources.without(names).with_items({name: other for name in names if (other := others.get(name)) is not None})


def size_of(resources: Resources, names: tuple[ResourceName, ...]) -> int:
    """Return how many bytes the bodies of these resources have."""
    if len(names) == len(resources):
        return sum(resource.body_size for shard in resources.shards for resource in shard.values())
    return sum(resources[name].body_size for name in names)


def changes_of(resources: list[XdsResource], removed: tuple[ResourceName, ...]) -> Mapping[ResourceName, ContentHash | None]:
    """Return what a response changes: a version for each resource, None for each name that is removed."""
    return {resource.name: resource.version for resource in resources} | dict.fromkeys(removed)
