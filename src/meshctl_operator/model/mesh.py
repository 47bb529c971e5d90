"""Mesh-wide settings with Istio's defaults filled in."""

from __future__ import annotations

from meshctl_operator.apis.mesh_config import MESH_KEY, MeshConfig
from meshctl_operator.apis.mesh_settings import MeshSettings
from meshctl_operator.incremental.context import Context
from meshctl_operator.registry.cells import Cell, Table

_DEFAULTS = MeshSettings()


def mesh_settings(ctx: Context) -> MeshSettings:
    """Return the settings of the mesh; defaults where no MeshConfig was given."""
    found = ctx.fetch(Cell(Table.OBJECT, MESH_KEY))
    settings: MeshSettings = found[0].spec if found else _DEFAULTS
    return settings


def mesh_config(ctx: Context) -> MeshConfig:
    """Return Istio's MeshConfig."""
    return mesh_settings(ctx).config


def is_on(ctx: Context, switch: str, *, default: bool = False) -> bool:
    """Tell whether a feature switch of the mesh is on (tracked)."""
    text = dict(mesh_settings(ctx).switches).get(switch, "").lower()
    return text in {"1", "t", "true"} if text else default


def has_workload_certificates(ctx: Context) -> bool:
    """Tell whether proxies have certificates of the mesh, so that they can speak mutual TLS among each other (tracked)."""
    return mesh_settings(ctx).workload_certificates


def cluster_domain(ctx: Context) -> str:
    """Return the DNS domain of the cluster, ``cluster.local`` by default."""
    return mesh_settings(ctx).domain
