"""Rows that are there already: in the output of an earlier run, and in the journal of an interrupted one."""

from __future__ import annotations

import csv
import hashlib
import json
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
            for row in [*_read_back(Path(str(output))), *found]:
                if row.get("settings") == mark and row.get("status") == "ok":
                    self.rows[(row["ref"], row["dist"], row["metric"])] = row

    def add(self, row: dict[str, Any]) -> None:
        if self.journal is not None:
            self.journal.add(_tables.plain(row))

    def done(self) -> None:
        if self.journal is not None:
            self.journal.discard()


def _read_back(path: Path) -> list[dict[str, Any]]:
    """Rows of an earlier output, with numbers as numbers."""
    if not path.exists():
        return []
    try:
        text = path.read_text(encoding="utf-8")
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
