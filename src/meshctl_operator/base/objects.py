"""The identity of a config object: its kind, namespace and name."""

from __future__ import annotations

from typing import NamedTuple


class ObjectKey(NamedTuple):
    """What names one config object for good. Cluster-scoped kinds have an empty namespace.

    A tuple, because keys stand in most cells and derivations: hashing one must not run Python.
    """

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        """Return ``Kind/namespace/name``, the form used in events, provenance and logs."""
        return f"{self.kind}/{self.namespace}/{self.name}" if self.namespace else f"{self.kind}/{self.name}"
