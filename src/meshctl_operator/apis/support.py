"""How far a field reaches: a marker in its annotation says that it is checked but not yet turned into proxy config.

A field without a marker is compiled. To take a field into service, delete its marker; ``docs/reference/fields.md`` and the warnings
that users get follow from the annotations alone.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ValidatedOnly:
    """The field (or, with ``values``, these values of it) is read and checked, and has no effect on any proxy yet.

    ``note`` completes the sentence "is not compiled yet: ..." with what happens instead.
    """

    note: str
    values: frozenset[str] = frozenset()


def validated_only(note: str, *values: str) -> ValidatedOnly:
    """Mark a field, or only some values of it, as checked but not compiled."""
    return ValidatedOnly(note, frozenset(values))


@dataclass(frozen=True, slots=True)
class NullItems:
    """An item of the list or map may be null, which stands for an empty one."""
