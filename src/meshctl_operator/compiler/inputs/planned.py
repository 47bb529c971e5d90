"""What a plan function returns: an Input with the objects that it was computed from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from meshctl_operator.base.objects import ObjectKey

InputT = TypeVar("InputT")
I_co = TypeVar("I_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Planned(Generic[I_co]):
    """One Input and its provenance: the objects whose status is marked when a proxy rejects the result, in key order."""

    input: I_co
    provenance: tuple[ObjectKey, ...] = ()


def planned(value: InputT, provenance: Iterable[ObjectKey | None]) -> Planned[InputT]:
    """Return the Input with its provenance sorted, each object once, absent ones left out."""
    return Planned(value, tuple(sorted({key for key in provenance if key is not None})))
