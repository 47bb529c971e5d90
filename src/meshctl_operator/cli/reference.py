"""The reference pages ``docs/reference/cli.md`` and ``docs/reference/diagnostics.md``, generated from the verbs and from the catalogue of codes.

Run ``python -m meshctl_operator.cli.reference cli > docs/reference/cli.md``, and the same for ``diagnostics``; a test fails when a
committed page differs.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator
from typing import Final

import click

from meshctl_operator.base.codes import Code
from meshctl_operator.cli.docs import load_catalogue, titled
from meshctl_operator.cli.main import RESERVED, VERBS, cli
from meshctl_operator.cli.output import ExitCode

_MEANING: Final = {
    ExitCode.OK: "fine",
    ExitCode.FAILED: "the operation failed",
    ExitCode.USAGE: "bad usage: an unknown verb or option, a file that does not exist",
    ExitCode.REJECTED: "input was rejected; the rest was handled",
    ExitCode.FINDINGS: "findings at or above the threshold (no verb of today)",
    ExitCode.INTERRUPTED: "ended by Ctrl-C",
}

_CLI_INTRODUCTION: Final = """\
# The command line

Generated from the verbs; do not edit.

Paths are files, directories (searched for `*.yaml`, `*.yml` and `*.json`; hidden files and folders are skipped) or `-` for standard
input. Machine output (`-o json`, `-o yaml`) stands alone on standard output, everything else goes to standard error. Colour is used on
a terminal only, and never when `NO_COLOR` is set. Every verb explains itself with `-h` or `--help`.
"""

_AREAS: Final = {
    "10": "Structure",
    "11": "Gateway",
    "12": "VirtualService",
    "13": "DestinationRule",
    "14": "ServiceEntry",
    "15": "WorkloadEntry and WorkloadGroup",
    "16": "Sidecar",
    "17": "Kubernetes kinds and MeshConfig",
    "19": "Not supported, not enforced",
    "20": "References between objects",
    "21": "Gateways in use",
    "22": "Routes in use",
    "23": "Services, endpoints and policies in use",
    "30": "What a proxy said",
    "40": "Files and sources",
    "41": "The local mesh",
    "42": "What translate assumes",
}
"""What the codes MCxx.. are about, as in ``base.codes``."""

_DIAGNOSTICS_INTRODUCTION: Final = """\
# Diagnostics

Generated from the catalogue of codes; do not edit.

A finding is an *error* when what it is about was left out, a *warning* when it was kept, and *info* when it is only good to know. On the
command line it is one line, `file:line: severity [code] Kind namespace/name: path message (way out)`; `meshctl docs CODE` prints the
page of a code.
"""


def render_cli() -> str:
    """Return the page of the command line: every verb with its arguments and options, and the exit codes."""
    codes = "\n".join(f"| {code.value} | {meaning} |" for code, meaning in _MEANING.items())
    with cli.make_context("meshctl", [], resilient_parsing=True) as root:
        verbs = [_verb(root, name) for name in VERBS]
    later = "\n".join(f"- `{name}`" + (f": {instead}" if instead else "") for name, instead in RESERVED.items())
    return "\n".join(
        (
            _CLI_INTRODUCTION,
            f"| exit code | meaning |\n|---|---|\n{codes}\n",
            *verbs,
            f"## Verbs to come\n\nThese names are taken; today they say what serves in their place.\n\n{later}\n",
        )
    )


def render_diagnostics() -> str:
    """Return the page of all codes, grouped by what they are about."""
    parts = [_DIAGNOSTICS_INTRODUCTION]
    area = ""
    for page in load_catalogue().values():
        if page.code[2:4] != area:
            area = page.code[2:4]
            parts.append(f"## MC{area}xx: {_AREAS[area]}\n")
        parts.append(_code(page))
    return "\n".join(parts)


def _verb(root: click.Context, name: str) -> str:
    command = cli.get_command(root, name)
    if command is None:
        raise LookupError(name)
    with command.make_context(name, [], parent=root, resilient_parsing=True) as context:
        usage = " ".join(("meshctl", name, *command.collect_usage_pieces(context)))
        rows = [row for option in command.get_params(context) if (row := option.get_help_record(context)) is not None and row[1]]
        options = "\n".join(f"| `{_cell(option)}` | {_cell(text)} |" for option, text in rows if not option.endswith("--help"))
    table = f"\n| option | |\n|---|---|\n{options}\n" if options else ""
    return f"## meshctl {name}\n\n```\n{usage}\n```\n\n{_prose(command.help or '')}\n{table}"


def _prose(help_text: str) -> str:
    """Return a help text as Markdown: what click is told not to wrap is an example."""
    return "\n\n".join(_paragraph(paragraph) for paragraph in inspect.cleandoc(help_text).split("\n\n"))


def _paragraph(text: str) -> str:
    if not text.startswith("\b\n"):
        return text
    lines = inspect.cleandoc(text.removeprefix("\b\n"))
    return f"```\n{lines}\n```"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _code(page: Code) -> str:
    istio = f" (Istio: {page.istio_code})" if page.istio_code else ""
    return f"### {page.code}: {titled(page)}{istio}\n\n{page.cause}\n\n{_example(page.example)}\n\nWay out: {page.fix}\n"


def _example(text: str) -> str:
    return f"```yaml\n{text.strip()}\n```" if "\n" in text or ": " in text else f"For example: {text.strip()}"


PAGES: Final[dict[str, Callable[[], str]]] = {"cli": render_cli, "diagnostics": render_diagnostics}
"""The pages by the name of their file."""


def main(names: list[str]) -> Iterator[str]:
    """Yield the text of the pages of some names."""
    for name in names:
        yield PAGES[name]()


if __name__ == "__main__":
    sys.stdout.writelines(main(sys.argv[1:]))
