"""Errors carry the way out and their exit code."""

from __future__ import annotations

from meshctl_operator.base.errors import MeshctlError, SettingsError


def test_hint_and_exit_code() -> None:
    """An error says what to do; unusable settings are bad usage."""
    error = SettingsError("--xds: port 99999 is out of range", hint="use 0 to 65535")
    assert isinstance(error, MeshctlError)
    assert error.hint == "use 0 to 65535"
    assert (MeshctlError("x").exit_code, error.exit_code) == (1, 64)
