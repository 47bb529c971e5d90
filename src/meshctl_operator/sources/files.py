"""Input rules of the command line: which files a path stands for, and their text."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

from meshctl_operator.base.diagnostics import Diagnostic
from meshctl_operator.base.errors import SettingsError
from meshctl_operator.sources import codes
from meshctl_operator.sources.documents import Document, parse
from meshctl_operator.sources.walking import walk

STDIN: Final = "-"
STDIN_NAME: Final = "<stdin>"
_BESIDE_SHOWN: Final = 8  # names in the hint for a path that does not exist


def check_paths(paths: Iterable[str]) -> None:
    """Raise SettingsError for the first path that does not exist."""
    for path in paths:
        if path != STDIN and not Path(path).exists():
            raise SettingsError(f'"{path}" does not exist', hint=_near(Path(path)))


def _near(path: Path) -> str | None:
    """Return what may have been meant by a path that does not exist: a similar name, else what stands beside it."""
    folder = path.parent
    beside = sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith(".")) if folder.is_dir() else []
    close = difflib.get_close_matches(path.name, beside, 1)
    if close:
        return f'did you mean "{folder / close[0]}"?'
    shown = ", ".join(beside[:_BESIDE_SHOWN]) + (", ..." if len(beside) > _BESIDE_SHOWN else "")
    return f'"{folder}" has {shown}' if beside else None


def list_files(root: Path, exclude: frozenset[Path] = frozenset()) -> list[Path]:
    """Return the files that a path stands for, in path order: itself, or what a directory holds.

    Directories are read recursively; ``*.yaml``, ``*.yml`` and ``*.json`` count, hidden files and folders do not. Symbolic links are
    followed (a mounted ConfigMap is made of them), a loop of them is not. What is below ``exclude`` is left out.
    """
    if not root.is_dir():
        return [root]
    return sorted((Path(found.path) for found in walk(root, exclude)), key=lambda path: path.parts)


def read_text(path: Path) -> str | Diagnostic:
    """Return the text of a file, or the finding that says why it cannot be read."""
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        message = f"is not UTF-8 text: byte 0x{error.object[error.start]:02x} at offset {error.start}"
    except OSError as error:
        message = f"cannot be read: {error.strerror or error}"
    return codes.UNREADABLE.error(codes.file_key(str(path)), "", message).at(str(path), None)


def read_documents(paths: Iterable[str], exclude: Callable[[Path], frozenset[Path]] = lambda _: frozenset()) -> Iterator[Document]:
    """Yield the documents of files, directories and ``-`` (standard input), in the order given. Raises SettingsError for a missing path.

    ``exclude`` names what of a directory is left out.
    """
    given = tuple(paths)
    check_paths(given)
    for path in given:
        if path == STDIN:
            yield from parse(read_stdin(), STDIN_NAME)
            continue
        for file in list_files(Path(path), exclude(Path(path))):
            text = read_text(file)
            if isinstance(text, Diagnostic):
                yield Document(str(file), 0, 1, None, (text,))
            else:
                yield from parse(text, str(file))


def read_stdin() -> str:
    """Return standard input as text. Raises SettingsError when it is none."""
    try:
        return sys.stdin.buffer.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SettingsError(f"standard input is not UTF-8 text (offset {error.start})") from None
