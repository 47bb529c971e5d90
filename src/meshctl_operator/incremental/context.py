"""The only door to data inside a tracked function."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

R = TypeVar("R")
P = ParamSpec("P")


class Context(Protocol):
    """Handed to every tracked function. Whatever it reads through it is recorded, misses included."""

    def fetch(self, cell: Hashable) -> tuple[Any, ...]:
        """Return what the cell holds, in a fixed order; empty when nothing does. The read is recorded either way."""
        ...

    def derive(self, fn: Callable[Concatenate[Context, P], R], *params: P.args, **named: P.kwargs) -> R:
        """Return ``fn(context, *params)``, remembered by function and parameters (hashable, positional).

        The result must be immutable and depend on nothing but its parameters and what it reads through its context.
        """
        ...
