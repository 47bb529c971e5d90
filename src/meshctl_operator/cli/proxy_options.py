"""Options that say which proxy is meant and from which files, shared by the verbs that work on one proxy."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from meshctl_operator.apis.changes import Change, Rejected, Upsert
from meshctl_operator.base.diagnostics import Diagnostic
from meshctl_operator.base.errors import SettingsError
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.controlplane.proxy_descriptions import ProxyDescription, parse_proxy, read_proxy
from meshctl_operator.dev.config import beside_config
from meshctl_operator.sources.codes import NOT_AN_OBJECT
from meshctl_operator.sources.documents import Document, parse
from meshctl_operator.sources.files import STDIN, STDIN_NAME, check_paths, read_documents, read_stdin, read_text

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Inputs:
    """Decoded objects in the order in which they were read, and findings about what is no object. All findings have file and line."""

    changes: tuple[Change, ...]
    findings: tuple[Diagnostic, ...]
    documents: dict[ObjectKey, Document]

    @property
    def rejected(self) -> bool:
        """Whether anything of the input cannot be used."""
        return any(isinstance(change, Rejected) for change in self.changes) or any(finding.severity == "error" for finding in self.findings)

    def locate(self, finding: Diagnostic) -> Diagnostic:
        """Return the finding with the file and line where its path stands, if its object is one of these."""
        document = self.documents.get(finding.subject)
        return document.locate(finding) if document is not None else finding


def input_options(command: F) -> F:
    """Add ``-f PATH`` (repeatable), positional paths that mean the same, and ``-n/--namespace``."""
    command = click.argument("paths", nargs=-1, metavar="[PATH]...")(command)
    command = click.option("-f", "--filename", "files", multiple=True, metavar="PATH", help="File, directory or - (repeatable).")(command)
    return click.option(
        "-n", "--namespace", default="default", show_default=True, metavar="NAME", help="Namespace of objects and proxies that name none."
    )(command)


def proxy_options(command: F) -> F:
    """Add ``--proxy`` and ``--proxy-file``."""
    command = click.option(
        "--proxy", metavar="TYPE:NAME.NAMESPACE", help="The proxy of a workload among the inputs: sidecar:reviews-v1.default."
    )(command)
    return click.option(
        "--proxy-file", metavar="FILE", help="YAML or JSON that describes the proxy (- is standard input); only `type` is required."
    )(command)


def described_proxy(proxy: str | None, proxy_file: str | None, namespace: str) -> ProxyDescription:
    """Return the proxy that the options describe. Raises SettingsError unless there is exactly one."""
    if proxy and proxy_file:
        raise SettingsError("--proxy and --proxy-file exclude each other", hint="give one of them")
    if proxy:
        return parse_proxy(proxy, default_namespace=namespace)
    if proxy_file:
        raw = read_mapping(proxy_file).raw
        try:
            return read_proxy(raw, default_namespace=namespace)
        except SettingsError as error:
            raise SettingsError(f"{proxy_file}: {error}", hint=error.hint) from None
    raise SettingsError("no proxy is named", hint="give --proxy TYPE:NAME.NAMESPACE (sidecar:reviews-v1.default) or --proxy-file FILE")


def refuse_shared_stdin(paths: Iterable[str], **others: str | None) -> None:
    """Raise SettingsError when two options ask for standard input, of which only one would get something."""
    asking = [f"--{name.replace('_', '-')}" for name, path in others.items() if path == STDIN]
    asking = [*(["-f"] if STDIN in tuple(paths) else []), *asking]
    if len(asking) > 1:
        raise SettingsError(f"{' and '.join(asking)} both read standard input", hint="give a file for one of them")


def read_mapping(path: str) -> Document:
    """Return the only document of a YAML or JSON file (``-`` is standard input), which has ``raw``. Raises SettingsError when there is none."""
    check_paths([path])
    if path == STDIN:
        text: str | Diagnostic = read_stdin()
        name = STDIN_NAME
    else:
        text, name = read_text(Path(path)), path
    if isinstance(text, Diagnostic):
        raise SettingsError(str(text))
    documents = parse(text, name)
    if len(documents) != 1:
        raise SettingsError(f"{name} holds {len(documents)} documents where one is expected")
    document = documents[0]
    if document.raw is None:
        if any(finding.code == NOT_AN_OBJECT.code for finding in document.findings):
            raise SettingsError(f"{name}:{document.line}: is not a mapping")
        raise SettingsError("; ".join(str(finding) for finding in document.findings))
    return document


def read_inputs(paths: Iterable[str], namespace: str, *, validate: bool = True) -> Inputs:
    """Read and decode everything under the paths. An object that is given twice counts where it stands first, as in a watched folder."""
    from meshctl_operator.apis.decode import Skipped, decode
    from meshctl_operator.sources.loading import defined_twice

    changes: list[Change] = []
    findings: list[Diagnostic] = []
    documents: dict[ObjectKey, Document] = {}
    for document in read_documents(paths, beside_config):
        if document.raw is None:
            findings += document.findings
            continue
        decoded = decode(document.raw, default_namespace=namespace, validate=validate)
        located = tuple(document.locate(finding) for finding in decoded.diagnostics)
        match decoded:
            case Skipped():
                findings += located
            case _ if decoded.key in documents:
                findings.append(defined_twice(document, decoded.key, documents[decoded.key]))
            case Upsert():
                documents[decoded.key] = document
                changes.append(Upsert(decoded.object, located))
            case Rejected():
                documents[decoded.key] = document
                changes.append(Rejected(decoded.key, located))
    return Inputs(tuple(changes), tuple(findings), documents)
