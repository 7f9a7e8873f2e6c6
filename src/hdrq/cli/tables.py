"""Rows to a table, CSV, JSON or JSON lines; to stdout or to a file that is whole or not there."""

from __future__ import annotations

import csv
import io
import json
import math
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import click

from hdrq.errors import UsageError

Row = dict[str, Any]
_BY_SUFFIX = {".csv": "csv", ".json": "json", ".jsonl": "jsonl", ".txt": "table"}


def format_of(asked: str | None, output: str | None) -> str:
    """The format to write: the one asked for, else by the file's suffix, else by where stdout goes."""
    if asked:
        return asked
    if output and output != "-":
        suffix = Path(output).suffix.lower()
        if suffix and suffix not in _BY_SUFFIX:
            raise UsageError(
                f"no format goes with '{suffix}'; end {output} in .csv, .json, .jsonl or .txt, or add --format"
            )
        return _BY_SUFFIX.get(suffix, "csv")
    return "table" if sys.stdout.isatty() else "csv"


def number(value: float | None, digits: int = 4) -> str:
    """A number for people."""
    if value is None:
        return "failed"
    if not math.isfinite(value):
        return {math.inf: "∞", -math.inf: "-∞"}.get(value, "NaN")
    return f"{value:.{digits}f}" if abs(value) < 1e5 else f"{value:.4g}"


def styled(*parts: tuple[str, str]) -> Any:
    """A table cell of (text, style) parts; in all others, brackets are text and not markup."""
    from rich.text import Text

    return Text.assemble(*parts)


def plain(value: Any) -> Any:
    """A value as JSON can hold it: no NaN or Inf, which become words."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    return value


def text_of(rows: Sequence[Row], format: str, columns: Sequence[str]) -> str:
    """All rows as the text of a file."""
    if format == "json":
        return json.dumps([plain(r) for r in rows], indent=1, ensure_ascii=False) + "\n"
    if format == "jsonl":
        return "".join(json.dumps(plain(r), ensure_ascii=False) + "\n" for r in rows)
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows({k: cell(v) for k, v in row.items()} for row in rows)
    return buffer.getvalue()


def cell(value: Any) -> Any:
    """A value as one CSV cell."""
    if value is None:
        return ""
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, dict):
        return json.dumps(plain(value), ensure_ascii=False) if value else ""
    return value


def write_text(text: str, output: str | None) -> None:
    """To a file, atomically, or to stdout."""
    if output and output != "-":
        from hdrq.io import atomic

        with atomic(output) as part:
            part.write_text(text, encoding="utf-8")
    else:
        click.echo(text, nl=False)


def show_table(
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    title: str = "",
    right: Sequence[str] = (),
    caption: str = "",
    output: str | None = None,
) -> None:
    """A rich table on stdout (or its plain text in a file). Text is shown as it is; `styled` cells keep their style."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    def shown(text: Any) -> Any:
        return escape(text) if isinstance(text, str) else text

    table = Table(
        title=shown(title) or None, caption=shown(caption) or None, header_style="bold", title_justify="left"
    )
    for column in columns:
        table.add_column(shown(column), justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(shown, row))
    if output and output != "-":
        console = Console(record=True, width=200, file=io.StringIO())
        console.print(table)
        write_text(console.export_text(), output)
    else:
        wide = None if sys.stdout.isatty() else 160
        Console(width=wide).print(table)
