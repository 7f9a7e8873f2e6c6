"""The command line: the only package that uses click, rich or tqdm, prints, or turns an error into text.

A file here is a command; files that begin with _ are shared by commands. No file here imports torch or
numpy outside a function, so that `hdrq --help` is fast.

app                The group of commands, and errors as one line on stderr with an exit code
_options           Options shared by several commands
_numbers           Types of options that are numbers
_records           What the shared options say, as records of the API
_complete          Shell completion
_messages          What a command prints on stderr besides its result, and exit codes
_progress          Progress bars
_outputs           Outputs that must not replace an input or each other, and their report
_tables            Rows as a table, CSV, JSON or JSON lines
_quiet             Messages of C libraries suppressed, for the command only
_signals           SIGTERM and SIGHUP end a command as Ctrl-C does
_COMMAND_...       What one command needs besides its own file: _score_output, _evaluate_request, _merge_settings ...
"""

from hdrq.cli.app import main

__all__ = ["main"]
