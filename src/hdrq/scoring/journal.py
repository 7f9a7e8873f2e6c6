"""Rows stored as they are computed, so that an interrupted batch can be resumed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hdrq.errors import FileError
from hdrq.io.rows import as_json


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
                    except ValueError:  # torn within a line, or within a character
                        continue
        except FileNotFoundError:
            return
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
        if self._file is not None:
            self._file.close()
            self._file = None

    def discard(self) -> None:
        """The work is done and written elsewhere."""
        self.close()
        if self.path.exists():
            os.unlink(self.path)
