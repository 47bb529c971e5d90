"""Ranges of limits."""

from __future__ import annotations

from typing import Any

import pytest

from meshctl_operator.apis.connection_settings import ConnectionSettings
from meshctl_operator.apis.mesh_config import MESH_KEY
from meshctl_operator.apis.validation.connection_settings import check_connection_settings
from meshctl_operator.apis.validation.findings import Findings


def errors(raw: dict[str, Any]) -> list[str]:
    """Return the paths of the findings about settings."""
    findings = Findings(MESH_KEY)
    check_connection_settings(ConnectionSettings.model_validate(raw), "at", findings)
    return [finding.path for finding in findings.items]


def test_accepted() -> None:
    """What Envoy takes passes, 0 as a duration included."""
    assert errors({}) == []
    assert errors({"profile": "EDGE", "httpRequestTimeout": "0s", "httpMaxConcurrentStreams": 1, "httpMaxRequestHeadersKb": 8192}) == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("httpMaxRequestHeadersKb", 0),
        ("httpMaxRequestHeadersKb", 8193),
        ("httpMaxHeadersCount", 0),
        ("httpMaxConcurrentStreams", 0),
        ("http2InitialStreamWindowSize", 65534),
        ("http2InitialConnectionWindowSize", 2**31),
        ("httpIdleTimeout", "-1s"),
        ("httpStreamIdleTimeout", "-1s"),
        ("httpRequestTimeout", "-1s"),
        ("httpRequestHeadersTimeout", "-1s"),
    ],
)
def test_refused(field: str, value: object) -> None:
    """A limit out of range is reported at its field."""
    assert errors({field: value}) == [f"at.{field}"]
