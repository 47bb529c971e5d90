"""How verbs print: text for people, JSON and YAML for machines, colour only where it is wanted."""

from __future__ import annotations

import json
import os
import sys
from enum import IntEnum, StrEnum
from typing import Final, TextIO

import click

from meshctl_operator.base.diagnostics import Diagnostic, Severity


class ExitCode(IntEnum):
    """What the exit status of a verb means."""

    OK = 0
    FAILED = 1
    USAGE = 64
    REJECTED = 65
    FINDINGS = 79
    INTERRUPTED = 130


class Format(StrEnum):
    """Formats of ``-o``."""

    TEXT = "text"
    JSON = "json"
    YAML = "yaml"


FORMATS: Final = click.Choice([kind.value for kind in Format])
"""The type of the option ``-o`` of verbs that print data; its value is a string."""

_COLOURS: Final = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.INFO: "cyan"}


def colour_wanted(stream: TextIO) -> bool:
    """Tell whether to colour: on a terminal, unless ``NO_COLOR`` is set."""
    return "NO_COLOR" not in os.environ and stream.isatty()


def print_data(value: object, output: Format) -> None:
    """Print a value as JSON or YAML on standard output."""
    if output is Format.YAML:
        import yaml

        dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
        click.echo(yaml.dump(value, Dumper=dumper, sort_keys=False, allow_unicode=True, width=120), nl=False)
    else:
        click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def finding_line(finding: Diagnostic, stream: TextIO | None = None) -> str:
    """Return a finding as one line, its severity coloured where the stream shows colour."""
    line = str(finding)
    if not colour_wanted(stream or sys.stdout):
        return line
    word = finding.severity.value
    return line.replace(f"{word} [", f"{click.style(word, fg=_COLOURS[finding.severity], bold=True)} [", 1)


def print_error(message: str, hint: str | None = None) -> None:
    """Print what went wrong and the way out, on standard error."""
    head = click.style("error:", fg="red", bold=True) if colour_wanted(sys.stderr) else "error:"
    click.echo(f"{head} {message}", err=True)
    if hint:
        click.echo(f"  hint: {hint}", err=True)
