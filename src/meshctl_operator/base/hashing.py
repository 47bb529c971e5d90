"""Values that are hashed often and never change: hash them once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

C = TypeVar("C", bound=type)


def hash_once(cls: C) -> C:
    """Make a frozen dataclass remember its hash: views and services are parameters of thousands of derivations.

    With ``slots`` the class needs a field ``_hash: int = field(init=False, repr=False, compare=False)`` to keep it in.
    """
    compute: Callable[[object], int] = cls.__dict__["__hash__"]

    def remembered(self: object) -> int:
        try:
            return self._hash  # type: ignore[attr-defined,no-any-return]  # the field that the class was asked to have
        except AttributeError:
            value = compute(self)
            object.__setattr__(self, "_hash", value)
            return value

    type.__setattr__(cls, "__hash__", remembered)
    return cls
