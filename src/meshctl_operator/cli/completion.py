"""``meshctl completion``: the script that a shell needs to complete verbs and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    r"""Print the completion script of a shell.

    \b
      bash:  eval "$(meshctl completion bash)"            in ~/.bashrc
      zsh:   eval "$(meshctl completion zsh)"             in ~/.zshrc
      fish:  meshctl completion fish > ~/.config/fish/completions/meshctl.fish
    """
    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f'no completion for shell "{shell}"', ctx)
    click.echo(kind(ctx.find_root().command, {}, "meshctl", "_MESHCTL_COMPLETE").source())
