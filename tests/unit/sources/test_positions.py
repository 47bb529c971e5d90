"""A path leads to the line where the field stands."""

from __future__ import annotations

import pytest

from meshctl_operator.sources.positions import line_of_path

TEXT = """\
metadata:
  labels:
    app.kubernetes.io/name: x
    app: y
spec:
  http:
  - match:
    - uri: {exact: /}
    route:
    - destination:
        host: a
      weight: 5
  - route: []
  connection_pool: 1
  alias: *nothing
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("", 0),
        ("spec", 4),
        ("spec.http", 5),
        ("spec.http[0]", 6),
        ("spec.http[0].match[0].uri.exact", 7),
        ("spec.http[0].route[0].destination.host", 10),
        ("spec.http[0].route[0].weight", 11),
        ("spec.http[1].route", 12),
        ("spec.http[1].route[3].weight", 12),
        ("spec.http[7]", 5),
        ("spec.connectionPool", 13),
        ("metadata.labels.app", 3),
        ("metadata.labels.app.kubernetes.io/name", 2),
        ('metadata.labels["app.kubernetes.io/name"]', 2),
        ("metadata.labels[app]", 3),
        ("metadata.annotations.x", 0),
        ("spec.http[0].timeout", 6),
        ("spec.alias.x", 14),
        ("nowhere", 0),
    ],
)
def test_paths_are_found(path: str, line: int) -> None:
    """What is missing is reported at the nearest parent that is there."""
    assert line_of_path(TEXT, path) == line


@pytest.mark.parametrize("text", ["a: [", "", "# nothing"])
def test_what_cannot_be_read_has_no_lines(text: str) -> None:
    """The caller falls back to the start of the document."""
    assert line_of_path(text, "a.b") is None


def test_a_deep_document_is_read_as_far_as_the_limit() -> None:
    """The reader of positions is as careful as the reader of values."""
    assert line_of_path("[" * 100_000, "x") == 0
