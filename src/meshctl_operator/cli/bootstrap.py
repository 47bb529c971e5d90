"""``meshctl bootstrap``: the configuration that an Envoy is started with."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from meshctl_operator.base.errors import MeshctlError, SettingsError
from meshctl_operator.cli.pod_options import pod_options, pod_proxy
from meshctl_operator.cli.proxy_options import described_proxy, input_options, proxy_options, read_inputs, refuse_shared_stdin

_LAST_PORT: Final = 65_535


@click.command()
@input_options
@proxy_options
@pod_options
@click.option("--xds", default="127.0.0.1:15010", show_default=True, metavar="HOST:PORT", help="Where the control plane listens.")
@click.option(
    "--admin-port", type=click.IntRange(0, _LAST_PORT), default=15000, show_default=True, help="Admin port on 127.0.0.1; 0 for any."
)
@click.option("--status-port", type=click.IntRange(0, _LAST_PORT), default=0, help="Answer /healthz/ready here, as in a pod (15021).")
@click.option(
    "--prometheus-port", type=click.IntRange(0, _LAST_PORT), default=0, help="Answer /stats/prometheus here, as in a pod (15090)."
)
@click.option("--delta/--sotw", default=True, help="Incremental or state-of-the-world xDS; incremental is the default.")
@click.option(
    "--max-heap",
    type=click.IntRange(0),
    metavar="MIB",
    help="Memory near which requests are refused; 0 for no limit. Gateways have 1024 unless told otherwise, sidecars none.",
)
@click.option("--write", metavar="FILE", help="Write it there, not to standard output.")
@click.option(
    "-o", "--output", type=click.Choice(["yaml", "json", "text"]), default="yaml", show_default=True, help="Notation; text is YAML."
)
def bootstrap(
    *,
    paths: tuple[str, ...],
    files: tuple[str, ...],
    namespace: str,
    proxy: str | None,
    proxy_file: str | None,
    pod: str | None,
    pod_labels: str | None,
    xds: str,
    admin_port: int,
    status_port: int,
    prometheus_port: int,
    delta: bool,
    max_heap: int | None,
    write: str | None,
    output: str,
) -> None:
    r"""Print the Envoy bootstrap of a proxy.

    \b
      envoy --config-yaml "$(meshctl bootstrap --proxy router:gw.istio-system --xds 127.0.0.1:15010)"

    Config objects are optional: among them the workload of the name gives labels, address and service account. In a pod, --pod TYPE reads
    them from the downward API: POD_NAME, POD_NAMESPACE, INSTANCE_IPS, SERVICE_ACCOUNT; ISTIO_META_NAME=value is metadata of the node.
    """
    given = (*files, *paths)
    refuse_shared_stdin(given, proxy_file=proxy_file)
    description = pod_proxy(pod, pod_labels, proxy, proxy_file) or described_proxy(proxy, proxy_file, namespace)
    host, port = parse_address(xds)
    from meshctl_operator.bootstrap.bootstrap import bootstrap as write_bootstrap
    from meshctl_operator.bootstrap.bootstrap import to_json, to_yaml
    from meshctl_operator.bootstrap.options import BootstrapOptions, XdsVariant

    if given:
        from meshctl_operator.controlplane.translation import known_proxy

        inputs = read_inputs(given, namespace)
        known, findings = known_proxy(inputs.changes, description)
        for finding in findings:
            click.echo(str(finding), err=True)
    else:
        known = description.as_proxy()
    variant = XdsVariant.DELTA if delta else XdsVariant.SOTW
    options = BootstrapOptions(
        known,
        host,
        port,
        admin_port=admin_port,
        variant=variant,
        max_heap_bytes=None if max_heap is None else max_heap * 1024 * 1024,
        metadata=description.metadata,
        status_port=status_port,
        prometheus_port=prometheus_port,
    )
    message = write_bootstrap(options)
    text = to_json(message) + "\n" if output == "json" else to_yaml(message)
    if write is None:
        click.echo(text, nl=False)
    else:
        _write(Path(write), text)


def _write(path: Path, text: str) -> None:
    """Write a file for whoever starts Envoy. Raises MeshctlError where that is not possible."""
    try:
        path.write_text(text)
    except OSError as error:
        raise MeshctlError(
            f"cannot write {path}: {error.strerror}", hint="give --write the path of a file in a folder that exists"
        ) from error


def parse_address(text: str) -> tuple[str, int]:
    """Read ``host:port`` or ``[::1]:port``. Raises SettingsError for anything else."""
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not port.isdigit() or not 0 < int(port) <= _LAST_PORT:
        raise SettingsError(f'--xds: "{text}" is not HOST:PORT', hint="for example 127.0.0.1:15010")
    return host, int(port)
