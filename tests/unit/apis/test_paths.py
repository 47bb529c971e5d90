"""Paths into objects."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshctl_operator.apis.paths import child, join, parent, split

CASES = [
    ("spec.http[1].route[0].weight", ("spec", "http", 1, "route", 0, "weight")),
    ('metadata.labels["app.kubernetes.io/name"]', ("metadata", "labels", "app.kubernetes.io/name")),
    ("spec.http[0].match[0].headers.end-user", ("spec", "http", 0, "match", 0, "headers", "end-user")),
    ("", ()),
]


@pytest.mark.parametrize(("path", "steps"), CASES)
def test_join_and_split(path: str, steps: tuple[str | int, ...]) -> None:
    """A path names fields with dots, positions in brackets, and odd keys in quotes."""
    assert join("", steps) == path
    assert split(path) == steps


@given(st.lists(st.integers(min_value=0, max_value=99) | st.text(alphabet="ab./-_ []", min_size=1, max_size=8), max_size=6))
def test_split_is_the_inverse_of_join(steps: list[str | int]) -> None:
    """Whatever the keys are, the steps can be read back from the path."""
    assert split(join("", steps)) == tuple(steps)


def test_parent() -> None:
    """The parent of a field is its message, of an item its list."""
    assert parent("spec.http[1].name") == "spec.http[1]"
    assert parent("spec.http[1]") == "spec.http"
    assert parent("spec") == ""


def test_child_of_the_whole_object() -> None:
    """A field of the object itself has no dot in front."""
    assert child("", "kind") == "kind"
    assert child("", "my kind") == '["my kind"]'
