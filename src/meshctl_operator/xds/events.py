"""What happened on a stream: requests understood, responses accepted or rejected, responses to be written."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from weakref import ref

from meshctl_operator.xds.resources import ContentHash, ResourceName, TypeUrl
from meshctl_operator.xds.state import Resources


@dataclass(frozen=True, slots=True)
class AckEvent:
    """The client accepted a response.

    ``revision`` is that of the state which the response was made of; ``changes`` maps each name in the response whose version is new to
    this stream to that version, or to None if the response removed it: sorted changed names, then sorted removed ones. It is shared
    between streams, and must not be kept for longer than needed.
    """

    type_url: TypeUrl
    revision: int
    changes: Mapping[ResourceName, ContentHash | None]


@dataclass(frozen=True, slots=True)
class NackEvent:
    """The client rejected a response, wholly or in part; ``message`` is its reason, ``changes`` as in ``AckEvent``.

    Envoy applies the good part of a response whose bad part is wrong by meaning, and nothing of one that does not validate; then it names
    no resource, so these are told again in parts, and only the rejection of a single one is an event (``xds.rejections``).
    """

    type_url: TypeUrl
    revision: int
    changes: Mapping[ResourceName, ContentHash | None]
    message: str
    nonce: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a request was understood.

    ``type_url`` is None for a type that is not served; such a request is not answered. ``stale`` says that the nonce is neither the
    latest nor of a response that waits for its answer.
    """

    type_url: TypeUrl | None
    ack: AckEvent | None = None
    nack: NackEvent | None = None
    stale: bool = False
    subscribed: frozenset[ResourceName] = frozenset()
    unsubscribed: frozenset[ResourceName] = frozenset()


@dataclass(frozen=True, slots=True)
class Sent:
    """A response on its way: the revision it was made of, and what was new in it (None: removed).

    ``outdated`` says that it lists something which is known to be rejected by now, so that its own rejection says nothing new.
    """

    nonce: str
    revision: int
    changes: Mapping[ResourceName, ContentHash | None]
    outdated: bool = False


@dataclass(frozen=True, slots=True, weakref_slot=True, eq=False)
class Push:
    """A response to be written, with the facts for the log. ``changed`` and ``removed`` are sorted names.

    One object may be written to many streams, so whoever is given one lets it go when it is written: the body may have megabytes.
    """

    type_url: TypeUrl
    number: int
    changed: tuple[ResourceName, ...]
    removed: tuple[ResourceName, ...]
    sent: Sent
    body: bytes = field(repr=False)
    resources: ref[Resources] = field(repr=False)

    @property
    def nonce(self) -> str:
        """The nonce in the response: ``number`` as text."""
        return self.sent.nonce

    @property
    def revision(self) -> int:
        """The revision of the state which the response was made of."""
        return self.sent.revision

    def made_of(self, resources: Resources) -> bool:
        """Tell whether the response was made of this very mapping."""
        return self.resources() is resources


@dataclass(frozen=True, slots=True)
class Oversize:
    """There is a response to be written, of about this many bytes, which is more than was asked for.

    Streams whose ``kind`` is equal are likely to be told the same.
    """

    size: int
    kind: Hashable


@dataclass(frozen=True, slots=True)
class Overdue:
    """Something that a client should have taken up did not get ready in time, and is not waited for any more.

    ``name`` is empty where it is many at once; ``seconds`` is how long it was waited for.
    """

    type_url: TypeUrl
    name: ResourceName
    seconds: float
