"""Exceptions: the program or the world broke. Mistakes in user objects are diagnostics instead."""

from __future__ import annotations


class MeshctlError(Exception):
    """Base of every error that is shown to a user without a traceback; ``hint`` is the way out."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        """Take what is wrong (with the value seen) and, if known, what to do about it."""
        super().__init__(message)
        self.hint = hint


class SettingsError(MeshctlError):
    """A flag, an environment variable or a settings file is unusable."""

    exit_code = 64


class SourceError(MeshctlError):
    """A source of config objects is out of reach. Readiness turns false, the served config stays."""


class CompileBug(MeshctlError):  # noqa: N818  (a statement about the program, named for what it is)
    """An invariant of ours broke. The last good state stays in service and an alert metric counts it."""


class ProtocolViolation(MeshctlError):  # noqa: N818  (named as the xDS specification speaks of it)
    """An xDS client sent something that the protocol does not allow; ends that stream only."""
