"""What the streams of a server share: comparisons, composed responses, sets of names, and the source of nonces.

A thousand proxies of one view hold the same and are told the same. Here this costs once: two mappings are compared once, a response is
joined once, and the thousand names that each proxy subscribes to are one set. All of it is a memo: every entry can be dropped at any time,
none keeps resources alive that no stream and no view holds any more, and none grows beyond a bound. What is beyond the bound is still
shared as long as some stream has it.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Hashable
from itertools import count
from typing import TYPE_CHECKING, Final, Generic, TypeVar
from weakref import WeakKeyDictionary, WeakValueDictionary, ref

from meshctl_operator.xds.differences import Claims, Difference, Holding, compare, missing
from meshctl_operator.xds.events import Push
from meshctl_operator.xds.readiness import Timing
from meshctl_operator.xds.resources import ContentHash, ResourceName, TypeUrl
from meshctl_operator.xds.state import Resources

if TYPE_CHECKING:
    from envoy.service.discovery.v3 import discovery_pb2

MAX_REMEMBERED: Final = 256  # comparisons that are kept; one change makes a handful for each view
MAX_RESPONSES: Final = 16 * 1024 * 1024  # bytes of responses that are kept while streams wait for the same: those of a type for some views
MAX_CLAIMED: Final = 150_000  # names in the claims that are kept while a fleet reconnects: those of twenty views of a thousand services
FEW: Final = 16  # names; smaller sets are not worth a table

KeyT = TypeVar("KeyT")
LeftT = TypeVar("LeftT")
RightT = TypeVar("RightT")
ValueT = TypeVar("ValueT")


class Sharing:
    """The memos of one server. Streams that are given none have one of their own, which changes nothing but the cost."""

    def __init__(self, timing: Timing | None = None, clock: Callable[[], float] = lambda: 0.0) -> None:
        """Start without memory. ``clock`` gives the time that the ``timing`` of streams is measured by, in seconds."""
        self.timing = timing or Timing()
        self.clock = clock
        self._nonces = count(1)
        self._differences: _Pairs[Holding, Resources, Difference] = _Pairs()
        self._missing: _Pairs[frozenset[ResourceName], Resources, tuple[ResourceName, ...]] = _Pairs()
        self._unclaimed: _Pairs[frozenset[ResourceName], Claims, frozenset[ResourceName]] = _Pairs()
        self._names: WeakKeyDictionary[frozenset[str], ref[frozenset[str]]] = WeakKeyDictionary()
        self._claims: _Table[bytes, Claims] = _Table(MAX_CLAIMED)
        self._responses: _Table[Hashable, Push] = _Table(MAX_RESPONSES)
        self._lists: dict[tuple[TypeUrl, ContentHash], WeakValueDictionary[int, Resources]] = {}
        self._lingering: tuple[list[Resources], list[Resources]] = ([], [])

    def release(self) -> None:
        """Let go of responses and claims that no stream has. Called now and then: streams that have something in common come in a rush."""
        self._responses.release()
        self._claims.release()
        self._lingering = ([], self._lingering[0])
        self._lists = {key: found for key, found in self._lists.items() if found}

    def next_nonce(self) -> int:
        """Return a number that was never returned before; later ones are greater."""
        return next(self._nonces)

    def names(self, names: frozenset[str]) -> frozenset[str]:
        """Return the one set that equals the given one."""
        if len(names) < FEW:
            return names
        known = self._names.get(names)
        found = known() if known is not None else None
        if found is None:
            found = names
            self._names[names] = ref(names)
        return found

    def claims(self, request: discovery_pb2.DeltaDiscoveryRequest) -> Claims:
        """Return the one object for what a request says that the client holds. Takes the request over: its other fields are cleared.

        Reading a map of thousands of entries costs more than to serialise it in a canonical order, by which equal ones are found.
        """
        for other in ("node", "resource_names_subscribe", "resource_names_unsubscribe"):
            request.ClearField(other)
        key = hashlib.blake2b(request.SerializeToString(deterministic=True), digest_size=16).digest()
        found = self._claims.get(key)
        if found is None:
            found = Claims(dict(request.initial_resource_versions))
            self._claims.put(key, found, len(found.versions))
        return found

    def difference(self, old: Holding, new: Resources) -> Difference:
        """Return what differs between two mappings; see ``differences.compare``."""
        return self._differences.value(old, new, compare)

    def missing(self, names: frozenset[ResourceName], resources: Resources) -> tuple[ResourceName, ...]:
        """Return the sorted names that do not exist."""
        return self._missing.value(names, resources, missing)

    def unclaimed(self, names: frozenset[ResourceName], claims: Claims) -> frozenset[ResourceName]:
        """Return the names that a client does not say it holds."""
        return self._unclaimed.value(names, claims, lambda wanted, claimed: wanted.difference(claimed.versions))

    def note_list(self, type_url: TypeUrl, version: ContentHash, resources: Resources) -> None:
        """Remember which resources a complete list with this version has, as long as anybody holds them, or others that are equal."""
        self._lists.setdefault((type_url, version), WeakValueDictionary())[id(resources)] = resources

    def list_of(self, type_url: TypeUrl, version: ContentHash) -> Resources | None:
        """Return the resources of the complete list with a version, if it is known."""
        return next(iter(self._lists.get((type_url, version), {}).values()), None)

    def linger(self, resources: Resources) -> None:
        """Hold resources until the second ``release`` from now: a client that had them may come back at once."""
        self._lingering[0].append(resources)

    def response(self, key: Hashable, resources: Resources) -> Push | None:
        """Return the response that was kept under a key, if it was made of these resources."""
        found = self._responses.get(key)
        return found if found is not None and found.made_of(resources) else None

    def keep(self, key: Hashable, push: Push) -> None:
        """Remember a response for other streams."""
        self._responses.put(key, push, len(push.body))


class _Table(Generic[KeyT, ValueT]):
    """Values by a key, as long as anybody holds them; the table itself holds the newest of them, up to a total size."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._total = 0
        self._values: WeakValueDictionary[KeyT, ValueT] = WeakValueDictionary()
        self._held: deque[tuple[ValueT, int]] = deque()

    def get(self, key: KeyT) -> ValueT | None:
        """Return the value of a key."""
        return self._values.get(key)

    def release(self) -> None:
        """Let go of the values; those that somebody else holds are still found."""
        self._held.clear()
        self._total = 0

    def put(self, key: KeyT, value: ValueT, size: int) -> None:
        """Remember a value."""
        self._values[key] = value
        self._held.append((value, size))
        self._total += size
        while self._total > self._limit or len(self._held) > MAX_REMEMBERED:
            _, gone = self._held.popleft()
            self._total -= gone


class _Pairs(Generic[LeftT, RightT, ValueT]):
    """Values by the identity of two objects, neither of which is kept alive; the oldest value goes first."""

    def __init__(self) -> None:
        self._values: dict[tuple[int, int], tuple[ref[LeftT], ref[RightT], ValueT]] = {}

    def value(self, left: LeftT, right: RightT, compute: Callable[[LeftT, RightT], ValueT]) -> ValueT:
        """Return the value for two objects, computing it if it is not known."""
        key = (id(left), id(right))
        known = self._values.get(key)
        if known is not None and known[0]() is left and known[1]() is right:  # numbers are given again after their object is gone
            return known[2]
        value = compute(left, right)
        self._values.pop(key, None)
        self._values[key] = (ref(left), ref(right), value)
        if len(self._values) > MAX_REMEMBERED:
            del self._values[next(iter(self._values))]
        return value
