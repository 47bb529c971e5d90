"""Normalisation of paths."""

from __future__ import annotations

import pytest

from meshctl_operator.simulation.paths import merge_slashes, normalize, unescape_slashes


@pytest.mark.parametrize(
    ("path", "result"),
    [
        ("/a/../b/./c?x=/../y", "/b/c?x=/../y"),
        ("/../../a", "/a"),
        ("/a/..", "/"),
        ("/a/.", "/a/"),
        ("/a//b", "/a//b"),
        ("/%61%2e%2E/%2f", "/a../%2f"),
        ("/%2e%2e/a", "/a"),
        ("/a\\b", "/a/b"),
        ('/a b"<>', "/a%20b%22%3C%3E"),
        ("/é", "/%C3%A9"),
        ("a", None),
        ("/%00", None),
    ],
)
def test_normalize(path: str, result: str | None) -> None:
    """Dot segments are resolved and characters brought to one form; the query is left alone."""
    assert normalize(path) == result


def test_slashes() -> None:
    """Escaped slashes are undone and runs of slashes merged, both before the query only."""
    assert unescape_slashes("/a%2Fb%5cc?d=%2f") == "/a/b\\c?d=%2f"
    assert merge_slashes("/a///b//?c=//") == "/a/b/?c=//"
