"""Judging regular expressions by the engine that Envoy runs them with."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

MAX_PROGRAM_SIZE: Final = 32768  # runtime key re2.max_program_size.error_level of our bootstraps and Istio's
MAX_LENGTH: Final = 1024  # Istio's limit


@lru_cache(maxsize=4096)
def regex_problem(pattern: str) -> str | None:
    """Return why Envoy would refuse a regular expression, or None when it would not."""
    import re2

    if not pattern:
        return "is empty"
    if len(pattern) > MAX_LENGTH:
        return f"is longer than {MAX_LENGTH} characters"
    options = re2.Options()
    options.log_errors = False
    try:
        compiled = re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0] if error.args else ""
        return f"is no RE2 regular expression: {reason.decode(errors='replace') if isinstance(reason, bytes) else reason}"
    if compiled.programsize > MAX_PROGRAM_SIZE:
        return f"is too large a regular expression (program size {compiled.programsize}, limit {MAX_PROGRAM_SIZE})"
    return None


def substitution_problem(pattern: str, substitution: str) -> str | None:
    r"""Return why a substitution does not fit its pattern: ``\\1`` groups must exist, and a backslash needs a digit or a backslash."""
    import re2

    if regex_problem(pattern) is not None:
        return None
    options = re2.Options()
    options.log_errors = False
    groups: int = re2.compile(pattern, options).groups
    position = 0
    while (position := substitution.find("\\", position)) >= 0:
        following = substitution[position + 1 : position + 2]
        if following.isdigit() and int(following) > groups:
            return f"refers to group {following}, but the pattern has {groups}"
        if not following.isdigit() and following != "\\":
            return f"has a backslash followed by {following!r}" if following else "ends in a backslash"
        position += 2
    return None
