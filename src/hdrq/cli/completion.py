"""hdrq completion: completion scripts for shells."""

from __future__ import annotations

import click

# Each script takes what hdrq answers to Tab, and names of files where it answers nothing, as for the images of a command.
#
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
    COMPREPLY=()
    for answer in $(COMP_WORDS="$line" COMP_CWORD=$((${#words[@]}-1)) _HDRQ_COMPLETE=bash_complete "$1"); do
        kind=${answer%%,*} value=${answer#*,}
        case $kind in
            dir) compopt -o dirnames +o default;;
            plain) COMPREPLY+=("${value#"$before"}"); [[ $value == *[:=] || $value == *- ]] && compopt -o nospace;;
        esac
    done
}
complete -o default -o nosort -F _hdrq_completion hdrq
"""
# Answers are three lines each: kind, value, help or _. What stands before the = of --option=value is left as it is.
_ZSH = """\
#compdef hdrq
_hdrq_completion() {
    local -a response described plain joined
    local kind value help before line="${words[*]}" place=$((CURRENT-1))
    response=("${(@f)$(COMP_WORDS="$line" COMP_CWORD=$place _HDRQ_COMPLETE=zsh_complete hdrq)}")
    [[ $PREFIX == --*=* ]] && before=${PREFIX%%=*}=
    for kind value help in "${response[@]}"; do
        case $kind in
            dir) _path_files -/; return;;
            plain)
                if [[ $help != _ ]]; then described+=("$value:$help")
                elif [[ $value == *[:=-] ]]; then joined+=("$before$value")
                else plain+=("$before$value")
                fi;;
        esac
    done
    if (( ! ${#described} && ! ${#plain} && ! ${#joined} )); then
        [[ -n $before ]] && compset -P '*='
        _files
        return
    fi
    (( ${#described} )) && _describe -V unsorted described -U
    (( ${#plain} )) && compadd -U -V unsorted -a plain
    (( ${#joined} )) && compadd -U -V unsorted -S '' -a joined
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _hdrq_completion "$@"
else
    compdef _hdrq_completion hdrq
fi
"""
# Answers are kind,value with a tab and the help behind them where there is one.
_FISH = """\
function _hdrq_completion
    set -l token (commandline -ct)
    set -l before (string match -r -- '^--[^=]*=' $token)
    set -l response (env _HDRQ_COMPLETE=fish_complete COMP_WORDS=(commandline -cp) COMP_CWORD=$token hdrq)
    if test -z "$response"
        __fish_complete_path (string replace -- "$before" '' $token) | string replace -r -- '^' "$before"
        return
    end
    for answer in $response
        set -l parts (string split -m 1 , -- $answer)
        switch $parts[1]
            case dir
                __fish_complete_directories $token
            case file
                __fish_complete_path $token
            case plain
                printf '%s\\n' "$before$parts[2]"
        end
    end
end
complete --no-files --command hdrq --arguments "(_hdrq_completion)"
"""
_SCRIPTS = {"bash": _BASH, "fish": _FISH, "zsh": _ZSH}


@click.command(short_help="Print a script for completion in the shell.")
@click.argument("shell", type=click.Choice([*_SCRIPTS]))
def completion(shell: str) -> None:
    """Print a completion script, for bash 4.4 or newer, zsh or fish.

    \b
    eval "$(hdrq completion bash)"   # in ~/.bashrc
    eval "$(hdrq completion zsh)"    # in ~/.zshrc
    hdrq completion fish > ~/.config/fish/completions/hdrq.fish
    """
    click.echo(_SCRIPTS[shell], nl=False)
