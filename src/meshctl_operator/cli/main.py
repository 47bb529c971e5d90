"""The entry point of ``meshctl``: finds the verb, turns what went wrong into a message and an exit code."""

from __future__ import annotations

import gc
import importlib
import os
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Final, NamedTuple

import click

from meshctl_operator import __version__
from meshctl_operator.base.errors import MeshctlError, SettingsError
from meshctl_operator.cli.output import ExitCode, print_error


class Verb(NamedTuple):
    """Where a verb is implemented, and what it does in one line."""

    module: str
    attribute: str
    summary: str


VERBS: Final[dict[str, Verb]] = {
    "dev": Verb("dev", "dev", "Run the whole mesh of a directory on this machine."),
    "serve": Verb("serve", "serve", "Run the control plane."),
    "validate": Verb("validate", "validate", "Check config objects, each by itself."),
    "translate": Verb("translate", "translate", "Show what one proxy would be served."),
    "bootstrap": Verb("bootstrap", "bootstrap", "Print the Envoy bootstrap of a proxy."),
    "inject": Verb("inject", "inject", "Put a sidecar into the pods of manifests."),
    "uninject": Verb("inject", "uninject", "Take it out again."),
    "iptables": Verb("iptables", "iptables", "Send the traffic of a pod through its sidecar."),
    "docs": Verb("docs", "docs", "Explain a diagnostic code."),
    "version": Verb("version", "version", "Print versions."),
    "completion": Verb("completion", "completion", "Print the completion script of a shell."),
}
"""The verbs in the order of the help. Their modules are imported when they are called: start-up time is a feature."""


RESERVED: Final[dict[str, str]] = {
    "analyze": "meshctl validate checks each object by itself; meshctl translate reports references that lead nowhere",
    "check": "",
    "crds": "",
    "diff": "compare the output of two runs of meshctl translate -o yaml",
    "explain": "meshctl translate -o summary names the object that each route and cluster comes from",
    "history": "",
    "proxy-config": "meshctl translate shows what a proxy would be served; GET /debug/config_dump of meshctl serve what one holds",
    "proxy-status": "GET /debug/syncz of meshctl serve lists the proxies and what each has accepted",
    "test": "",
    "xds": "",
}
"""Verbs that are yet to come, each with what serves in their place today."""

_SHORT_NAMES: Final = {"analyse": "analyze", "pc": "proxy-config", "ps": "proxy-status"}


class LazyGroup(click.Group):
    """A group whose commands are imported when they are needed, and whose help needs none of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  (the signature of click)
        """Return the names of the verbs, in the order of the help."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  (the signature of click)
        """Import a verb."""
        verb = VERBS.get(cmd_name)
        if verb is None:
            return None
        command = getattr(_import(f"meshctl_operator.cli.{verb.module}"), verb.attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"cli.{verb.module}.{verb.attribute} is no command")
        for each in (command, *(command.commands.values() if isinstance(command, click.Group) else ())):
            if each.help:  # docstrings are raw, so click's mark of a paragraph that is not wrapped is two characters in them
                each.help = each.help.replace("\\b\n", "\b\n")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  (the signature of click)
        """Write the list of verbs without importing them."""
        with formatter.section("Verbs"):
            formatter.write_dl([(name, verb.summary) for name, verb in VERBS.items()])

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb, with a suggestion for one that does not exist."""
        name = _SHORT_NAMES.get(args[0], args[0]) if args else ""
        if name in RESERVED:
            raise SettingsError(f'"{name}" is not there yet', hint=RESERVED[name] or "meshctl --help lists the verbs")
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            import difflib

            near = difflib.get_close_matches(args[0], VERBS, 1)
            suggestion = f' Did you mean "{near[0]}"?' if near else ""
            raise click.UsageError(f'No such verb "{args[0]}".{suggestion}', ctx)
        return super().resolve_command(ctx, args)


def _import(module: str) -> ModuleType:
    """Import the module of a verb, as fast as it goes.

    What is imported lives as long as the process: the garbage collector, which looks at all of it again and again meanwhile, pauses,
    and never looks at it afterwards. Pydantic is kept from reading the metadata of every installed distribution in search of plug-ins.
    Together they save a fifth of the start-up time.
    """
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    collecting = gc.isenabled()
    gc.disable()
    try:
        return importlib.import_module(module)
    finally:
        gc.freeze()
        if collecting:
            gc.enable()


@click.group(cls=LazyGroup, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(__version__, prog_name="meshctl", message="%(prog)s %(version)s")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Serve Istio routing objects to stock Envoys: check them, translate them, run them."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``meshctl`` and return its exit code. Mistakes of the user give a message and a hint, never a traceback."""
    try:
        result = cli.main(args=None if arguments is None else list(arguments), prog_name="meshctl", standalone_mode=False)
    except click.UsageError as error:
        _usage(error)
        return ExitCode.USAGE
    except click.ClickException as error:
        print_error(error.format_message())
        return ExitCode.FAILED
    except MeshctlError as error:
        print_error(str(error), error.hint)
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return ExitCode.INTERRUPTED
    except OSError as error:
        print_error(f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}")
        return ExitCode.FAILED
    except Exception as error:
        if os.environ.get("MESHCTL_TRACEBACK"):
            raise
        print_error(f"internal error: {error!r}", "this is a defect of meshctl; MESHCTL_TRACEBACK=1 shows where it comes from")
        return ExitCode.FAILED
    return result if isinstance(result, int) else ExitCode.OK


def _usage(error: click.UsageError) -> None:
    """Say what is wrong with the command line and how it is called."""
    path = error.ctx.command_path if error.ctx is not None else "meshctl"
    print_error(error.format_message(), f"{path} --help")


if __name__ == "__main__":
    sys.exit(main())
