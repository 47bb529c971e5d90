"""A tree is walked entry by entry."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshctl_operator.sources.walking import has_objects, is_hidden, signature_of, walk


def write(root: Path, *names: str) -> None:
    """Create files."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)


def test_files_come_with_what_tells_their_states_apart(tmp_path: Path) -> None:
    """Hidden ones, other kinds and folders that look like files are left out."""
    write(tmp_path, "a.yaml", "b/c.JSON", "b/.d.yaml", ".e/f.yaml", "g.txt", "h.yaml/i.yml")
    found = {file.path: file for file in walk(tmp_path)}
    assert sorted(found) == [str(tmp_path / name) for name in ("a.yaml", "b/c.JSON", "h.yaml/i.yml")]
    for path, file in found.items():
        assert file.signature == signature_of(Path(path).stat())
        assert not file.linked


def test_folders_are_entered_before_their_files_come(tmp_path: Path) -> None:
    """So that they can be watched before they are read; what is left out is not entered."""
    write(tmp_path, "b/c.yaml", ".e/f.yaml", "out/d.yaml", "b/out.yaml")
    entered: list[str] = []
    walking = walk(tmp_path, frozenset({tmp_path / "out", tmp_path / "b" / "out.yaml"}), entered.append)
    assert entered == []
    assert [file.path for file in walking] == [str(tmp_path / "b" / "c.yaml")]
    assert entered == [str(tmp_path), str(tmp_path / "b")]


def test_nothing_is_found_in_a_root_that_is_left_out(tmp_path: Path) -> None:
    """Nor below it."""
    write(tmp_path, "a/b.yaml")
    assert not list(walk(tmp_path / "a", frozenset({tmp_path})))


def test_links_are_followed_and_marked(tmp_path: Path) -> None:
    """A loop ends, a link to nowhere is nothing, and what is behind a linked folder is linked too."""
    write(tmp_path, "root/a.yaml", "outside/b.yaml")
    root = tmp_path / "root"
    (root / "c.yaml").symlink_to(tmp_path / "outside" / "b.yaml")
    (root / "dir").symlink_to(tmp_path / "outside")
    (root / "loop").symlink_to(root)
    (root / "nowhere.yaml").symlink_to("missing")
    assert {Path(file.path).relative_to(root).as_posix(): file.linked for file in walk(root)} == {
        "a.yaml": False,
        "c.yaml": True,
        "dir/b.yaml": True,
    }
    (tmp_path / "current").symlink_to("root")
    assert all(file.linked for file in walk(tmp_path / "current"))


def test_a_folder_that_is_gone_is_empty(tmp_path: Path) -> None:
    """It may go while the tree is walked."""
    assert not list(walk(tmp_path / "missing"))


@pytest.mark.parametrize(
    ("name", "hidden", "objects"), [("a.yaml", False, True), (".a.yml", True, True), ("..data", True, False), ("a", False, False)]
)
def test_names_decide(name: str, *, hidden: bool, objects: bool) -> None:
    """Without a look at the file."""
    assert (is_hidden(name), has_objects(name)) == (hidden, objects)
