"""Codes of files and sources."""

from __future__ import annotations

from meshctl_operator.base.codes import catalogue
from meshctl_operator.sources.codes import FILE_KIND, file_key


def test_codes_are_of_their_range_and_have_pages() -> None:
    """MC40xx are files and sources."""
    pages = [page for code, page in catalogue().items() if code.startswith("MC40")]
    assert len(pages) >= 8
    assert all(page.cause and page.example and page.fix for page in pages)


def test_findings_about_a_file_have_a_subject() -> None:
    """The file stands for the object that is not known."""
    assert str(file_key("a.yaml")) == f"{FILE_KIND}/a.yaml"
