"""What users get wrong: documents with one part broken, and values that are no documents at all."""

from __future__ import annotations

import copy
import datetime as dt
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from meshctl_operator.apis.kinds import KINDS as KNOWN
from tests.support.strategies.alphabet import JsonObject, JsonStrategy
from tests.support.strategies.meshes import KINDS

TEXTS = (
    "",
    " ",
    "*",
    "**",
    "*.",
    ".",
    "-",
    "a b",
    "a\nb",
    "\x00",
    "\x7f",
    "ü",
    "%",
    "%REQ(",
    "[",
    "(?=x)",
    "(" * 40,
    "\\9",
    "x" * 300,
    "/",
    "//",
)
HOSTS = (
    "*",
    "*.",
    "*a.com",
    "a.*.com",
    "a..b",
    "A.Example.COM",
    "10.0.0.1",
    "::1",
    "10.0.0.0/33",
    "unix://",
    "ns/",
    "/host",
    "~/*",
    "host:80",
)
WORDS = ("NONE", "HTTP", "UDP", "MUTUAL", "AUTO_PASSTHROUGH", "nope", "0s", "-1s", "1ns", "999999h", "1", "true")
NUMBERS = (-(2**63), -1, 0, 1, 99, 101, 600, 15001, 15006, 65535, 65536, 2**31, 2**32, 2**64, 0.1, -0.5, 1e308)
ODD: tuple[Any, ...] = (None, True, False, [], {}, [None], [[]], {"": ""}, {"a": None}, [{}], {"number": 0}, {"exact": "", "regex": "["})
ENVELOPE = frozenset({("apiVersion",), ("kind",), ("metadata",), ("metadata", "name"), ("metadata", "namespace")})

odd_values: SearchStrategy[Any] = st.one_of(*map(st.sampled_from, (TEXTS, HOSTS, WORDS, NUMBERS, ODD))).map(copy.deepcopy)
"""Values of the right type with a wrong content, and of wrong types."""


def json_values() -> SearchStrategy[Any]:
    """Draw anything that YAML or JSON can hold, keys that are no text included."""
    moment = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    scalars = st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(max_size=8),
        st.binary(max_size=4),
        st.sampled_from((moment, moment.date())),
    )
    keys = st.one_of(
        st.text(max_size=6), st.sampled_from(("spec", "hosts", "http", "name", "metadata", "labels")), st.integers(), st.none()
    )
    return st.recursive(
        scalars, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(keys, inner, max_size=3)), max_leaves=12
    )


@st.composite
def enveloped(draw: st.DrawFn, contents: SearchStrategy[Any]) -> JsonObject:
    """Draw a document of a known kind whose parts are anything."""
    info = KNOWN[draw(st.sampled_from(sorted(KNOWN)))]
    group = f"{info.group}/" if info.group else ""
    document: JsonObject = {"apiVersion": group + info.versions[0], "kind": info.kind.value, "metadata": {"name": "x"}}
    parts = draw(
        st.lists(
            st.sampled_from(("spec", "metadata", "status", "data", "stringData", "endpoints", "ports", "subsets", "kind")),
            unique=True,
            max_size=3,
        )
    )
    return {**document, **{part: draw(contents) for part in parts}}


def _places(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the way to each part of a document."""
    if way and way not in ENVELOPE:
        yield way
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from _places(inner, (*way, key))


@st.composite
def broken_documents(draw: st.DrawFn, name: str | None = None) -> JsonObject:
    """Draw a document in which one to three parts are replaced, doubled, removed or joined by an unknown field.

    Args:
        draw: given by hypothesis.
        name: the name of the object, so that it is none of those that other strategies draw.
    """
    kind = draw(st.sampled_from(sorted(KINDS)))
    document: JsonObject = copy.deepcopy(draw(KINDS[kind]))
    if name is not None:
        document["metadata"]["name"] = name
    for _ in range(draw(st.integers(1, 3))):
        places = list(_places(document))
        if not places:  # nothing is left to break
            break
        *way, last = draw(st.sampled_from(places))
        target: Any = document
        for step in way:
            target = target[step]
        match draw(st.sampled_from(("replace", "replace", "replace", "double", "remove", "join"))):
            case "replace":
                target[last] = draw(odd_values)
            case "double" if isinstance(target, list):
                target.append(copy.deepcopy(target[last]))
            case "remove":
                del target[last]
            case _ if isinstance(target, dict):
                target["unknownField"] = draw(odd_values)
            case _:
                pass
    return document


def anything() -> SearchStrategy[Any]:
    """Draw what may stand in a file: values, documents full of nonsense and broken documents."""
    contents: JsonStrategy = enveloped(st.one_of(json_values(), odd_values))
    return st.one_of(json_values(), contents, broken_documents())
