"""Rows as a table, CSV, JSON or JSON lines, to stdout or atomically to a file."""

from __future__ import annotations

import io
import math
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from hdrq.errors import UsageError
from hdrq.io.rows import BY_SUFFIX, Row, plain, text_of, text_writer, written

__all__ = [
    "format_of",
    "number",
    "plain",
    "rows_to",
    "show_table",
    "styled",
    "table_printer",
    "text_of",
    "width_of",
    "write_text",
]
_BY_SUFFIX = {**BY_SUFFIX, ".txt": "table"}
# formats that cannot be written to a terminal or pipe
_WHOLE = ("parquet",)


def format_of(
    chosen: str | None, output: str | None, parquet: bool = False, more: Mapping[str, str] | None = None
) -> str:
    """The format to write: the requested one, else from the file's suffix, else by the kind of stdout.

    parquet  whether the command's rows may go to a Parquet file
    more     further formats of the command, by suffix
    """
    from hdrq.io import by_suffix

    if output and output != "-" and by_suffix(output) is not None:
        raise UsageError(
            f"{output} has the suffix of an image; write the table to .csv, .json, .jsonl or .txt"
        )
    if chosen in _WHOLE and (not output or output == "-"):
        raise UsageError(f"--format {chosen} needs -o FILE.{chosen}")
    if chosen:
        return chosen
    if output and output != "-":
        suffix = Path(output).suffix.lower()
        known = {s: f for s, f in _BY_SUFFIX.items() if parquet or f != "parquet"} | dict(more or {})
        if suffix and suffix not in known:
            *some, last = known
            raise UsageError(
                f"unknown suffix '{suffix}'; use {', '.join(some)} or {last} for {output}, or add --format"
            )
        return known.get(suffix, "csv")
    return "table" if sys.stdout.isatty() else "csv"


def number(value: float | None, digits: int = 4) -> str:
    """A number, formatted for reading."""
    if value is None:
        return "failed"
    if not math.isfinite(value):
        return {math.inf: "∞", -math.inf: "-∞"}.get(value, "NaN")
    return f"{value:.{digits}f}" if abs(value) < 1e5 else f"{value:.4g}"


def styled(*parts: tuple[str, str]) -> Any:
    """A table cell of (text, style) parts; in all other cells, brackets are text and not markup."""
    from rich.text import Text

    return Text.assemble(*parts)


def write_text(text: str, output: str | None) -> None:
    """Write to a file, atomically, or to stdout."""
    if output and output != "-":
        from hdrq.io import atomic

        with atomic(output) as part:
            part.write_text(text, encoding="utf-8", errors="surrogateescape")
    else:
        click.echo(text, nl=False)


@contextmanager
def rows_to(output: str | None, format: str, columns: Sequence[str]) -> Iterator[Callable[[Row], None]]:
    """Yield a function that adds a row to a file or stdout; all rows are written when the block ends, or none."""
    if output and output != "-":
        with written(output, format, columns) as add:
            yield add
        return
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="surrogateescape", newline="") as held:
        add, finish = text_writer(held, format, columns)
        yield add
        finish()
        held.seek(0)
        while text := held.read(1 << 20):
            click.echo(text, nl=False)


Show = Callable[..., None]
# width of a table in a file, and without a terminal, characters
_FILE, _PIPE = 200, 160


def width_of(output: str | None) -> int:
    """Width available for a table, characters."""
    if output and output != "-":
        return _FILE
    from rich.console import Console

    return Console().width if sys.stdout.isatty() else _PIPE


@contextmanager
def table_printer(output: str | None) -> Iterator[Show]:
    """Yield a function that shows a table as `show_table` does, for several tables in one file."""
    from rich.console import Console

    if output and output != "-":
        console = Console(record=True, width=_FILE, file=io.StringIO())
    else:
        console = Console(width=None if sys.stdout.isatty() else _PIPE)

    def show(
        columns: Sequence[str],
        rows: Iterable[Sequence[Any]],
        title: str = "",
        right: Sequence[str] = (),
        caption: str = "",
    ) -> None:
        console.print(_table(columns, rows, title, right, caption))

    yield show
    if output and output != "-":
        write_text(console.export_text(), output)


def _table(
    columns: Sequence[str], rows: Iterable[Sequence[Any]], title: str, right: Sequence[str], caption: str
) -> Any:
    from rich.markup import escape
    from rich.table import Table

    def shown(text: Any) -> Any:
        return escape(text.encode(errors="backslashreplace").decode()) if isinstance(text, str) else text

    table = Table(
        title=shown(title) or None, caption=shown(caption) or None, header_style="bold", title_justify="left"
    )
    for column in columns:
        table.add_column(shown(column), justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(shown, row))
    return table


def show_table(
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    title: str = "",
    right: Sequence[str] = (),
    caption: str = "",
    output: str | None = None,
) -> None:
    """A rich table on stdout (or its plain text in a file). Text is shown literally; `styled` cells keep their style."""
    with table_printer(output) as show:
        show(columns, rows, title, right, caption)
