"""Findings about files: what cannot be read, what is not YAML, what stands in two places."""

from __future__ import annotations

from typing import Final

from meshctl_operator.base.codes import define
from meshctl_operator.base.objects import ObjectKey

FILE_KIND: Final = "File"
"""The kind under which findings about a file as a whole are reported: ``ObjectKey("File", "", path)``."""

NOT_YAML = define(
    "MC4001",
    "Not YAML",
    cause="The document cannot be parsed as YAML or JSON. Objects that were read from this file before stay in service.",
    example="spec: {hosts: [reviews",
    fix="Mend the syntax at the line given; usual causes are tabs, a missing colon, an unclosed bracket or quote, uneven indentation.",
)
DUPLICATE_KEY = define(
    "MC4002",
    "Field given twice",
    cause="A mapping has the same key twice. Kubernetes would silently keep one of them, so the document is refused as ambiguous.",
    example="spec:\n  hosts: [a]\n  hosts: [b]",
    fix="Remove one of the two, or merge them.",
)
YAML_LIMIT = define(
    "MC4003",
    "Document beyond the limits",
    cause="The document nests too deep, refers to itself, or expands its aliases to far more than it contains.",
    example="a: &a [*a]",
    fix="Write the values out, or split the document. Config objects nest about 15 levels and rarely need an alias.",
)
NOT_AN_OBJECT = define(
    "MC4004",
    "Not a config object",
    cause="The document is a list or a single value, where an object with apiVersion, kind and metadata was expected.",
    example="- a\n- b",
    fix="Wrap several objects in `kind: List` with `items`, or separate them by a line of three dashes.",
)
UNREADABLE = define(
    "MC4005",
    "File cannot be read",
    cause="The file exists but cannot be opened, or is not UTF-8 text. Objects that were read from it before stay in service.",
    example="a file without read permission",
    fix="Correct the permission, or save the file as UTF-8.",
)
DEFINED_TWICE = define(
    "MC4006",
    "Object defined twice",
    cause="The same kind, namespace and name stands in more than one place. The first by path and position is used, the others are not.",
    example="VirtualService default/reviews in a.yaml and in b.yaml",
    fix="Remove one, or rename it.",
)
UNSUPPORTED_TAG = define(
    "MC4007",
    "YAML tag that is not supported",
    cause="The document uses a tag other than those of plain data (!!str, !!int, !!float, !!bool, !!null, !!map, !!seq, !!timestamp, !!binary).",
    example="value: !!python/object:os.system x",
    fix="Remove the tag and write plain data.",
)
EMPTIED = define(
    "MC4008",
    "File became empty",
    cause="A file that held objects is empty now, which is what a half-written file looks like. Its objects stay in service.",
    example="> mesh/reviews.yaml",
    fix="Delete the file to remove its objects, or leave a comment in it.",
)


def file_key(source: str) -> ObjectKey:
    """Return the subject of findings about the file as a whole."""
    return ObjectKey(FILE_KIND, "", source)
