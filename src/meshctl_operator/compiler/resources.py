"""What compiling gives: resources as bytes with their provenance, for one proxy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from meshctl_operator.base.diagnostics import Diagnostic
from meshctl_operator.base.objects import ObjectKey


@dataclass(frozen=True, slots=True, repr=False)
class CompiledResource:
    """One Envoy resource as deterministic bytes, with the objects that it was computed from.

    ``eds_name`` is the endpoint resource that a cluster asks for, empty for clusters that ask for none and for other types.
    """

    type_url: str
    name: str
    body: bytes
    provenance: tuple[ObjectKey, ...]
    eds_name: str = ""

    def __repr__(self) -> str:
        """Return type, name and size; the body of a secret must not get into a log."""
        return f"CompiledResource({self.type_url.rpartition('.')[2]} {self.name!r}, {len(self.body)} bytes)"


Resources = Mapping[str, CompiledResource]


@dataclass(frozen=True, slots=True)
class CompiledProxy:
    """All resources of one proxy by type URL and name (names in order), and the findings met on the way."""

    resources: Mapping[str, Resources]
    diagnostics: tuple[Diagnostic, ...]
