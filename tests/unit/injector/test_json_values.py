"""Plain JSON values."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from meshctl_operator.injector.json_values import Json, as_object, as_objects, as_text, as_texts, copied, diff
from tests.support.json_patch import apply_patch

VALUES: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from(["", "a", "~/"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b/c", "d~e", ""]), inner, max_size=3),
    max_leaves=8,
)


def test_other_shapes_are_empty() -> None:
    """Whoever asks for an object gets one."""
    assert as_object([1]) == {}
    assert as_objects([{"a": 1}, 2]) == [{"a": 1}]
    assert as_objects(None) == []
    assert as_texts({"a": "x", "b": 1}) == {"a": "x"}
    assert as_texts("x") == {}
    assert as_text(1) == ""


def test_copies_share_nothing() -> None:
    """What is changed in the copy stays as it was in the original."""
    value: Json = {"a": [{"b": 1}]}
    other = copied(value)
    as_objects(as_object(other)["a"])[0]["b"] = 2
    assert value == {"a": [{"b": 1}]}


def test_equal_values_need_no_patch() -> None:
    """But true is not 1."""
    assert diff({"a": [1]}, {"a": [1]}) == []
    assert diff({"a": 1}, {"a": True}) == [{"op": "replace", "path": "/a", "value": True}]


def test_names_are_escaped() -> None:
    """Slashes and tildes are part of label names."""
    assert diff({}, {"a/b~c": 1}) == [{"op": "add", "path": "/a~1b~0c", "value": 1}]


@given(VALUES, VALUES)
def test_a_patch_makes_one_of_the_other(before: Json, after: Json) -> None:
    """By an implementation of JSON Patch that is not ours."""
    document = {"root": json.loads(json.dumps(before))}
    apply_patch(document, [{**operation, "path": f"/root{operation['path']}"} for operation in diff(before, after)])
    assert json.dumps(document["root"], sort_keys=True) == json.dumps(after, sort_keys=True)
