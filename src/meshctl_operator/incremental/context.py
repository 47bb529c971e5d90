"""The only door to data inside a tracked function."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

R = TypeVar("R")
F = TypeVar("F", bound=Callable[..., Any])
P = ParamSpec("P")


def firewall(fn: F) -> F:
    """Mark a derivation whose result rarely changes although what it reads does, and which is cheap to run.

    An engine runs it at once when a change reaches it, and lets the change pass only if the result differs: whatever lies behind, often
    most of the graph, is not even suspected. It stands between the content of one object and all that depends on a part of it.
    """
    fn.__dict__["is_firewall"] = True
    return fn


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
