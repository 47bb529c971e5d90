"""``meshctl translate``: what one proxy would be served, from files, with no server."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from meshctl_operator.apis.mesh_settings import MeshSettings
from meshctl_operator.base.diagnostics import Diagnostic, has_errors, sorted_unique
from meshctl_operator.base.errors import MeshctlError, SettingsError
from meshctl_operator.cli.output import ExitCode, finding_line
from meshctl_operator.cli.proxy_options import (
    Inputs,
    described_proxy,
    input_options,
    proxy_options,
    read_inputs,
    read_mapping,
    refuse_shared_stdin,
)
from meshctl_operator.sources.documents import Document

if TYPE_CHECKING:
    from meshctl_operator.controlplane.translation import Translation


@click.command()
@input_options
@proxy_options
@click.option("--mesh-config", metavar="FILE", help="Istio MeshConfig fields (YAML).")
@click.option(
    "-o",
    "--output",
    type=click.Choice(["summary", "text", "json", "yaml", "envoy"]),
    default="summary",
    help="summary (a table, the default; text is the same), json, yaml, or envoy: a static bootstrap.",
)
@click.option("--no-validate", is_flag=True, help="Compile invalid objects as far as they can be read.")
@click.option(
    "--batch", metavar="FILE", help="Many translations: JSON lines with id, objects, proxy, mesh_config, validate (- is standard input)."
)
@click.pass_context
def translate(
    ctx: click.Context,
    *,
    paths: tuple[str, ...],
    files: tuple[str, ...],
    namespace: str,
    proxy: str | None,
    proxy_file: str | None,
    mesh_config: str | None,
    output: str,
    no_validate: bool,
    batch: str | None,
) -> None:
    r"""Print what one proxy would be served.

    \b
      meshctl translate -f examples/bookinfo/mesh --proxy sidecar:productpage-v1.default -o json
      meshctl translate -f config/ --proxy-file proxy.json -o envoy > envoy.yaml && envoy --mode validate -c envoy.yaml

    Exit code 65 means that an object was rejected; the output is complete for the rest.
    """
    if batch is not None:
        if proxy or proxy_file or files or paths:
            raise SettingsError("--batch brings its own objects and proxies", hint="leave out -f, --proxy and --proxy-file")
        failed = [answer["error"] is not None for answer in _print_batch(batch, namespace)]
        ctx.exit(ExitCode.FAILED if any(failed) else ExitCode.OK)
    given = (*files, *paths)
    refuse_shared_stdin(given, proxy_file=proxy_file, mesh_config=mesh_config)
    description = described_proxy(proxy, proxy_file, namespace)
    if not given:
        raise SettingsError("there are no config objects to translate", hint="give -f PATH; - is standard input")
    from meshctl_operator.controlplane.translation import translate as run

    document = read_mapping(mesh_config) if mesh_config else None
    settings, notes = mesh_settings(document.raw if document else None, document)
    inputs = read_inputs(given, namespace, validate=not no_validate)
    result = run(inputs.changes, description, settings)
    findings = sorted_unique((*notes, *inputs.findings, *map(inputs.locate, result.diagnostics)))
    _print(replace(result, diagnostics=findings), output)
    ctx.exit(ExitCode.REJECTED if inputs.rejected or has_errors(notes) else ExitCode.OK)


def mesh_settings(raw: object | None, document: Document | None = None) -> tuple[MeshSettings, tuple[Diagnostic, ...]]:
    """Return the settings of the mesh from MeshConfig fields and the environment's feature switches, with findings about the fields.

    A value that cannot be read is an error among the findings, and its default is used. ``document`` is where the fields stand, if in a file.
    """
    from meshctl_operator.apis.changes import Rejected
    from meshctl_operator.apis.mesh_decode import decode_mesh_config
    from meshctl_operator.controlplane.settings import settings_from

    settings, warnings = settings_from(os.environ)
    for warning in warnings:
        click.echo(f"warning: {warning}", err=True)
    if raw is None:
        return settings.mesh_settings, ()
    decoded = decode_mesh_config(raw)
    findings = tuple(document.locate(finding) if document else finding for finding in decoded.diagnostics)
    if isinstance(decoded, Rejected):
        decoded = decode_mesh_config(raw, validate=False)
    return settings.mesh_settings if isinstance(decoded, Rejected) else replace(
        settings.mesh_settings, config=decoded.object.spec
    ), findings


def _print(result: Translation, output: str) -> None:
    """Write the result to standard output, and what people should know to standard error."""
    match output:
        case "json":
            click.echo(json.dumps(result.to_json(), indent=2))
        case "yaml":
            click.echo(_yaml(result.to_json()), nl=False)
        case "envoy":
            from meshctl_operator.controlplane.translation import stand_alone

            bootstrap, findings = stand_alone(result)
            click.echo(_yaml(bootstrap), nl=False)
            _explain((*result.diagnostics, *findings))
        case _:
            from meshctl_operator.controlplane.summaries import summary

            click.echo(summary(result), nl=False)
            _explain(result.diagnostics)


def _explain(findings: Iterable[Diagnostic]) -> None:
    for finding in findings:
        click.echo(finding_line(finding, sys.stderr), err=True)


def _yaml(value: Mapping[str, object]) -> str:
    import yaml

    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)  # libyaml is ten times faster, where it is there
    text: str = yaml.dump(value, Dumper=dumper, sort_keys=False, default_flow_style=False, width=140)
    return text


def _print_batch(path: str, namespace: str) -> Iterator[dict[str, object]]:
    """Answer each line with one line, at once, so that a caller may talk back and forth."""
    for number, line in enumerate(_lines(path), start=1):
        if line.strip():
            answer = answer_line(line, number, namespace)
            click.echo(json.dumps(answer))
            sys.stdout.flush()
            yield answer


def _lines(path: str) -> Iterator[str]:
    """Yield the lines of a file or of standard input. A byte that is not UTF-8 spoils its own line alone."""
    if path == "-":
        yield from (line.decode(errors="replace") for line in sys.stdin.buffer)
        return
    try:
        with Path(path).open(encoding="utf-8", errors="replace") as stream:
            yield from stream
    except OSError as error:
        raise SettingsError(f'--batch: "{path}" cannot be read: {error.strerror}') from None


def answer_line(line: str, number: int, namespace: str = "default") -> dict[str, object]:
    """Return the answer to one line of a batch: ``{"id", "result", "error"}``. Never raises for what the line holds."""
    identity: object = None
    try:
        request = json.loads(line)
        if not isinstance(request, dict):
            raise SettingsError(f"line {number} is not a JSON object")
        identity = request.get("id")
        return {"id": identity, "result": _answer(request, namespace), "error": None}
    except (json.JSONDecodeError, RecursionError) as error:
        return {"id": identity, "result": None, "error": f"line {number} is not JSON: {error}"}
    except MeshctlError as error:
        return {"id": identity, "result": None, "error": f"{error} ({error.hint})" if error.hint else str(error)}


def _answer(request: Mapping[str, object], namespace: str) -> dict[str, object]:
    from meshctl_operator.controlplane.proxy_descriptions import read_proxy
    from meshctl_operator.controlplane.translation import translate as run

    unknown = sorted(set(request) - {"id", "objects", "proxy", "mesh_config", "validate"})
    if unknown:
        raise SettingsError(
            f'"{unknown[0]}" is not a field of a batch line', hint="the fields are id, objects, proxy, mesh_config, validate"
        )
    objects = [] if request.get("objects") is None else request["objects"]
    if not isinstance(objects, list):
        raise SettingsError("objects is not a list")
    if "proxy" not in request:
        raise SettingsError("proxy is missing", hint='give at least {"type": "sidecar"}')
    settings, notes = mesh_settings(request.get("mesh_config"))
    inputs = decode_all(objects, namespace, validate=request.get("validate") is not False)
    result = run(inputs.changes, read_proxy(request["proxy"], default_namespace=namespace), settings)
    return replace(result, diagnostics=sorted_unique((*notes, *inputs.findings, *result.diagnostics))).to_json()


def decode_all(objects: Iterable[object], namespace: str, *, validate: bool = True) -> Inputs:
    """Decode raw objects; of two with the same kind, namespace and name the first counts. They come from no file, so findings have no line."""
    from meshctl_operator.apis.changes import Change
    from meshctl_operator.apis.decode import Skipped, decode

    changes: dict[object, Change] = {}
    findings: list[Diagnostic] = []
    for raw in _unfolded(objects):
        decoded = decode(raw, default_namespace=namespace, validate=validate)
        if isinstance(decoded, Skipped):
            findings += decoded.diagnostics
        else:
            changes.setdefault(decoded.key if decoded.key.name else object(), decoded)
    return Inputs(tuple(changes.values()), tuple(findings), {})


def _unfolded(objects: Iterable[object]) -> Iterator[object]:
    """Yield the objects, and the items of each List in its place."""
    for raw in objects:
        items = raw.get("items") if isinstance(raw, Mapping) and str(raw.get("kind", "")).endswith("List") else None
        if isinstance(items, list):
            yield from _unfolded(items)
        else:
            yield raw
