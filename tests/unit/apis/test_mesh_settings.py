"""What holds for the whole mesh."""

from __future__ import annotations

from meshctl_operator.apis.mesh_config import MeshConfig
from meshctl_operator.apis.mesh_settings import MeshSettings


def test_settings_are_values() -> None:
    """Settings with equal content are equal, so that an unchanged file changes nothing."""
    assert MeshSettings() == MeshSettings(MeshConfig(), "cluster.local", (), assumes_secrets=False)
    assert MeshSettings(MeshConfig(proxy_http_port=1)) != MeshSettings()
