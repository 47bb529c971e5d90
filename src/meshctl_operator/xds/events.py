"""What happened on a stream: requests understood, responses accepted or rejected, responses to be written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from meshctl_operator.xds.resources import ContentHash, ResourceName, TypeUrl


@dataclass(frozen=True, slots=True)
class AckEvent:
    """The client accepted a response.

    ``revision`` is that of the state which the response was made of; ``changes`` maps each name in the response whose version is new to
    this stream to that version, or to None if the response removed it.
    """

    type_url: TypeUrl
    revision: int
    changes: Mapping[ResourceName, ContentHash | None]


@dataclass(frozen=True, slots=True)
class NackEvent:
    """The client rejected a response, wholly or in part; ``message`` is its reason, ``changes`` as in ``AckEvent``.

    Envoy applies the good part of a response whose bad part is wrong by meaning, and nothing of one that does not validate.
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
class Push:
    """A response to be written, with the facts for the log. ``changed`` and ``removed`` are sorted names."""

    type_url: TypeUrl
    nonce: str
    revision: int
    changed: tuple[ResourceName, ...]
    removed: tuple[ResourceName, ...]
    body: bytes = field(repr=False)
