"""Cluster names are Istio's."""

from __future__ import annotations

import pytest

from meshctl_operator.compiler import names


def test_names() -> None:
    """Direction, port, subset and host, separated by bars."""
    assert names.outbound_cluster(9080, "v1", "a.b") == "outbound|9080|v1|a.b"
    assert names.inbound_cluster(9080) == "inbound|9080||"


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("outbound|80|v1|a.b", (80, "v1", "a.b")),
        ("outbound|80||a.b", (80, "", "a.b")),
        ("inbound|80||", None),
        ("outbound|x||a.b", None),
        ("PassthroughCluster", None),
    ],
)
def test_split(name: str, parts: tuple[int, str, str] | None) -> None:
    """Only outbound names have parts."""
    assert names.split_outbound_cluster(name) == parts
