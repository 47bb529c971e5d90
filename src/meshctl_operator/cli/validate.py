"""``meshctl validate``: each document checked by itself, with no server and no other object."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import click

from meshctl_operator.apis.changes import Rejected, Upsert
from meshctl_operator.apis.decode import Skipped, decode
from meshctl_operator.base.diagnostics import Diagnostic, Severity
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.cli.output import FORMATS, ExitCode, Format, finding_line, print_data
from meshctl_operator.dev.config import settings_files
from meshctl_operator.sources.documents import Document
from meshctl_operator.sources.files import read_documents

NOTHING_FOUND: Final = "directories are searched for *.yaml, *.yml and *.json; hidden files and folders are skipped"


@dataclass(frozen=True, slots=True)
class Checked:
    """The verdict on one document. ``key`` is None where there is no object; ``skipped`` kinds are not ours."""

    document: Document
    api_version: str | None
    key: ObjectKey | None
    accepted: bool
    findings: tuple[Diagnostic, ...]
    skipped: bool = False

    def to_json(self) -> dict[str, object]:
        """Return the public form of an entry of ``objects``."""
        key = self.key
        return {
            "source": self.document.source,
            "document": self.document.index,
            "line": self.document.line,
            "apiVersion": self.api_version,
            "kind": str(key.kind) or None if key else None,
            "namespace": key.namespace if key else None,
            "name": key.name or None if key else None,
            "accepted": self.accepted,
            "diagnostics": [finding.to_json() for finding in self.findings],
        }


def check(document: Document, namespace: str) -> Checked:
    """Judge one document."""
    if document.raw is None:
        return Checked(document, None, None, accepted=False, findings=document.findings)
    decoded = decode(document.raw, default_namespace=namespace)
    findings = tuple(document.locate(finding) for finding in decoded.diagnostics)
    version = document.raw.get("apiVersion")
    api_version = version if isinstance(version, str) else None
    match decoded:
        case Upsert():
            return Checked(document, api_version, decoded.key, accepted=True, findings=findings)
        case Rejected():
            return Checked(document, api_version, decoded.key, accepted=False, findings=findings)
        case Skipped():  # a kind that istiod acts on and we do not has findings, and is shown
            return Checked(document, api_version, decoded.key, accepted=True, findings=findings, skipped=not findings)


@click.command()
@click.option("-f", "--filename", "files", multiple=True, metavar="PATH", help="File, directory or - (repeatable).")
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@click.option("-n", "--namespace", default="default", show_default=True, metavar="NAME", help="Namespace of objects that name none.")
@click.option("-o", "--output", type=FORMATS, default="text", show_default=True, help="Output format.")
@click.option("--strict", is_flag=True, help="Exit with 65 for warnings as well.")
@click.pass_context
def validate(ctx: click.Context, *, files: tuple[str, ...], paths: tuple[str, ...], namespace: str, output: str, strict: bool) -> None:
    """Check the structure of config objects and every rule that looks at one object alone.

    Kinds that are not ours are skipped and counted. Exit code 65 means that something was rejected.
    """
    given = (*files, *paths)
    if not given:
        raise click.UsageError("there is nothing to validate: give -f PATH; - is standard input", ctx)
    checked = [check(document, namespace) for document in read_documents(given, settings_files)]
    if not checked:
        click.echo(f"note: no config object found: {', '.join(given)} ({NOTHING_FOUND})", err=True)
    shown = [entry for entry in checked if not entry.skipped]
    summary = {
        "accepted": sum(entry.accepted for entry in shown),
        "rejected": sum(not entry.accepted for entry in shown),
        "skipped": len(checked) - len(shown),
        "warnings": sum(finding.severity is Severity.WARNING for entry in checked for finding in entry.findings),
    }
    if output == Format.TEXT:
        _print_text(shown, summary)
    else:
        print_data({"objects": [entry.to_json() for entry in shown], "summary": summary}, Format(output))
    ctx.exit(ExitCode.REJECTED if summary["rejected"] or (strict and summary["warnings"]) else ExitCode.OK)


def _print_text(entries: Iterable[Checked], summary: dict[str, int]) -> None:
    for entry in entries:
        for finding in entry.findings:
            click.echo(finding_line(finding))
    warnings = f", {summary['warnings']} warnings" if summary["warnings"] else ""
    click.echo(f"{summary['accepted']} accepted, {summary['rejected']} rejected, {summary['skipped']} skipped{warnings}")
