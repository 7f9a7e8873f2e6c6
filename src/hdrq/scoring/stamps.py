"""Stamps of files, to recognise whether a row was computed from the same files."""

from __future__ import annotations

import hashlib
from pathlib import Path

from hdrq.errors import FileError
from hdrq.io.folders import files_below
from hdrq.io.remote import address_of, version_of


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
