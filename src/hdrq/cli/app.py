"""The group of commands, and the handling of errors: one line on stderr and an exit code."""

from __future__ import annotations

import difflib
import errno
import os
import re
import sys
import traceback
from contextlib import suppress
from typing import Any

import click

import hdrq
from hdrq import process
from hdrq.cli._messages import INTERRUPTED, NOTHING_DONE, USAGE, say
from hdrq.cli._quiet import names_as_bytes, quiet_codecs
from hdrq.cli._signals import ended_by_signals
from hdrq.errors import HdrqError, UsageError
from hdrq.registry import find, names


class CommandGroup(click.Group):
    """Commands are the files of this folder, imported when they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(names("command"))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in names("command"):
            return None
        command: click.Command = find("command", cmd_name)
        return _completed(command)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[Any, Any, list[str]]:
        if args and args[0] not in names("command"):
            near = difflib.get_close_matches(args[0], names("command"), n=2)
            hint = (
                f"did you mean {' or '.join(near)}?"
                if near
                else f"commands are {', '.join(names('command'))}"
            )
            raise click.UsageError(f"unknown command '{args[0]}'; {hint}", ctx)
        process.one_blas_thread()
        process.keep_freed_memory()
        return super().resolve_command(ctx, args)


def _completed(command: click.Command) -> click.Command:
    """The command, or all commands of a group, with the option --quiet, and with a check of the outputs."""
    from hdrq.cli._options import quiet_option
    from hdrq.cli._outputs import guarded

    if isinstance(command, click.Group):
        for below in command.commands.values():
            _completed(below)
        return command
    if all(param.name != "quiet" for param in command.params):
        quiet_option(command)
    guarded(command)
    return command


@click.group(
    cls=CommandGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Add --debug to any command to see where an error comes from.",
)
@click.version_option(hdrq.__version__, prog_name="hdrq")
def command_line() -> None:
    """Quality assessment of high-dynamic-range images: scoring, tone mapping, merging, evaluation, training."""


def main(argv: list[str] | None = None) -> None:
    """Run the command line and exit with its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in arguments or bool(os.environ.get("HDRQ_DEBUG"))
    arguments = [a for a in arguments if a != "--debug"]
    process.spare_imports()
    process.open_standard_streams()
    with ended_by_signals() as received:
        try:
            with names_as_bytes(), quiet_codecs():
                _refuse_empty(arguments)
                code = command_line.main(arguments, prog_name="hdrq", standalone_mode=False)
                sys.stdout.flush()
        except BaseException as error:
            # stderr is gone with its terminal
            with suppress(OSError):
                code = NOTHING_DONE
                if debug and not isinstance(error, click.exceptions.Exit):
                    traceback.print_exc()
                code = _explain(error)
            if received:
                code = 128 + received[0]
    sys.exit(code if isinstance(code, int) else 0)


def _refuse_empty(arguments: list[str]) -> None:
    """Raise where an argument is empty, as from an unset shell variable."""
    for before, argument in zip(["", *arguments], arguments, strict=False):
        named = re.fullmatch(r"(--[\w-]+)=\s*", argument)
        if named or not argument.strip():
            option = named[1] if named else before if before.startswith("-") else "an argument"
            raise UsageError(f"{option} is empty; give it a value, or leave it out")


def _explain(error: BaseException) -> int:
    """Print an error in one line; returns the exit code."""
    if isinstance(error, click.exceptions.Exit):
        return error.exit_code
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else NOTHING_DONE
    if isinstance(error, (click.Abort, KeyboardInterrupt)):
        say("hdrq: interrupted")
        return INTERRUPTED
    if isinstance(error, click.ClickException):
        if isinstance(error, click.exceptions.NoArgsIsHelpError):
            error.show()
            return USAGE
        where = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "hdrq"
        say(f"{where}: {_one_line(error.format_message())}; see: {where} --help")
        return USAGE
    if isinstance(error, HdrqError):
        say(f"hdrq: {_one_line(str(error))}")
        return USAGE if isinstance(error, UsageError) else NOTHING_DONE
    if isinstance(error, BrokenPipeError):
        # the reader closed the pipe: end without an error
        _leave_unwritten()
        return NOTHING_DONE
    if isinstance(error, OSError) and error.errno == errno.EBADF and not error.filename:
        _leave_unwritten()
        say("hdrq: standard output is closed; open it, or write to a file with -o")
        return NOTHING_DONE
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        say(
            f"hdrq: {error.filename or 'output'}: {error.strerror}; free disk space or write to another place"
        )
        return NOTHING_DONE
    if isinstance(error, OSError) and error.filename and error.strerror:
        name = os.fsdecode(error.filename)
        shown = name if len(name) < 200 else f"{name[:60]}...{name[-40:]}"
        say(f"hdrq: {shown}: {error.strerror}; choose another file or folder")
        return NOTHING_DONE
    if isinstance(error, MemoryError):
        say("hdrq: out of memory; use smaller images or fewer --jobs")
        return NOTHING_DONE
    say(
        f"hdrq: internal error: {type(error).__name__}: {_one_line(str(error))}; please report it with --debug's output"
    )
    return NOTHING_DONE


def _leave_unwritten() -> None:
    """Let Python's last flush of standard output, which cannot be written to, succeed."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _one_line(text: str) -> str:
    return " ".join(text.split()).rstrip(".")
