"""Which files a path stands for."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from meshctl_operator.base.diagnostics import Diagnostic
from meshctl_operator.base.errors import SettingsError
from meshctl_operator.sources.files import check_paths, list_files, read_documents, read_text


def write(root: Path, *names: str) -> None:
    """Create files, each with one document."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"name: {path.stem}\n")


def test_directories_are_read_recursively_in_path_order(tmp_path: Path) -> None:
    """Only YAML and JSON count; hidden files and folders do not."""
    write(tmp_path, "b.yaml", "a/c.yml", "a/b.json", "a/notes.txt", ".hidden.yaml", ".git/x.yaml", "z/Y.YAML")
    assert [str(path.relative_to(tmp_path)) for path in list_files(tmp_path)] == ["a/b.json", "a/c.yml", "b.yaml", "z/Y.YAML"]


def test_a_file_is_taken_whatever_it_is_called(tmp_path: Path) -> None:
    """Who names a file means it."""
    write(tmp_path, "notes.txt")
    assert list_files(tmp_path / "notes.txt") == [tmp_path / "notes.txt"]


def test_links_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    """A mounted ConfigMap is made of links; a link to a parent ends nowhere."""
    write(tmp_path, "..data/a.yaml")
    (tmp_path / "a.yaml").symlink_to("..data/a.yaml")
    (tmp_path / "loop").symlink_to(tmp_path)
    assert [path.name for path in list_files(tmp_path)] == ["a.yaml"]


def test_missing_paths_are_bad_usage(tmp_path: Path) -> None:
    """The message names the path, the hint what is there."""
    write(tmp_path, "reviews.yaml")
    with pytest.raises(SettingsError, match="does not exist") as caught:
        check_paths([str(tmp_path / "revews.yaml")])
    assert caught.value.hint == f'did you mean "{tmp_path / "reviews.yaml"}"?'
    assert caught.value.exit_code == 64
    write(tmp_path, ".git/config.yaml")
    with pytest.raises(SettingsError) as caught:
        check_paths([str(tmp_path / "zzz")])
    assert caught.value.hint == f'"{tmp_path}" has reviews.yaml'


def test_unreadable_files_are_findings(tmp_path: Path) -> None:
    """Text that is not UTF-8 is reported with the offset of the first bad byte."""
    path = tmp_path / "a.yaml"
    path.write_bytes(b"a: \xff")
    finding = read_text(path)
    assert isinstance(finding, Diagnostic)
    assert (finding.code, finding.source) == ("MC4005", str(path))
    (document,) = read_documents([str(path)])
    assert document.raw is None


def test_a_byte_order_mark_is_no_text(tmp_path: Path) -> None:
    """Editors on Windows write one."""
    path = tmp_path / "a.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert read_text(path) == "a: 1\n"


def test_a_vanished_file_is_a_finding(tmp_path: Path) -> None:
    """A file may go between listing and reading."""
    assert isinstance(read_text(tmp_path / "gone.yaml"), Diagnostic)


def test_dash_is_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Inputs keep the order in which they were given."""
    write(tmp_path, "a.yaml")
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"name: piped\n")))
    found = list(read_documents(["-", str(tmp_path)]))
    assert [(document.source, document.raw) for document in found] == [
        ("<stdin>", {"name": "piped"}),
        (str(tmp_path / "a.yaml"), {"name": "a"}),
    ]


def test_standard_input_must_be_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes that are not UTF-8 are bad usage."""
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"\xff")))
    with pytest.raises(SettingsError):
        list(read_documents(["-"]))
