"""What folders hold. One that cannot be read is an error, and not an empty one: its files would be left out unsaid."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from hdrq.errors import FileError


def files_below(folder: Path) -> list[Path]:
    """Every file below a folder, sorted by path; hidden folders are not entered. Linked folders are, as linked files are
    read, but not one that links to a folder that it is in. A link to nothing is listed too, so that who reads it says so.

    FileError names a folder that cannot be listed.
    """
    try:
        return sorted(
            (p for p in _walked(folder) if p.is_file() or (p.is_symlink() and not p.exists())),
            key=lambda p: p.parts,
        )
    except OSError as error:
        raise FileError(_unlisted(error, folder)) from error


def names_in(folder: Path) -> list[str]:
    """Names in a folder, sorted; none where there is no such folder. FileError where it cannot be listed."""
    try:
        return sorted(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise FileError(_unlisted(error, folder)) from error


def _walked(folder: Path) -> Iterator[Path]:
    def refuse(error: OSError) -> None:
        raise error

    for place, folders, files in os.walk(folder, onerror=refuse, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".") and not _around(Path(place, name))]
        yield from (Path(place, name) for name in files)


def _around(folder: Path) -> bool:
    """Whether a folder is a link to a folder that it is in, so that entering it would never end."""
    if not folder.is_symlink():
        return False
    target = folder.resolve()
    return any(outer.resolve() == target for outer in (*folder.parents, *folder.parent.resolve().parents))


def _unlisted(error: OSError, folder: Path) -> str:
    return f"{error.filename or folder} cannot be listed: {error.strerror}"
