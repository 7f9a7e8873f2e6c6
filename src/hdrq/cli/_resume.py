"""Rows that are there already: in the output of an earlier run, and in the journal of an interrupted one."""

from __future__ import annotations

import csv
import hashlib
import json
import tempfile
from dataclasses import astuple
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hdrq.cli import tables as _tables
from hdrq.errors import FileError, UsageError

if TYPE_CHECKING:
    from hdrq.encoding.photometry import Photometry
    from hdrq.scoring.batch import Settings

Key = tuple[str, str, str]  # reference, test image, metric


def mark_of(photometry: Photometry, settings: Settings) -> str:
    """Eight hex digits of everything besides files and metric that a value depends on."""
    import hdrq

    parts = (hdrq.__version__, astuple(photometry), settings.match_response, settings.layer, settings.view)
    return hashlib.sha256(repr((*parts, str(settings.dtype))).encode()).hexdigest()[:8]


class Kept:
    """Earlier rows by their key, and the journal that keeps new ones while the work goes on.

    mark  of everything besides files and metric that a value depends on; rows with another are not kept
    """

    def __init__(self, output: str | None, resume: bool, mark: str) -> None:
        from hdrq.scoring.journal import Journal

        self.rows: dict[Key, dict[str, Any]] = {}
        self.earlier: list[dict[str, Any]] = []
        self.journal = Journal(Path(f"{output}.part")) if output and output != "-" else None
        if self.journal is None:
            if resume:
                raise UsageError("--resume needs -o FILE, where the earlier rows are")
            return
        found = list(self.journal.rows())
        if found and not resume:
            raise UsageError(
                f"{self.journal.path} holds {len(found)} rows of an interrupted run; add --resume to go on, or remove it"
            )
        if resume:
            self.earlier = [*_read_back(Path(str(output))), *found]
            for row in self.earlier:
                whole = row.get("settings") == mark and row.get("status") == "ok"
                if whole and unchanged(row.get("files") or "", row["ref"], row["dist"]):
                    self.rows[_key(row)] = row

    def add(self, row: dict[str, Any]) -> None:
        if self.journal is not None:
            self.journal.add(_tables.plain(row))

    def merged(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Every earlier row, replaced where this run has one of the same files and metric, then the new ones."""
        table = {_key(row): row for row in self.earlier}
        table.update({_key(row): row for row in rows})
        return list(table.values())

    def done(self) -> None:
        if self.journal is not None:
            self.journal.discard()


def _key(row: dict[str, Any]) -> Key:
    return str(row.get("ref") or ""), str(row.get("dist") or ""), str(row.get("metric") or "")


def stamp(path: str) -> str:
    """Size, time and hash of a file (of a folder: of the list of its files); "" where there is none."""
    file = Path(path)
    try:
        if file.is_dir():
            listed = [(p.name, p.stat().st_size, p.stat().st_mtime_ns) for p in sorted(file.rglob("*"))]
            return "0-0-" + hashlib.sha256(repr(listed).encode()).hexdigest()[:16]
        info = file.stat()
        with file.open("rb") as f:
            content = hashlib.file_digest(f, "sha256").hexdigest()[:16]
    except OSError:
        return ""
    return f"{info.st_size}-{info.st_mtime_ns}-{content}"


def files_of(ref: str, dist: str) -> str:
    """What a row remembers of its files."""
    return " ".join(stamp(p) for p in (ref, dist) if p)


def unchanged(remembered: str, ref: str, dist: str) -> bool:
    """Whether the files are those that a row was computed from: same size and time, or same content."""
    parts, paths = remembered.split(), [p for p in (ref, dist) if p]
    if len(parts) != len(paths):
        return False
    return all(_same(part, path) for part, path in zip(parts, paths, strict=True))


def _same(remembered: str, path: str) -> bool:
    size, time, content = [*remembered.split("-"), "", ""][:3]
    try:
        info = Path(path).stat()
    except OSError:
        return False
    if not Path(path).is_dir() and (str(info.st_size), str(info.st_mtime_ns)) == (size, time):
        return True
    return stamp(path).rpartition("-")[2] == content


def refuse_unwritable(output: str | None, folder: str | None) -> None:
    """Raise before the first score where the table or the maps could not be written after the last one."""
    for path, place in ((output, Path(output or ".").parent), (folder, Path(folder or "."))):
        if not path or path == "-":
            continue
        if path == output and Path(path).is_dir():
            raise FileError(f"{path} is a folder; name a file in it")
        try:
            if path == folder:
                place.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=place, prefix=".hdrq-"):
                pass
        except OSError as error:
            raise FileError(f"{path} cannot be written: {error.strerror}; choose another place") from error


def _read_back(path: Path) -> list[dict[str, Any]]:
    """Rows of an earlier output, with numbers as numbers."""
    if not path.exists():
        return []
    try:
        text = path.read_text(encoding="utf-8")
        rows: list[dict[str, Any]]
        if path.suffix == ".json":
            rows = json.loads(text)
        elif path.suffix == ".jsonl":
            rows = [json.loads(line) for line in text.splitlines()]
        else:
            rows = list(csv.DictReader(text.splitlines()))
            for row in rows:
                row["extra"] = json.loads(row.get("extra") or "{}")
    except (OSError, ValueError) as error:
        raise FileError(f"{path} is not an earlier output of hdrq score; write to another file") from error
    return rows
