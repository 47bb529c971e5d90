"""The view of Namespace."""

from __future__ import annotations

from meshctl_operator.apis.core.namespace import NamespaceSpec


def test_nothing_is_read() -> None:
    """Two namespaces with different specs look the same."""
    assert NamespaceSpec.model_validate({"finalizers": ["kubernetes"]}) == NamespaceSpec()
