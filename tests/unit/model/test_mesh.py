"""Mesh-wide settings have Istio's defaults."""

from __future__ import annotations

from meshctl_operator.incremental.engine import Engine
from meshctl_operator.model.mesh import cluster_domain, mesh_config, mesh_settings
from meshctl_operator.registry.registry import Registry
from tests.support.mesh_text import TextMesh


def test_defaults_without_an_object() -> None:
    """A registry without settings reads as Istio's defaults."""
    engine = Engine(Registry().snapshot)
    assert engine.evaluate(cluster_domain) == "cluster.local"
    assert engine.evaluate(mesh_config).root_namespace == "istio-system"


def test_settings_are_read() -> None:
    """What MeshConfig and the environment say is what counts."""
    mesh = TextMesh("", switches=(("PILOT_X", "true"),), rootNamespace="mesh")
    assert mesh.evaluate(mesh_config).root_namespace == "mesh"
    assert mesh.evaluate(mesh_settings).switches == (("PILOT_X", "true"),)
