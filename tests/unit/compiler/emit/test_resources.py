"""Equal Inputs give equal bytes; development mode checks that."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from envoy.config.cluster.v3 import cluster_pb2

from meshctl_operator.compiler.emit import resources


def test_type_urls_are_those_of_the_messages() -> None:
    """The names under which xDS knows the messages."""
    assert str(resources.CLUSTER_TYPE) == "type.googleapis.com/envoy.config.cluster.v3.Cluster"
    assert str(resources.SECRET_TYPE) == "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"


def test_an_emitter_that_wavers_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """In development mode an emitter that gives other bytes for the same input is an error of ours."""
    names = iter("abc")

    def emit_wavering(_value: object) -> cluster_pb2.Cluster:
        return cluster_pb2.Cluster(name=next(names))

    monkeypatch.setattr(resources, "sys", SimpleNamespace(flags=SimpleNamespace(dev_mode=True)))
    with pytest.raises(AssertionError, match="emit_wavering gave different bytes"):
        resources.serialised(emit_wavering, None, emit_wavering(None))
