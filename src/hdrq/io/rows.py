"""Tables of rows as files, written and read row by row, so that memory does not grow with their length.

A row is a mapping from column to value. CSV, JSON, JSON lines and Parquet are equivalent: reading any of
them gives the text of the CSV cells.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from hdrq.errors import FileError, MissingPart
from hdrq.io.atomic import atomic, why
from hdrq.io.remote_cache import local

Row = Mapping[str, Any]
BY_SUFFIX = {".csv": "csv", ".json": "json", ".jsonl": "jsonl", ".parquet": "parquet"}
# columns of float64, and of mappings; all others are text
NUMBERS, NESTED = ("value",), ("extra",)
# rows of a Parquet row group, and of a batch that is read
GROUP = 16384


def plain(value: Any) -> Any:
    """A value as JSON can store it; NaN and Inf become words."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    return value


def as_json(value: Any, indent: int | None = None) -> str:
    """JSON text; ASCII where it contains a file name that is not UTF-8, so that the name can be restored."""
    text = json.dumps(plain(value), indent=indent, ensure_ascii=False)
    return text if text.isascii() or encodable(text) else json.dumps(plain(value), indent=indent)


def encodable(text: str) -> bool:
    """Whether text is Unicode, rather than a file name with bytes that are not UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def cell(value: Any) -> Any:
    """A value as one CSV cell."""
    if value is None:
        return ""
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, dict):
        return as_json(value) if value else ""
    return value


def typed(row: Row) -> dict[str, Any]:
    """A row of cells with numbers (None for empty cells) and mappings restored."""
    found = dict(row)
    for name in NUMBERS:
        if isinstance(row.get(name), str):
            found[name] = float(row[name]) if row[name] else None
    for name in NESTED:
        if isinstance(row.get(name), str):
            found[name] = json.loads(row[name] or "{}")
    return found


def text_writer(
    file: IO[str], format: str, columns: Sequence[str]
) -> tuple[Callable[[Row], None], Callable[[], None]]:
    """(function that adds a row, function that finishes) for csv, json or jsonl."""
    if format == "csv":
        table = csv.DictWriter(file, columns, extrasaction="ignore", lineterminator="\n")
        table.writeheader()

        def cells(row: Row) -> None:
            table.writerow({k: cell(v) for k, v in row.items()})

        return cells, lambda: None
    if format == "jsonl":

        def line(row: Row) -> None:
            file.write(as_json(dict(row)) + "\n")

        return line, lambda: None
    count = 0

    def entry(row: Row) -> None:
        nonlocal count
        text = as_json(dict(row), indent=1)
        file.write(("," if count else "[") + "\n" + "\n".join(" " + part for part in text.splitlines()))
        count += 1

    def end() -> None:
        file.write("\n]\n" if count else "[]\n")

    return entry, end


@contextmanager
def written(path: str | Path, format: str, columns: Sequence[str]) -> Iterator[Callable[[Row], None]]:
    """Yield a function that adds a row to a new file; it replaces `path` when the block ends (see `atomic`)."""
    with atomic(path) as part:
        if format == "parquet":
            with _parquet(part, columns) as add:
                yield add
            return
        with part.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
            add, finish = text_writer(file, format, columns)
            yield add
            finish()


@contextmanager
def _parquet(path: Path, columns: Sequence[str]) -> Iterator[Callable[[Row], None]]:
    pa, pq = arrow()
    kinds = pa.schema([(name, pa.float64() if name in NUMBERS else pa.string()) for name in columns])
    waiting: list[Row] = []

    def flush() -> None:
        data = {name: [_held(name, row.get(name)) for row in waiting] for name in columns}
        file.write_table(pa.table(data, schema=kinds), row_group_size=GROUP)
        waiting.clear()

    def add(row: Row) -> None:
        waiting.append(row)
        if len(waiting) == GROUP:
            flush()

    with pq.ParquetWriter(path, kinds, compression="zstd") as file:
        yield add
        if waiting:
            flush()


def _held(name: str, value: Any) -> Any:
    """A value in the type of its Parquet column."""
    if name in NUMBERS:
        return None if value is None or value == "" else float(value)
    found = cell(value)
    return str(found).encode(errors="backslashreplace").decode()


def arrow() -> tuple[Any, Any]:
    """The modules pyarrow and pyarrow.parquet, or MissingPart."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise MissingPart(
            "Parquet needs pyarrow; pip install 'hdrq[parquet]', or write .csv or .jsonl"
        ) from error
    return pa, pq


def parquet_columns(path: str | Path) -> list[str]:
    """The names of the columns of a Parquet file."""
    with _opened(path) as file:
        names: list[str] = list(file.schema_arrow.names)
    return names


def parquet_rows(path: str | Path, columns: Sequence[str] | None = None) -> Iterator[dict[str, str]]:
    """Rows of a Parquet file as CSV cells: empty text for null, the shortest decimal form of numbers.

    columns  only these
    """
    with _opened(path) as file:
        for batch in file.iter_batches(
            batch_size=GROUP, columns=list(columns) if columns is not None else None
        ):
            names = batch.schema.names
            for values in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                yield {name: str(cell(value)) for name, value in zip(names, values, strict=True)}


def parquet_count(path: str | Path) -> int:
    """The number of rows of a Parquet file."""
    with _opened(path) as file:
        count: int = file.metadata.num_rows
    return count


@contextmanager
def _opened(path: str | Path) -> Iterator[Any]:
    pa, pq = arrow()
    try:
        with pq.ParquetFile(local(path)) as file:
            yield file
    except FileNotFoundError as error:
        raise FileError(f"{path} does not exist") from error
    except (OSError, pa.ArrowException) as error:
        reason = why(error) if isinstance(error, OSError) else " ".join(str(error).split())[:160]
        raise FileError(f"{path} cannot be read as a Parquet file: {reason}") from error


def read_rows(path: str | Path) -> Iterator[dict[str, str]]:
    """Rows of a table written by hdrq, as CSV cells; the suffix gives the format.

    raises  FileError where it cannot be read, or a row does not have the columns of the header
    """
    format, path = BY_SUFFIX.get(Path(path).suffix.lower(), "csv"), local(path)
    if format == "parquet":
        yield from parquet_rows(path)
        return
    try:
        with open(path, encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            if format == "csv":
                yield from _csv_rows(file, path)
                return
            found: Iterable[Any] = json.load(file) if format == "json" else map(json.loads, file)
            for row in found:
                yield {str(k): str(cell(v)) for k, v in row.items()}
    except OSError as error:
        raise FileError(f"{path} cannot be read: {why(error)}") from error
    except (ValueError, AttributeError, TypeError) as error:
        raise FileError(f"{path} is not a table of hdrq: {str(error)[:120]}") from error


def _csv_rows(file: IO[str], path: str | Path) -> Iterator[dict[str, str]]:
    for number, row in enumerate(reader := csv.DictReader(file), start=2):
        if None in row or None in row.values():
            raise FileError(f"{path}, line {number}: the row and the header have different numbers of cells")
        yield row
    if reader.fieldnames is None:
        raise FileError(f"{path} is empty; a table needs a header")


def text_of(rows: Iterable[Row], format: str, columns: Sequence[str]) -> str:
    """All rows as the text of a csv, json or jsonl file."""
    buffer = io.StringIO()
    add, finish = text_writer(buffer, format, columns)
    for row in rows:
        add(row)
    finish()
    return buffer.getvalue()
