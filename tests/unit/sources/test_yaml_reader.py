"""YAML becomes what Kubernetes' tools make of it, and a hostile document is refused."""

from __future__ import annotations

import pytest

from meshctl_operator.sources.yaml_reader import Flaw, Value, read


def only(text: str) -> Value:
    """Return the value of the only document."""
    ((value, _),) = read(text)
    return value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("yes", True),
        ("Off", False),
        ("~", None),
        ("42", 42),
        ("-1", -1),
        ("0x1f", 31),
        ("010", 8),
        ("0b11", 3),
        ("1_000", 1000),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("1.10.2", "1.10.2"),
        ("22:22", "22:22"),
        ("2024-01-01", "2024-01-01"),
        ("2024-01-01T00:00:00Z", "2024-01-01T00:00:00Z"),
        ("10.0.0.1", "10.0.0.1"),
        ("08", 8.0),
        ("-", [None]),
        ("+x", "+x"),
        ("=", "="),
        ("'5'", "5"),
        ('"yes"', "yes"),
        ("!!str 5", "5"),
        ("!!int '5'", 5),
        ("!!bool yes", True),
        ("! 5", "5"),
        ("y", "y"),
        ("9" * 5000, "9" * 5000),
    ],
)
def test_scalars_are_resolved_as_kubernetes_tools_do(text: str, expected: Value) -> None:
    """Dates and sexagesimal numbers stay text; quoted text is never resolved."""
    assert only(text) == expected


def test_keys_become_strings() -> None:
    """Kubernetes' tools turn numbers and booleans into strings where they stand as keys."""
    assert only("8080: a\ntrue: b\n1.5: c\n~: d") == {"8080": "a", "true": "b", "1.5": "c", "null": "d"}


def test_merge_keys_give_way_to_the_mapping_itself_and_to_earlier_merges() -> None:
    """``<<`` adds only what is not there."""
    text = "a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc:\n  z: 3\n  <<: [*a, *b]"
    assert only(text)["c"] == {"x": 1, "y": 1, "z": 3}  # type: ignore[index,call-overload]


def test_documents_have_the_line_of_their_content() -> None:
    """Comments and separators before a document do not count."""
    assert list(read("# c\na: 1\n---\n# d\n\nb: 2\n---\n")) == [({"a": 1}, 1), ({"b": 2}, 5), (None, 7)]


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        ("a: [1", "MC4001", 0),
        ("a: 1\nb:\n\t- 1", "MC4001", 2),
        ("a: *missing", "MC4001", 0),
        ("{[1]: 2}", "MC4001", 0),
        ("a: \x01", "MC4001", 0),
        ("!!int x", "MC4001", 0),
        ("a:\n  <<: 5", "MC4001", 1),
        ("a: 1\nb: 2\na: 3", "MC4002", 2),
        ("a:\n  x: 1\n  x: 2", "MC4002", 2),
        ("a: &a [*a]", "MC4003", 0),
        ("[" * 100_000, "MC4003", 0),
        ("- " * 5_000, "MC4003", 0),
        ("a: !ruby/object x", "MC4007", 0),
        ("a: !!python/tuple [1]", "MC4007", 0),
    ],
)
def test_flaws_have_code_and_line(text: str, code: str, line: int) -> None:
    """What makes a document unusable is said with its place."""
    with pytest.raises(Flaw) as caught:
        list(read(text))
    assert (caught.value.code.code, caught.value.line) == (code, line)


def test_tabs_get_a_hint() -> None:
    """The usual cause of a scanner error is named."""
    with pytest.raises(Flaw) as caught:
        list(read("a:\n\tb: 1"))
    assert "tabs" in (caught.value.hint or "")


def test_a_bomb_of_aliases_is_refused() -> None:
    """Ten levels of ten aliases each stand for 10^10 values."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    with pytest.raises(Flaw) as caught:
        list(read("\n".join(lines)))
    assert caught.value.code.code == "MC4003"


def test_ordinary_aliases_are_fine() -> None:
    """An alias stands for the value of its anchor, also of a scalar."""
    assert only("a: &x [1]\nb: *x\nc: &y z\nd: *y") == {"a": [1], "b": [1], "c": "z", "d": "z"}
