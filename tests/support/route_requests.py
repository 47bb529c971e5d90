"""Random requests that have a chance with the routes of a route configuration: made to fit one of them, then spoilt a little."""

from __future__ import annotations

from random import Random
from typing import Any

import re2

from meshctl_operator.simulation.paths import normalize
from meshctl_operator.simulation.requests import Request

TEXTS = ("a", "b", "ab", "chrome", "", "A", "1")
PATHS = ("/", "/a", "/a/b", "/b", "/A", "/ab", "/a/../b", "/a//b", "/%61", "/a%2Fb", "/c")
QUERIES = ("", "", "", "?", "?debug", "?debug=a", "?q=b&debug=chrome", "?q", "?q=a&q=b", "?debug=&q=ab")
METHODS = ("GET", "GET", "POST", "OPTIONS", "PUT")
HEADERS = ("end-user", "x-canary", "x-other", "x-gone", "x-set", "x-add")
_SPOILING = 0.25


def request_for(route: Any, rng: Random, *, spoiling: float = _SPOILING, malformed: bool = True) -> Request:
    """Return a request for a RouteConfiguration; unless ``malformed``, with a path that is in normal form already."""
    host = rng.choice(route.virtual_hosts) if route.virtual_hosts else None
    if host is None:
        return Request("nowhere.com")
    authority = _authority(rng.choice(host.domains), rng)
    chosen = rng.choice(host.routes) if host.routes else None
    path, method, headers = rng.choice(PATHS), rng.choice(METHODS), {}
    query = rng.choice(QUERIES)
    if chosen is not None:
        if rng.random() >= spoiling:
            path = _path(chosen.match, rng)
        for matcher in chosen.match.headers:
            if rng.random() < spoiling or matcher.invert_match:
                continue
            value = _text(matcher, rng)
            if matcher.name == ":method":
                method = value or method
            elif matcher.name == ":authority":
                authority = value or authority
            elif matcher.name == ":scheme":
                headers["x-forwarded-proto"] = value
            elif not matcher.name.startswith(":"):
                headers[matcher.name] = value
        if chosen.match.query_parameters and rng.random() >= spoiling:
            query = "?" + "&".join(f"{each.name}={_text(each, rng)}" for each in chosen.match.query_parameters)
    while rng.random() < spoiling:
        headers[rng.choice(HEADERS)] = rng.choice(TEXTS)
    if rng.random() < spoiling:
        headers["origin"] = rng.choice(("https://a.example.com", "https://b.example.com"))
        if method == "OPTIONS":
            headers["access-control-request-method"] = "POST"
    if not re2.fullmatch(r"[A-Z]{1,10}", method):
        method = "GET"
    if not malformed:
        path = path if normalize(path) == path else "/a"
    return Request(authority, path + query, method, tuple(headers.items()))


def _authority(domain: str, rng: Random) -> str:
    if domain.startswith("*"):
        domain = rng.choice(("x", "www", "a.b")) + (domain[1:] or ".example.net")
    if rng.random() < _SPOILING:
        domain = rng.choice((domain.upper(), f"{domain}.", f"x.{domain}"))
    return f"{domain}:{rng.choice((80, 8080, 9080))}" if rng.random() < _SPOILING and ":" not in domain else domain


def _path(match: Any, rng: Random) -> str:
    kind = match.WhichOneof("path_specifier")
    if kind == "safe_regex":
        fitting = [path for path in PATHS if re2.fullmatch(match.safe_regex.regex, path)]
        return rng.choice(fitting or PATHS)
    text = str(getattr(match, kind)) or "/"
    path = text if kind == "path" else text + rng.choice(("", "", "/x", "x", "/a/b"))
    return path.swapcase() if rng.random() < _SPOILING / 2 else path


def _text(matcher: Any, rng: Random) -> str:
    """Return a value that fits a header or query matcher, if one is easily found."""
    if not matcher.HasField("string_match"):
        return rng.choice(TEXTS)
    kind = matcher.string_match.WhichOneof("match_pattern")
    if kind == "safe_regex":
        fitting = [text for text in (*TEXTS, "GET", "http") if re2.fullmatch(matcher.string_match.safe_regex.regex, text)]
        return rng.choice(fitting or TEXTS)
    text = str(getattr(matcher.string_match, kind))
    return text + rng.choice(("", "", "x")) if kind == "prefix" else text
