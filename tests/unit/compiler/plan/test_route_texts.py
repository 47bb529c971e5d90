"""Header names and plain texts."""

from __future__ import annotations

import pytest

from meshctl_operator.compiler.plan.route_texts import header_name_problem, plain_text_problem


@pytest.mark.parametrize(
    ("name", "pseudo", "fine"),
    [
        ("x-id", False, True),
        ("X_1.2~", False, True),
        ("", False, False),
        ("a b", False, False),
        ("a:b", False, False),
        (":path", False, False),
        (":path", True, True),
        (":Path", True, False),
        (":other", True, False),
        ("x" * 16385, False, False),
    ],
)
def test_header_name(name: str, pseudo: bool, fine: bool) -> None:  # noqa: FBT001  (columns of the table)
    """A header name is a token; pseudo headers only where they can be matched."""
    assert (header_name_problem(name, pseudo=pseudo) is None) == fine


@pytest.mark.parametrize(
    ("text", "fine"), [("a b", True), ("a\tb", True), ("é", True), ("a\x00", False), ("a\r", False), ("a\x7f", False), ("é" * 8193, False)]
)
def test_plain_text(text: str, fine: bool) -> None:  # noqa: FBT001  (a column of the table)
    """A text may have no control characters but tabs, and at most 16 KiB."""
    assert (plain_text_problem(text) is None) == fine
