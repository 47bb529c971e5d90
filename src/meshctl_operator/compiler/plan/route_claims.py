"""Names of headers that stand for claims of tokens: ``@request.auth.claims.a.b`` and ``@request.auth.claims[a][b]``."""

from __future__ import annotations

import re
from typing import Final

_PREFIX: Final = "@request.auth.claims"
_DOTTED: Final = re.compile(r"(?:\.[^.\[\]]+)+")
_BRACKETED: Final = re.compile(r"(?:\[[^\[\]]+\])+")


def is_claim(name: str) -> bool:
    """Tell whether the name of a header stands for a claim, in any case."""
    return name[: len(_PREFIX)].lower() == _PREFIX


def claim_path(name: str) -> tuple[str, ...] | None:
    """Return the keys that lead to the claim, None where there are none."""
    rest = name[len(_PREFIX) :]
    if _DOTTED.fullmatch(rest):
        return tuple(rest[1:].split("."))
    return tuple(rest[1:-1].split("][")) if _BRACKETED.fullmatch(rest) else None
