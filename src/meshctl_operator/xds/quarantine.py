"""Which version of a resource a kind of client is served, after some client of that kind has rejected one: the last that was accepted.

A rejected version is known by type, name and content hash, so it counts for every client of the same Envoy version and extensions, also for
one that comes later. Instead of it the last good version is served, with all that this one refers to; without one, as little as does no harm.
The other resources go on. A new version is tried, and so is an old one again when an object that it came from changes (``release``), but
one that was rejected again has to wait.

Not every client is believed. What another client of the kind accepts is good (``accept``), and one that rejects even what it accepted
before says nothing about the content (``disbelieve``).

Pure: the caller knows streams, clock and disk. ``serve`` returns the very state that it was given where nothing is held of it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from hashlib import sha256
from typing import Final

from meshctl_operator.xds.nodes import NodeInfo
from meshctl_operator.xds.references import references
from meshctl_operator.xds.resources import ContentHash, ResourceName, TypeUrl, XdsResource, make_resource
from meshctl_operator.xds.route_pieces import with_pieces
from meshctl_operator.xds.state import Resources, ViewState
from meshctl_operator.xds.virtual_hosts import is_shell, route_of
from meshctl_operator.xds.wire import string_field

FIRST_WAIT: Final = 1.0
LONGEST_WAIT: Final = 300.0
"""Seconds until a version is tried once more that was rejected again after it had been released; the wait doubles each time."""

REMEMBERED: Final = 10_000  # versions that are held at most for a kind: the oldest goes first, and would be rejected once more

_NAME: Final = 1  # field of RouteConfiguration (name) and of ClusterLoadAssignment (cluster_name)
_NEVER_MISSING: Final = frozenset({TypeUrl.ENDPOINT, TypeUrl.ROUTE})  # without which clusters and listeners never get ready


@dataclass(frozen=True, slots=True, order=True)
class ClientKind:
    """Clients that accept and reject the same: the version of Envoy, and a digest of its extensions."""

    version: str
    extensions: str


@dataclass(frozen=True, slots=True, order=True)
class Rejection:
    """A version of a resource that a kind of client rejects.

    Of a virtual host in a whole route configuration: type and name are those that it would have as a resource of its own.
    """

    kind: ClientKind
    type_url: TypeUrl
    name: ResourceName
    version: ContentHash


@dataclass(frozen=True, slots=True)
class Held:
    """A rejected version, and what is served instead.

    Attributes:
        rejection: what is held.
        message: what the client said.
        objects: what the rejected version was computed from.
        digest: of the contents of these objects.
        instead: the last good version; None if there was none.
        needs: what the last good version refers to, directly or not; served as far as the state does not have it.
        attempts: how often it was rejected.
        since: when it was rejected last.
        not_before: when it may be tried again.
    """

    rejection: Rejection
    message: str
    objects: tuple[str, ...] = ()
    digest: str = ""
    instead: XdsResource | None = field(default=None, compare=False)
    needs: tuple[XdsResource, ...] = field(default=(), compare=False)
    attempts: int = 1
    since: float = field(default=0.0, compare=False)
    not_before: float = field(default=0.0, compare=False)


def kind_of(node: NodeInfo) -> ClientKind:
    """Return what decides about a client whether it accepts a resource."""
    return ClientKind(node.version_text, _digest(node.extensions) if node.extensions else "")


@lru_cache(maxsize=64)
def _digest(extensions: frozenset[str]) -> str:
    return sha256("\n".join(sorted(extensions)).encode()).hexdigest()[:16]


_Key = tuple[TypeUrl, ResourceName, ContentHash]


class Quarantine:
    """What is held, for all kinds of clients. ``epoch`` grows with each change of what is served."""

    def __init__(self) -> None:
        self.epoch = 0
        self._held: dict[ClientKind, dict[_Key, Held]] = {}
        self._by: dict[Rejection, set[int]] = {}  # the clients whose word it is that a version is bad
        self._trusted: dict[Rejection, None] = {}  # accepted by one client and rejected by another
        self._attempts: dict[Rejection, int] = {}
        self._waiting: dict[Rejection, None] = {}  # to be tried again when the time has come
        self._served: dict[tuple[ClientKind, int], tuple[int, ViewState, ViewState]] = {}

    def __bool__(self) -> bool:
        """Tell whether anything is held."""
        return bool(self._held)

    def entries(self) -> tuple[Held, ...]:
        """Return what is held, in order."""
        found = (held for by_key in self._held.values() for held in by_key.values())
        return tuple(sorted(found, key=lambda held: held.rejection))

    def find(self, rejection: Rejection) -> Held | None:
        """Return the entry for a version, if it is held."""
        return self._held.get(rejection.kind, {}).get((rejection.type_url, rejection.name, rejection.version))

    def names(self, kind: ClientKind, type_url: TypeUrl) -> frozenset[ResourceName]:
        """Return the resources of a type of which some version is held for a kind, or of one of its virtual hosts."""
        held = self._held.get(kind)
        if not held:
            return frozenset()
        found = {name for of_type, name, _ in held if of_type is type_url}
        if type_url is TypeUrl.ROUTE:
            found |= {route_of(name) for of_type, name, _ in held if of_type is TypeUrl.VIRTUAL_HOST}
        return frozenset(found)

    def restore(self, entries: Iterable[Held]) -> None:
        """Hold what an earlier control plane held."""
        for held in entries:
            self._attempts[held.rejection] = held.attempts
            self._hold(held)

    # -- what is served ---------------------------------------------------------------------------------------------------------------

    def serve(self, kind: ClientKind, state: ViewState) -> ViewState:
        """Return what a client of a kind is served of a state: the very state where nothing of it is held."""
        held = self._held.get(kind)
        if not held:
            return state
        known = self._served.get((kind, id(state)))
        if known is not None and known[0] == self.epoch and known[1] is state:
            return known[2]
        served = _state_with(state, tuple(held.values()))
        self._served[kind, id(state)] = (self.epoch, state, served)
        return served

    def forget(self, states: Iterable[ViewState]) -> None:
        """Let go of what was worked out for other states than these: no client is served them any more."""
        current = {id(state) for state in states}
        self._served = {key: found for key, found in self._served.items() if found[0] == self.epoch and key[1] in current}

    # -- what clients say -------------------------------------------------------------------------------------------------------------

    def reject(self, by: int, held: Held, good: ViewState, now: float) -> Held | None:
        """Hold a version, unless it is held or known to be good; returns the entry if it is new.

        Args:
            by: the client that rejects it.
            held: what is known of it; the rest is filled in.
            good: what the client accepted last, and may serve as the last good version.
            now: when it happened.
        """
        place = held.rejection
        if place in self._trusted:
            return None
        known = self.find(place)
        self._by.setdefault(place, set()).add(by)
        if known is not None and known.instead is not None:
            return None
        instead, needs = self._last_good(place, good)
        if known is not None:
            if instead is not None:
                self._hold(replace(known, instead=instead, needs=needs))
            return None
        attempts = self._attempts.pop(place, 0) + 1
        self._attempts[place] = attempts
        if len(self._attempts) > REMEMBERED:
            del self._attempts[next(iter(self._attempts))]
        wait = min(FIRST_WAIT * 2 ** (attempts - 2), LONGEST_WAIT) if attempts > 1 else 0.0
        new = replace(held, instead=instead, needs=needs, attempts=attempts, since=now, not_before=now + wait)
        self._hold(new)
        return new

    def accept(self, kind: ClientKind, type_url: TypeUrl, versions: Mapping[ResourceName, ContentHash | None]) -> tuple[Held, ...]:
        """Note that a client accepts these versions; returns what is not held any more because of it."""
        held = self._held.get(kind)
        if not held:
            return ()
        found = [held[key] for name, version in versions.items() if version is not None and (key := (type_url, name, version)) in held]
        for each in found:
            self.trust(each.rejection)
        return tuple(found)

    def trust(self, rejection: Rejection) -> None:
        """Note that a version is accepted by some client of the kind: it is not held, whoever rejects it."""
        self._trusted[rejection] = None
        if len(self._trusted) > REMEMBERED:
            del self._trusted[next(iter(self._trusted))]
        self._drop(rejection)

    def disbelieve(self, by: int) -> tuple[Held, ...]:
        """Note that a client rejects whatever it is told; returns what is not held any more because of it."""
        alone = [rejection for rejection, clients in self._by.items() if by in clients and len(clients) == 1]
        found = tuple(held for rejection in alone if (held := self.find(rejection)) is not None)
        for rejection in alone:
            self._drop(rejection)
        for clients in self._by.values():
            clients.discard(by)
        return found

    def release(self, objects: Collection[str], now: float) -> tuple[Held, ...]:
        """Try again what came from objects that changed, unless it has to wait; returns it. Without known objects, any change counts."""
        touched = frozenset(objects)
        found = [held for held in self.entries() if not held.objects or not touched.isdisjoint(held.objects)]
        self._waiting.update(dict.fromkeys(held.rejection for held in found))
        return self.due(now)

    def due(self, now: float) -> tuple[Held, ...]:
        """Try again what had to wait, if its time has come; returns it."""
        found = tuple(held for rejection in self._waiting if (held := self.find(rejection)) is not None and held.not_before <= now)
        for held in found:
            self._drop(held.rejection)
        return found

    def next_due(self) -> float | None:
        """Return when the next one of those may be tried that wait; None if none does."""
        return min((held.not_before for rejection in self._waiting if (held := self.find(rejection)) is not None), default=None)

    def _hold(self, held: Held) -> None:
        place = held.rejection
        by_key = self._held.setdefault(place.kind, {})
        by_key.pop((place.type_url, place.name, place.version), None)
        by_key[place.type_url, place.name, place.version] = held
        if len(by_key) > REMEMBERED:
            self._drop(next(iter(by_key.values())).rejection)
        self.epoch += 1

    def _drop(self, place: Rejection) -> None:
        self._waiting.pop(place, None)
        self._by.pop(place, None)
        by_key = self._held.get(place.kind, {})
        if by_key.pop((place.type_url, place.name, place.version), None) is not None:
            self.epoch += 1
        if not by_key:
            self._held.pop(place.kind, None)

    def _last_good(self, place: Rejection, good: ViewState) -> tuple[XdsResource | None, tuple[XdsResource, ...]]:
        """Return what to serve instead: what the client had, or what is known of an earlier rejection of the name."""
        instead = good.of(place.type_url).get(place.name)
        if instead is not None and instead.version != place.version:
            return instead, references(instead, good)
        for held in self._held.get(place.kind, {}).values():
            same = held.rejection.type_url is place.type_url and held.rejection.name == place.name
            if same and held.instead is not None and held.instead.version != place.version:
                return held.instead, held.needs
        return None, ()


def _state_with(state: ViewState, held: Collection[Held]) -> ViewState:
    """Return the state with the last good versions in the place of what is held; the very state where it has none of it."""
    resources = _substituted(state.resources, held)
    if not state.splits:
        return state if resources is state.resources else replace(state, resources=resources)
    in_routes = any(each.rejection.type_url in {TypeUrl.ROUTE, TypeUrl.VIRTUAL_HOST} for each in held)
    if resources is state.resources and not in_routes:
        return state
    return ViewState(state.revision, resources, lambda: _substituted(state.whole.resources, held))


def _substituted(resources: Mapping[TypeUrl, Resources], held: Collection[Held]) -> Mapping[TypeUrl, Resources]:
    found = dict(resources)
    pieces: dict[ResourceName, dict[ResourceName, Held]] = {}
    applied: list[Held] = []
    for each in held:
        place = each.rejection
        current = found.get(place.type_url)
        resource = current.get(place.name) if current is not None else None
        if current is not None and resource is not None and resource.version == place.version:
            applied.append(each)
            instead = each.instead or _least(resource)
            found[place.type_url] = current.without([place.name]) if instead is None else current.with_items({place.name: instead})
        elif place.type_url is TypeUrl.VIRTUAL_HOST and resource is None:
            pieces.setdefault(route_of(place.name), {})[place.name] = each
    for route, by_name in pieces.items():
        whole = found[TypeUrl.ROUTE].get(route) if TypeUrl.ROUTE in found else None
        if whole is None or is_shell(whole.version):
            continue
        made = with_pieces(whole, {each.rejection.version: each.instead for each in by_name.values()})
        if made is not whole:
            applied += by_name.values()
            found[TypeUrl.ROUTE] = found[TypeUrl.ROUTE].with_items({route: made})
    for each in applied:
        for need in each.needs if each.instead is not None else ():
            there = found.get(need.type_url)
            if there is not None and need.name not in there:
                found[need.type_url] = there.with_items({need.name: need})
    return found if applied else resources


def _least(resource: XdsResource) -> XdsResource | None:
    """Return what is served where there never was a good version: an empty message of what others wait for, else nothing."""
    if resource.type_url not in _NEVER_MISSING:
        return None
    return make_resource(resource.type_url, resource.name, string_field(_NAME, resource.name))
