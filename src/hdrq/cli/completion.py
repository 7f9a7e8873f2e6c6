"""hdrq completion: the shell's Tab key."""

from __future__ import annotations

import click

_SHELLS = ["bash", "fish", "zsh"]


@click.command(short_help="Print the script that makes the shell's Tab key know hdrq.")
@click.argument("shell", type=click.Choice(_SHELLS))
def completion(shell: str) -> None:
    """Print a completion script.

    \b
    eval "$(hdrq completion bash)"   # in ~/.bashrc
    eval "$(hdrq completion zsh)"    # in ~/.zshrc
    hdrq completion fish > ~/.config/fish/completions/hdrq.fish
    """
    from click.shell_completion import get_completion_class

    from hdrq.cli.app import door

    maker = get_completion_class(shell)
    if maker is not None:
        click.echo(maker(door, {}, "hdrq", "_HDRQ_COMPLETE").source())
