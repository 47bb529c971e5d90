"""``meshctl inject`` and ``meshctl uninject``: manifests in, the same manifests with or without a proxy in their pods out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import click

from meshctl_operator.base.diagnostics import Compiled, Diagnostic, Severity
from meshctl_operator.base.errors import SettingsError
from meshctl_operator.cli.output import ExitCode, finding_line
from meshctl_operator.dev.config import beside_config
from meshctl_operator.injector.json_values import JsonObject, copied
from meshctl_operator.injector.settings import InjectorSettings
from meshctl_operator.injector.workloads import inject_object, uninject_object
from meshctl_operator.sources.documents import Document
from meshctl_operator.sources.files import read_documents

_DEFAULTS = InjectorSettings()


@click.command()
@click.option("-f", "--filename", "files", multiple=True, metavar="PATH", help="File, directory or - (repeatable).")
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@click.option("-n", "--namespace", default="default", show_default=True, metavar="NAME", help="Namespace of objects that name none.")
@click.option("-r", "--revision", default=_DEFAULTS.revision, show_default=True, metavar="NAME", help="Revision of the control plane.")
@click.option(
    "--xds",
    default=f"{_DEFAULTS.xds_host}:{_DEFAULTS.xds_port}",
    show_default=True,
    metavar="HOST:PORT",
    help="Where it listens, seen from a pod.",
)
@click.option("--proxy-image", default=_DEFAULTS.proxy_image, show_default=True, metavar="IMAGE", help="A stock Envoy.")
@click.option("--init-image", default=_DEFAULTS.init_image, show_default=True, metavar="IMAGE", help="What sets up the interception.")
@click.option("--native-sidecars", is_flag=True, help="Start proxies before applications and end them after (Kubernetes 1.29 or newer).")
@click.option(
    "--cluster-domain", default=_DEFAULTS.cluster_domain, show_default=True, metavar="NAME", help="Domain of the names of Services."
)
@click.option("--dual-stack", is_flag=True, help="Pods have addresses of both families.")
@click.pass_context
def inject(
    ctx: click.Context,
    *,
    files: tuple[str, ...],
    paths: tuple[str, ...],
    namespace: str,
    revision: str,
    xds: str,
    proxy_image: str,
    init_image: str,
    native_sidecars: bool,
    cluster_domain: str,
    dual_stack: bool,
) -> None:
    r"""Print manifests with a sidecar in every pod.

    \b
      meshctl inject -f app.yaml | kubectl apply -f -

    Objects without pods are passed on as they are, and so are pods that opt out. Pods that have a sidecar get it anew. Exit code 65 means
    that something was passed on without the sidecar that it asks for.
    """
    from meshctl_operator.cli.bootstrap import parse_address

    host, port = parse_address(xds)
    settings = replace(
        _DEFAULTS,
        revision=revision,
        xds_host=host,
        xds_port=port,
        proxy_image=proxy_image,
        init_image=init_image,
        native_sidecars=native_sidecars,
        cluster_domain=cluster_domain,
        dual_stack=dual_stack,
    )
    ctx.exit(_pipe((*files, *paths), lambda raw: inject_object(raw, settings, namespace)))


@click.command()
@click.option("-f", "--filename", "files", multiple=True, metavar="PATH", help="File, directory or - (repeatable).")
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@click.pass_context
def uninject(ctx: click.Context, *, files: tuple[str, ...], paths: tuple[str, ...]) -> None:
    r"""Print manifests without the sidecars that `meshctl inject` has put in.

    \b
      kubectl get deployments -o yaml | meshctl uninject -f - | kubectl apply -f -
    """
    ctx.exit(_pipe((*files, *paths), lambda raw: Compiled(uninject_object(raw))))


def _pipe(paths: Iterable[str], change: Callable[[JsonObject], Compiled[JsonObject]]) -> ExitCode:
    """Print every document as it is changed, and the findings on standard error."""
    given = tuple(paths)
    if not given:
        raise SettingsError("there is nothing to read", hint="give -f PATH; - is standard input")
    findings: list[Diagnostic] = []
    for text, found in _changed(given, change):
        findings += found
        if text:
            click.echo(text, nl=False)
    for finding in findings:
        click.echo(finding_line(finding), err=True)
    return ExitCode.REJECTED if any(finding.severity is Severity.ERROR for finding in findings) else ExitCode.OK


def _changed(paths: tuple[str, ...], change: Callable[[JsonObject], Compiled[JsonObject]]) -> Iterator[tuple[str, tuple[Diagnostic, ...]]]:
    first = True
    for document in read_documents(paths, beside_config):
        if document.raw is None:
            yield "", document.findings
            continue
        done = change(copied(dict(document.raw)))  # type: ignore[arg-type]  # what a reader of YAML gives is JSON
        yield ("" if first else "---\n") + _written(done.value), tuple(_located(document, finding) for finding in done.diagnostics)
        first = False


def _located(document: Document, finding: Diagnostic) -> Diagnostic:
    return finding.at(document.source, document.line)


def _written(value: JsonObject) -> str:
    import yaml

    text: str = yaml.dump(value, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper), sort_keys=False, allow_unicode=True, width=2**20)
    return text
