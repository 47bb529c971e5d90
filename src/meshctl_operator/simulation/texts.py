"""Comparisons of texts (``envoy.type.matcher.v3.StringMatcher``, ``RegexMatcher``), with the engine that Envoy uses."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from envoy.type.matcher.v3 import regex_pb2, string_pb2


def matches_text(matcher: string_pb2.StringMatcher, value: str) -> bool:
    """Tell whether a value fits the matcher. A regular expression must fit all of it, and knows no ``ignore_case``."""
    kind = matcher.WhichOneof("match_pattern")
    if kind == "safe_regex":
        return matches_regex(matcher.safe_regex, value)
    wanted = getattr(matcher, kind) if kind in {"exact", "prefix", "suffix", "contains"} else ""
    if matcher.ignore_case:
        wanted, value = ascii_lower(wanted), ascii_lower(value)
    match kind:
        case "exact":
            return bool(value == wanted)
        case "prefix":
            return value.startswith(wanted)
        case "suffix":
            return value.endswith(wanted)
        case "contains":
            return wanted in value
        case _:
            return False


def matches_regex(matcher: regex_pb2.RegexMatcher, value: str) -> bool:
    """Tell whether the regular expression fits the whole value."""
    return _compiled(matcher.regex).fullmatch(value) is not None


def describe_matcher(matcher: string_pb2.StringMatcher) -> str:
    """Return what the matcher asks for, to stand behind "is not" or "does": ``prefix "/a"``."""
    kind = matcher.WhichOneof("match_pattern") or "nothing"
    shown = matcher.safe_regex.regex if kind == "safe_regex" else getattr(matcher, kind, "")
    return f'{"regex" if kind == "safe_regex" else kind} "{shown}"'


def replace_all(pattern: str, substitution: str, text: str) -> str:
    r"""Return the text with every match replaced (``RE2::GlobalReplace``), ``\\1`` and ``\\0`` standing for groups.

    Unlike in Python, an empty match directly behind another match is none.
    """
    regex, parts = _compiled(pattern), []
    position, last_end = 0, -1
    while position <= len(text):
        found = regex.search(text, position)
        if found is None:
            break
        start, end = found.span()
        parts.append(text[position:start])
        if start == end == last_end:
            parts.append(text[start : start + 1])
            position = start + 1
        else:
            parts.append(_expanded(found, substitution))
            position = last_end = end
    return "".join(parts) + text[position:]


def ascii_lower(text: str) -> str:
    """Return the text with the letters A to Z in lower case and all else as it is, which is how Envoy ignores case."""
    return text.translate(_LOWER)


_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


def _expanded(found: Any, substitution: str) -> str:  # noqa: ANN401  (the binding of RE2 has no types)
    parts, position = [], 0
    while position < len(substitution):
        letter = substitution[position]
        following = substitution[position + 1 : position + 2]
        if letter != "\\":
            parts.append(letter)
            position += 1
            continue
        parts.append((found.group(int(following)) or "") if following.isdigit() else following)
        position += 2
    return "".join(parts)


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> Any:  # noqa: ANN401  (the binding of RE2 has no types)
    import re2  # where it is used: most routes have no regular expression

    options = re2.Options()
    options.log_errors = False
    return re2.compile(pattern, options)
