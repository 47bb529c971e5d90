"""Judging regular expressions by the engine that Envoy runs them with."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from meshctl_operator.apis.validation import primitives

MAX_PROGRAM_SIZE: Final = 32768  # runtime key re2.max_program_size.error_level of our bootstraps and Istio's


@lru_cache(maxsize=4096)
def regex_problem(pattern: str) -> str | None:
    """Return why Envoy would refuse a regular expression, or None when it would not."""
    if problem := primitives.regex_problem(pattern):
        return problem
    size = _compiled(pattern).programsize
    return f"is too large a regular expression (program size {size}, limit {MAX_PROGRAM_SIZE})" if size > MAX_PROGRAM_SIZE else None


def substitution_problem(pattern: str, substitution: str) -> str | None:
    r"""Return why a substitution does not fit its pattern: ``\\1`` groups must exist, and a backslash needs a digit or a backslash."""
    if regex_problem(pattern) is not None:
        return None
    groups: int = _compiled(pattern).groups
    position = 0
    while (position := substitution.find("\\", position)) >= 0:
        following = substitution[position + 1 : position + 2]
        if following.isdigit() and int(following) > groups:
            return f"refers to group {following}, but the pattern has {groups}"
        if not following.isdigit() and following != "\\":
            return f"has a backslash followed by {following!r}" if following else "ends in a backslash"
        position += 2
    return None


def _compiled(pattern: str) -> Any:  # noqa: ANN401  (the binding of RE2 has no types)
    import re2  # where it is used: most routes have no regular expression

    options = re2.Options()
    options.log_errors = False
    return re2.compile(pattern, options)
