"""What a source says: sets of changes, and objects that could not be accepted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from meshctl_operator.apis.meta import ConfigObject
from meshctl_operator.base.diagnostics import Diagnostic
from meshctl_operator.base.objects import ObjectKey


@dataclass(frozen=True, slots=True)
class Upsert:
    """An object that appeared or changed, with warnings about it."""

    object: ConfigObject[Any]
    diagnostics: tuple[Diagnostic, ...] = ()

    @property
    def key(self) -> ObjectKey:
        """The key of the object."""
        return self.object.key


@dataclass(frozen=True, slots=True)
class Delete:
    """An object that is gone."""

    key: ObjectKey


@dataclass(frozen=True, slots=True)
class Rejected:
    """An object that cannot be used. What the registry holds under its key, if anything, stays: the last good state."""

    key: ObjectKey
    diagnostics: tuple[Diagnostic, ...]


Change = Upsert | Delete | Rejected


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """Changes that belong together, in order. ``synced`` says that the source has now told everything it had at the start."""

    changes: tuple[Change, ...]
    source: str
    synced: bool = True
