"""Manifests: tables of pairs with the columns dist, ref and others, read row by row."""

from __future__ import annotations

import csv
import shutil
import tempfile
import weakref
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import chain, islice
from pathlib import Path
from typing import IO

from hdrq.errors import FileError
from hdrq.io.atomic import why
from hdrq.io.remote import join, parent
from hdrq.io.remote_cache import local
from hdrq.io.rows import parquet_columns, parquet_count, parquet_rows
from hdrq.records import Pair


class Manifest(Collection[Pair]):
    """The pairs of a CSV or Parquet file. Each iteration reads the file again, so that memory does not grow with it.

    path     of the file, which may be remote
    folder   base of relative paths
    name     for messages, where it is not the path
    raises   FileError at once for a file that cannot be read, has no column `dist`, no rows or a row of wrong length
    """

    def __init__(self, path: str | Path, folder: Path | None = None, name: str | None = None) -> None:
        self.path, self.name = local(path), name or str(path)
        self.folder = parent(path) if folder is None else folder
        self.parquet = self.path.suffix.lower() == ".parquet"
        self.columns: list[str] = []
        self._count = sum(1 for _ in self)

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Pair]:
        if self.parquet:
            self.columns = [c.strip() for c in parquet_columns(self.path)]
            _checked(self.columns, parquet_count(self.path) > 0, self.name)
            rows = ({k.strip(): v for k, v in row.items()} for row in parquet_rows(self.path))
            yield from (
                _pair(row, f"{self.name}, row {n}", self.folder) for n, row in enumerate(rows, start=1)
            )
            return
        try:
            with open(self.path, newline="", encoding="utf-8-sig") as lines:
                yield from read_manifest(lines, self.name, self.folder, self.columns)
        except csv.Error as error:
            raise FileError(f"{self.name} is not a table: {error}") from error
        except (OSError, UnicodeDecodeError) as error:
            reason = why(error) if isinstance(error, OSError) else "it is not UTF-8 text"
            raise FileError(f"{self.name} cannot be read: {reason}") from error

    def __contains__(self, pair: object) -> bool:
        return any(p == pair for p in self)

    @property
    def carried(self) -> list[str]:
        """The columns besides dist and ref."""
        return [c for c in self.columns if c not in ("dist", "ref")]


def spooled(stream: IO[str], name: str) -> Manifest:
    """The manifest of a stream that can be read once; its rows are kept in a temporary file as long as it exists."""
    home = tempfile.mkdtemp(prefix="hdrq-")
    path = Path(home) / "manifest.csv"
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            shutil.copyfileobj(stream, file)
        manifest = Manifest(path, Path(), name)
    except BaseException:
        shutil.rmtree(home, ignore_errors=True)
        raise
    weakref.finalize(manifest, shutil.rmtree, home, True)
    return manifest


def read_manifest(
    lines: Iterable[str], name: str, folder: str | Path, columns: list[str] | None = None
) -> Iterator[Pair]:
    """Pairs of a CSV with the columns dist, ref and any others, which are kept in the pairs.

    folder   base of relative paths
    columns  is set to the names of the columns
    """
    # standard input keeps the byte order mark, which programs for tables write before the header
    rest = iter(lines)
    opening = (line.removeprefix("\ufeff") for line in islice(rest, 1))
    reader = csv.DictReader(chain(opening, rest))
    header = [c.strip() for c in reader.fieldnames or ()]
    reader.fieldnames = header
    if columns is not None:
        columns[:] = header
    first = list(islice(reader, 1))
    _checked(header, bool(first), name)
    for number, row in enumerate(chain(first, reader), start=2):
        if None in row or any(v is None for v in row.values()):
            raise FileError(f"{name}, line {number}: the row and the header have different numbers of cells")
        yield _pair(row, f"{name}, line {number}", folder)


def _checked(header: list[str], rows: bool, name: str) -> None:
    if "dist" not in header:
        raise FileError(f"{name} needs a column 'dist' (and 'ref'); it has {', '.join(header) or 'nothing'}")
    if not rows:
        raise FileError(f"{name} has no rows below its header")


def _pair(row: Mapping[str, str], where: str, folder: str | Path) -> Pair:
    dist, ref = row["dist"].strip(), (row.get("ref") or "").strip()
    if not dist:
        raise FileError(f"{where}: 'dist' is empty")
    carried = {k: v for k, v in row.items() if k not in ("ref", "dist")}
    return Pair(dist=join(folder, dist), ref=join(folder, ref) if ref else None, carried=carried)
