"""Resumption of interrupted batches: rows stored as they are computed, rows of an earlier run, and stamps, by which files are
recognised as unchanged.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Iterator, Set
from dataclasses import astuple
from functools import lru_cache
from pathlib import Path
from typing import Any

from hdrq.encoding.photometry import Photometry
from hdrq.errors import FileError, HdrqError, UsageError
from hdrq.io.folders import files_below
from hdrq.io.remote import address_of, exists, version_of
from hdrq.io.remote_cache import journal_of, local
from hdrq.io.rows import as_json, plain, read_rows, typed
from hdrq.scoring.batch import Settings

# reference, test image, metric
Key = tuple[str, str, str]
# origin of a row
_TABLE, _NEW, _JOURNAL = 0, 1, 2


def stamp(path: str) -> str:
    """Size, time and hash of a file (for a folder: of the list of its files); "" where it cannot be read."""
    if address_of(path) is not None:
        try:
            return version_of(path)
        except FileError:
            return ""
    file = Path(path)
    try:
        if file.is_dir():
            listed = [(p.name, (i := p.stat()).st_size, i.st_mtime_ns) for p in files_below(file)]
            return "0-0-" + hashlib.sha256(repr(listed).encode()).hexdigest()[:16]
        info = file.stat()
        with file.open("rb") as f:
            content = hashlib.file_digest(f, "sha256").hexdigest()[:16]
    except (OSError, FileError):
        return ""
    return f"{info.st_size}-{info.st_mtime_ns}-{content}"


class Stamps:
    """Stamps of pairs; those of the previous pair are cached, because its rows follow each other."""

    def __init__(self) -> None:
        self._latest: dict[str, str] = {}

    def of(self, ref: str, dist: str) -> str:
        """The stamps of a row's files."""
        paths = [p for p in (ref, dist) if p]
        self._latest = {p: self._latest.get(p) or stamp(p) for p in paths}
        return " ".join(self._latest[p] for p in paths)


def unchanged(remembered: str, ref: str, dist: str) -> bool:
    """Whether the files are those that a row was computed from: same size and time, or same content."""
    parts, paths = remembered.split(), [p for p in (ref, dist) if p]
    if len(parts) != len(paths):
        return False
    return all(_same(part, path) for part, path in zip(parts, paths, strict=True))


def _same(remembered: str, path: str) -> bool:
    if address_of(path) is not None:
        return bool(remembered) and stamp(path) == remembered
    size, time, content = [*remembered.split("-"), "", ""][:3]
    try:
        info = Path(path).stat()
    except OSError:
        return False
    if not Path(path).is_dir() and (str(info.st_size), str(info.st_mtime_ns)) == (size, time):
        return True
    return stamp(path).rpartition("-")[2] == content


class Journal:
    """One JSON object a line, appended and flushed. A torn last line (a kill while writing) is ignored."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: Any = None

    def rows(self) -> Iterator[dict[str, Any]]:
        """What was kept so far."""
        try:
            with self.path.open("rb") as lines:
                for line in lines:
                    try:
                        yield json.loads(line)
                    # torn within a line, or within a character
                    except ValueError:
                        continue
        except FileNotFoundError:
            return
        except NotADirectoryError as error:
            raise FileError(f"{self.path.parent} is a file, not a folder; name another output") from error
        except OSError as error:
            raise FileError(
                f"{self.path} cannot be read; remove it to start from the beginning ({error})"
            ) from error

    def add(self, row: dict[str, Any]) -> None:
        """Keep a row; it survives a kill from here on."""
        try:
            if self._file is None:
                self._open()
            self._file.write(as_json(row) + "\n")
            self._file.flush()
        except OSError as error:
            raise FileError(f"{self.path} cannot be written: {error.strerror}") from error

    def _open(self) -> None:
        torn = False
        if self.path.exists() and self.path.stat().st_size > 0:
            with self.path.open("rb") as file:
                file.seek(-1, os.SEEK_END)
                torn = file.read() != b"\n"
        self._file = self.path.open("a", encoding="utf-8")
        if torn:
            self._file.write("\n")

    def close(self) -> None:
        """Close the file; it stays for a later resumption."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def discard(self) -> None:
        """The work is done and written elsewhere."""
        self.close()
        if self.path.exists():
            os.unlink(self.path)


@lru_cache(256)
def mark_of(photometry: Photometry, settings: Settings) -> str:
    """Eight hexadecimal digits of everything that a value depends on besides files and metric."""
    import hdrq

    chosen = (settings.select, settings.select_ref, settings.select_dist)
    parts = (hdrq.__version__, astuple(photometry), settings.match_response, chosen)
    return hashlib.sha256(repr((*parts, str(settings.dtype))).encode()).hexdigest()[:8]


class EarlierRows:
    """Earlier rows by pair and metric, and the journal that stores new ones.

    Earlier rows are in a temporary SQLite database, which is in memory while it is small and on disk when it grows.
    A row of an earlier table keeps its position; rows of an interrupted run are moved to the positions of this run's rows.
    """

    def __init__(self, output: str | None, resume: bool) -> None:
        url = address_of(output)
        place = journal_of(url) if url is not None else Path(f"{output}.part")
        self.journal = Journal(place) if output and output != "-" else None
        self.columns: dict[str, None] = {}
        self._rows: sqlite3.Connection | None = None
        if self.journal is None:
            if resume:
                raise UsageError("--resume needs -o FILE, where the earlier rows are")
            return
        if not resume:
            if count := sum(1 for _ in self.journal.rows()):
                raise UsageError(
                    f"{self.journal.path} holds {count} rows of an unfinished run; add --resume, or remove it if no run writes it"
                )
            return
        # a temporary database of this process
        self._rows = sqlite3.connect("")
        self._rows.execute(
            "CREATE TABLE rows (number INTEGER PRIMARY KEY, ref, dist, metric, settings, whole, source, taken, row)"
        )
        self._rows.execute("CREATE INDEX by_key ON rows (ref, dist, metric)")
        for row in _read_back(str(output)):
            self._insert(row, _TABLE)
        stored: set[int] = set()
        for row in self.journal.rows():
            # of a process that ended after it had written its table and before it removed the journal
            if (number := self._stored_number(row, stored)) is not None:
                stored.add(number)
            else:
                self._insert(row, _JOURNAL)
        table = f"SELECT 1 FROM rows WHERE source = {_TABLE} LIMIT 1"
        self.in_place = self._rows.execute(table).fetchone() is not None

    @property
    def _database(self) -> sqlite3.Connection:
        if self._rows is None:
            raise RuntimeError("no earlier rows were requested")
        return self._rows

    # whether there is an earlier table, in which rows keep their positions
    in_place = False

    def _insert(self, row: dict[str, Any], source: int, taken: bool = False) -> None:
        self.columns.update(dict.fromkeys(row))
        found = (*_key(row), row.get("settings"), row.get("status") == "ok", source, taken, _text(row))
        names = "ref, dist, metric, settings, whole, source, taken, row"
        self._database.execute(f"INSERT INTO rows ({names}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", found)

    def _stored_number(self, row: dict[str, Any], stored: Set[int]) -> int | None:
        """Number of a row of the earlier table that is this one, other than those in `stored`."""
        query = "SELECT number, row FROM rows WHERE ref = ? AND dist = ? AND metric = ? AND settings IS ? AND whole = ?"
        key = (*_key(row), row.get("settings"), row.get("status") == "ok")
        for number, text in self._database.execute(f"{query} AND source = {_TABLE} ORDER BY number", key):
            if number not in stored and (json.loads(text).get("files") or "") == (row.get("files") or ""):
                return int(number)
        return None

    def claim(self, ref: str, dist: str, metric: str, mark: str) -> tuple[int | None, int | None]:
        """(position in the earlier table, number of a reusable row) for a pair and metric; None where there is none.

        Each is returned once, so that a pair that is listed twice has two rows.

        mark  of everything that a value depends on besides files and metric; rows with another mark are not reused
        """
        if self._rows is None:
            return None, None
        place, again = None, None
        query = (
            "SELECT number, source, whole AND settings = ?, row FROM rows "
            "WHERE ref = ? AND dist = ? AND metric = ? AND NOT taken ORDER BY number"
        )
        for number, source, same, text in self._database.execute(
            query, (mark, _name(ref), _name(dist), metric)
        ).fetchall():
            used = False
            if again is None and same and unchanged(json.loads(text).get("files") or "", ref, dist):
                again, used = number, True
            if place is None and source == _TABLE:
                place, used = number, True
            if used:
                self._database.execute("UPDATE rows SET taken = 1 WHERE number = ?", (number,))
        return place, again

    def row(self, number: int) -> dict[str, Any]:
        """The row that `claim` returned."""
        (text,) = self._database.execute("SELECT row FROM rows WHERE number = ?", (number,)).fetchone()
        return typed(json.loads(text))

    def add(self, row: dict[str, Any]) -> None:
        """Store a new row so that it survives the end of this process."""
        if self.journal is not None:
            self.journal.add(plain(row))

    def put(self, place: int | None, row: dict[str, Any]) -> None:
        """A finished row, at its position in the earlier table or after it."""
        if place is None:
            self._insert(row, _NEW, taken=True)
        else:
            self._database.execute("UPDATE rows SET row = ? WHERE number = ?", (_text(row), place))

    def rest(self) -> Iterator[dict[str, Any]]:
        """The other rows of the table: the earlier table with its changes, new rows, and
        rows of an interrupted run that this one did not request."""
        if self._rows is None:
            return
        wanted = "SELECT row FROM rows WHERE source = ? AND (source != ? OR NOT taken) ORDER BY number"
        for source in (_TABLE, _NEW, _JOURNAL):
            for (text,) in self._database.execute(wanted, (source, _JOURNAL)):
                yield typed(json.loads(text))

    def done(self) -> None:
        """Every row is in the output: remove the journal."""
        if self.journal is not None:
            self.journal.discard()


def _key(row: dict[str, Any]) -> Key:
    ref, dist, metric = (_name(str(row.get(part) or "")) for part in ("ref", "dist", "metric"))
    return ref, dist, metric


def _name(text: str) -> str:
    """A file name in the form that the database can store, also where it is not UTF-8."""
    return text.encode(errors="backslashreplace").decode()


def _text(row: dict[str, Any]) -> str:
    return as_json(row)


def _read_back(path: str) -> Iterator[dict[str, Any]]:
    """Rows of an earlier output."""
    if not exists(path):
        return
    try:
        for row in read_rows(local(path)):
            yield typed(row)
    except (HdrqError, ValueError) as error:
        raise FileError(f"{path} is not an earlier output of hdrq score; write to another file") from error
