"""hdrq table: tables of scores that were computed in parts."""

from __future__ import annotations

import click

import hdrq
from hdrq.cli import _tables
from hdrq.cli._messages import note
from hdrq.errors import UsageError


@click.group(short_help="Join the tables of shards.")
def table() -> None:
    """Work with tables that hdrq score has written."""


@table.command(short_help="Join the tables of all shards of a run.")
@click.argument("tables", nargs=-1, required=True, metavar="TABLE...")
@click.option(
    "-o", "--output", metavar="FILE", required=True, help="Table to write: .csv, .json, .jsonl or .parquet."
)
def join(tables: tuple[str, ...], output: str) -> None:
    """Join the tables that hdrq score --shard has written, in the order of the list that was divided.

    \b
    hdrq score --pairs all.csv -m hdrvdp3 --shard 3/16 -o part03.csv
    hdrq table join part*.csv -o all.csv

    A table is refused, by name, if a shard is missing, incomplete, given twice, or from another run: another version of
    hdrq, other settings, pairs or metrics. The result is the table that a single run would have written.
    """
    format = _tables.format_of(None, output, parquet=True)
    if format == "table" or output == "-":
        raise UsageError(f"{output}: use the suffix .csv, .json, .jsonl or .parquet")
    columns, rows = hdrq.join_tables(tables)
    count = 0
    with _tables.rows_to(output, format, columns) as add:
        for row in rows:
            add(row)
            count += 1
    note(f"wrote {count} rows of {len(tables)} tables to {output}")
