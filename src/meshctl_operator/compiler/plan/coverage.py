"""Whether one match takes every request that another one takes. Sound: true only where it is certain, whatever the request."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from meshctl_operator.compiler.inputs.routes import HeaderMatchInput, MatchKind, RouteMatchInput, TextMatchInput

_PLAIN: Final = re.compile(r"[A-Za-z0-9/_-]*")
_ALWAYS_THERE: Final = frozenset({":method", ":authority", ":scheme", ":path"})
_NOTHING: Final = TextMatchInput(MatchKind.EXACT, "")


def covers(earlier: RouteMatchInput, later: RouteMatchInput) -> bool:
    """Tell whether the earlier match takes every request that the later one takes."""
    return (
        _path_covers(earlier, later)
        and all(_header_implied(wanted, later.headers) for wanted in earlier.headers)
        and all(any(wanted.name == own.name and implies(own.value, wanted.value) for own in later.query) for wanted in earlier.query)
        and all(wanted in later.claims for wanted in earlier.claims)
    )


def takes_every_path(match: RouteMatchInput) -> bool:
    """Tell whether the path excludes nothing: every path begins with a slash."""
    path = match.path
    return (path.kind is MatchKind.PREFIX and path.text in {"", "/"}) or path == TextMatchInput(MatchKind.REGEX, ".*")


def implies(narrow: TextMatchInput, wide: TextMatchInput) -> bool:
    """Tell whether every value that fits the first comparison fits the second."""
    narrow, wide = _simple(narrow), _simple(wide)
    if narrow == wide or wide.kind is MatchKind.PRESENT:
        return True
    match narrow.kind, wide.kind:
        case MatchKind.EXACT, _:
            return _fits(narrow.text, wide)
        case MatchKind.PREFIX, MatchKind.PREFIX:
            return narrow.text.startswith(wide.text)
        case _:
            return False


def excludes(one: TextMatchInput, other: TextMatchInput) -> bool:
    """Tell whether no value fits both comparisons."""
    one, other = _simple(one), _simple(other)
    if one.kind is MatchKind.EXACT:
        return not _fits(one.text, other)
    if other.kind is MatchKind.EXACT:
        return not _fits(other.text, one)
    if one.kind is MatchKind.PREFIX and other.kind is MatchKind.PREFIX:
        return not (one.text.startswith(other.text) or other.text.startswith(one.text))
    return False


def _path_covers(earlier: RouteMatchInput, later: RouteMatchInput) -> bool:
    if takes_every_path(earlier):
        return True
    wide, narrow = _simple(earlier.path), _simple(later.path)
    if earlier.path.kind is MatchKind.REGEX or later.path.kind is MatchKind.REGEX:
        # Regular expressions look at case whatever the block says, so an exact text must, too.
        exact = narrow.kind is MatchKind.EXACT and (later.case_sensitive is not False or later.path.kind is MatchKind.REGEX)
        if earlier.path.kind is MatchKind.REGEX:
            return earlier.path == later.path or (exact and _fits(narrow.text, wide))
        return exact and implies(narrow, wide)  # a block that ignores case takes at least what it takes with case
    if earlier.case_sensitive is False:
        if not (wide.text.isascii() and narrow.text.isascii()):
            return wide == narrow
        wide, narrow = TextMatchInput(wide.kind, wide.text.lower()), TextMatchInput(narrow.kind, narrow.text.lower())
    elif (later.case_sensitive is False and wide.text.lower() != wide.text.upper()) or (
        later.case_sensitive is False and wide.kind is MatchKind.EXACT and narrow.text.lower() != narrow.text.upper()
    ):
        return False
    return implies(narrow, wide)


def _header_implied(wanted: HeaderMatchInput, given: Iterable[HeaderMatchInput]) -> bool:
    """Tell whether the conditions that are given leave only requests for which the wanted one holds."""
    name = _name(wanted.name)
    if not wanted.invert and wanted.value.kind is MatchKind.PRESENT and name in _ALWAYS_THERE:
        return True
    return any(_one_implies(own, wanted) for own in given if _name(own.name) == name)


def _one_implies(own: HeaderMatchInput, wanted: HeaderMatchInput) -> bool:
    if not wanted.invert:
        return not own.invert and implies(own.value, wanted.value)
    if wanted.value.kind is MatchKind.PRESENT:
        return own.invert and own.value.kind is MatchKind.PRESENT
    if not own.invert:
        return own.value.kind is not MatchKind.PRESENT and excludes(own.value, wanted.value)
    if own.value.kind is MatchKind.PRESENT:  # the header is missing, and a missing one counts as empty
        return excludes(_NOTHING, wanted.value)
    return implies(wanted.value, own.value)


def _name(name: str) -> str:
    lower = name.lower()
    return ":authority" if lower == "host" else lower


def _simple(match: TextMatchInput) -> TextMatchInput:
    """Return a regular expression that is a plain text as what it is."""
    if match.kind is MatchKind.REGEX and _PLAIN.fullmatch(match.text):
        return TextMatchInput(MatchKind.EXACT, match.text)
    return match


def _fits(text: str, match: TextMatchInput) -> bool:
    match match.kind:
        case MatchKind.EXACT:
            return text == match.text
        case MatchKind.PREFIX:
            return text.startswith(match.text)
        case MatchKind.REGEX:
            return _compiled(match.text).fullmatch(text) is not None
        case _:
            return True


def _compiled(pattern: str) -> Any:  # noqa: ANN401  (the binding of RE2 has no types)
    import re2  # where it is used: most routes have no regular expression

    options = re2.Options()
    options.log_errors = False
    return re2.compile(pattern, options)
