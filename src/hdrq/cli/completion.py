"""hdrq completion: completion scripts for shells."""

from __future__ import annotations

import click

_SHELLS = ["bash", "fish", "zsh"]
# bash splits words at : @ and = too, which occur within the name of a metric: the words are taken from the whole line,
# and the part before the last such character is removed from the answers.
_BASH = """\
_hdrq_completion() {
    local IFS=$'\\n' line=${COMP_LINE:0:COMP_POINT} answer whole kind value
    local -a words
    IFS=$' \\t\\n' read -ra words <<< "$line"
    [[ $line == *[[:space:]] ]] && words+=("")
    whole=${words[${#words[@]}-1]}
    local before=${whole%"${whole##*[:@=]}"}
    for answer in $(COMP_WORDS="$line" COMP_CWORD=$((${#words[@]}-1)) _HDRQ_COMPLETE=bash_complete "$1"); do
        kind=${answer%%,*} value=${answer#*,}
        case $kind in
            dir) COMPREPLY=(); compopt -o dirnames;;
            file) COMPREPLY=(); compopt -o default;;
            plain) COMPREPLY+=("${value#"$before"}"); [[ $value == *[:=] || $value == *- ]] && compopt -o nospace;;
        esac
    done
}
complete -o nosort -F _hdrq_completion hdrq
"""


@click.command(short_help="Print a script for completion in the shell.")
@click.argument("shell", type=click.Choice(_SHELLS))
def completion(shell: str) -> None:
    """Print a completion script, for bash 4.4 or newer, zsh or fish.

    \b
    eval "$(hdrq completion bash)"   # in ~/.bashrc
    eval "$(hdrq completion zsh)"    # in ~/.zshrc
    hdrq completion fish > ~/.config/fish/completions/hdrq.fish
    """
    if shell == "bash":
        click.echo(_BASH, nl=False)
        return
    from click.shell_completion import get_completion_class

    from hdrq.cli.app import command_line

    maker = get_completion_class(shell)
    if maker is not None:
        click.echo(maker(command_line, {}, "hdrq", "_HDRQ_COMPLETE").source())
