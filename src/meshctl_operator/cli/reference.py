"""The reference pages ``cli``, ``diagnostics`` and ``metrics`` of ``docs/reference``: generated from the verbs, the catalogue of codes, the series.

Run ``python -m meshctl_operator.cli.reference cli > docs/reference/cli.md``, and the same for the others; a test fails when a committed
page differs.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterable, Iterator
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
    "43": "Pods that get a sidecar",
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


_METRICS_INTRODUCTION: Final = """\
# Metrics

Generated from the code; do not edit.

`meshctl serve` exposes them for Prometheus on `--http` (`/metrics`). Labels are kinds, types and causes, never proxies, so the number of
series does not grow with the mesh. Beside these there are `process_cpu_seconds_total`, `process_resident_memory_bytes` and the other series
of the process, and `meshctl_build_info` with the version. Times are in seconds, counters end with `_total`.

How long changes take is measured at the answer: `meshctl_convergence_seconds` ends with the ACK of the last proxy that a change reaches,
not when a response was sent.
"""

_ALIASES_INTRODUCTION: Final = """\
## istiod's names

With `--pilot-metrics` some series are there under istiod's names too, where they mean the same, so that dashboards made for it show
something. Values of the label `type` are in lower case then, and counters have no suffix.
"""

_DEBUG: Final = """\
## Debug pages

They answer requests from the machine itself only, unless `--remote-debug` is given: they tell the whole configuration and ask nobody who he
is. Behind a reverse proxy on the same machine every request comes from the machine itself. Bodies of secrets are never shown.
"""


def render_metrics() -> str:
    """Return the page about what ``/metrics`` and ``/debug`` show."""
    from meshctl_operator.admin.server import PAGES as ADMIN_PAGES
    from meshctl_operator.controlplane.pilot_metrics import ALIASES
    from meshctl_operator.controlplane.telemetry import Telemetry

    series = [(family.exposed_name, family.kind, family.label, family.help) for family in Telemetry().families()]
    return "\n".join(
        (
            _METRICS_INTRODUCTION,
            _table(("series", "type", "label", ""), ((f"`{name}`", kind, label, text) for name, kind, label, text in series)),
            _ALIASES_INTRODUCTION,
            _table(("istiod's name", "ours", ""), ((f"`{alias.name}`", f"`{alias.ours}`", alias.text) for alias in ALIASES)),
            _DEBUG,
            _table(("page", ""), ((f"`{path}`", text) for path, text in ADMIN_PAGES.items())),
        )
    )


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |".replace("|  |", "| |") for line in lines) + "\n"


def _verb(root: click.Context, name: str) -> str:
    command = cli.get_command(root, name)
    if command is None:
        raise LookupError(name)
    return _command(root, command, name)


def _command(parent: click.Context, command: click.Command, name: str) -> str:
    """Return the section of a verb; the verbs of a group follow it."""
    with command.make_context(name, [], parent=parent, resilient_parsing=True) as context:
        path = context.command_path
        usage = " ".join((path, *command.collect_usage_pieces(context)))
        rows = [row for option in command.get_params(context) if (row := option.get_help_record(context)) is not None and row[1]]
        options = "\n".join(f"| `{_cell(option)}` | {_cell(text)} |" for option, text in rows if not option.endswith("--help"))
        below = [_command(context, each, each.name or "") for each in command.commands.values()] if isinstance(command, click.Group) else []
    table = f"\n| option | |\n|---|---|\n{options}\n" if options else ""
    return "\n".join((f"## {path}\n\n```\n{usage}\n```\n\n{_prose(command.help or '')}\n{table}", *below))


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


PAGES: Final[dict[str, Callable[[], str]]] = {"cli": render_cli, "diagnostics": render_diagnostics, "metrics": render_metrics}
"""The pages by the name of their file."""


def main(names: list[str]) -> Iterator[str]:
    """Yield the text of the pages of some names."""
    for name in names:
        yield PAGES[name]()


if __name__ == "__main__":
    sys.stdout.writelines(main(sys.argv[1:]))
