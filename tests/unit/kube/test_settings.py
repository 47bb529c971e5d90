"""Which revision is ours."""

from __future__ import annotations

import pytest

from meshctl_operator.kube.settings import KubeSettings


@pytest.mark.parametrize(
    ("revision", "default", "expected"),
    [("default", None, True), ("canary", None, False), ("canary", True, True), ("default", False, False)],
)
def test_who_is_the_default(revision: str, *, default: bool | None, expected: bool) -> None:
    """The revision ``default``, unless it is said otherwise."""
    assert KubeSettings(revision=revision, default_revision=default).is_default is expected
