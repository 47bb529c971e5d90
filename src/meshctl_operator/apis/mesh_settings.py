"""What holds for the whole mesh: Istio's MeshConfig, the cluster domain, and the feature switches taken from the environment."""

from __future__ import annotations

from dataclasses import dataclass, field

from meshctl_operator.apis.mesh_config import MeshConfig


@dataclass(frozen=True, slots=True)
class MeshSettings:
    """The spec of the one object of kind MeshConfig that the registry holds.

    ``switches`` are istiod's names (``PILOT_...``) with values. ``assumes_secrets`` takes a Secret that is not among the objects to exist:
    those of a cluster seldom stand in files. ``workload_certificates`` says that every proxy has a certificate of the mesh: nobody issues
    any yet, so nothing sets it, and what needs one is plain text with a diagnostic.
    """

    config: MeshConfig = field(default_factory=MeshConfig)
    domain: str = "cluster.local"
    switches: tuple[tuple[str, str], ...] = ()
    assumes_secrets: bool = False
    workload_certificates: bool = False
