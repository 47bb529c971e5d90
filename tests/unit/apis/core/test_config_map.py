"""The view of ConfigMap."""

from __future__ import annotations

from meshctl_operator.apis.core.config_map import ConfigMapSpec


def test_data() -> None:
    """Only text is read."""
    assert ConfigMapSpec.model_validate({"data": {"a": "b"}, "binaryData": {"c": "ZA=="}}).data == {"a": "b"}
