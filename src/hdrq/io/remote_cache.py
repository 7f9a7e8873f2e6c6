"""Copies of remote files on this machine: a cache of bounded size, and the journals of remote tables.

$HDRQ_CACHE is its folder, $HDRQ_CACHE_GIB its size.
"""

from __future__ import annotations

import hashlib
import os
import time
from contextlib import suppress
from pathlib import Path

from hdrq.errors import FileError, TooLarge, UsageError
from hdrq.io.atomic import atomic
from hdrq.io.remote import address_of, explained, info_of, name_of, system_of

# bytes copied at a time
_BLOCK = 1 << 20
# seconds after its last use in which a file is not removed from the cache
_IN_USE = 60.0
# bytes in each cache folder, as far as this process knows
_held: dict[Path, int] = {}


def local(path: str | Path) -> Path:
    """The file itself, or the copy in the cache of a remote one; its name is kept.

    The copy is fetched when it is not there or the remote file has changed, and not trusted more than any file.
    raises  FileError where it cannot be fetched whole, TooLarge where it exceeds the cache ($HDRQ_CACHE_GIB)
    """
    url = address_of(path)
    if url is None:
        return Path(path)
    limit = _limit()
    with explained(url, "read"):
        size, version, kind = info_of(url)
        if kind == "directory":
            raise FileError(f"{url} is a folder; name a file in it")
        home = _cache() / "files"
        file = home / hashlib.sha256(f"{url} {size} {version}".encode()).hexdigest()[:32] / name_of(url)
        if file.exists():
            os.utime(file)
            return file
        if size is not None and size > limit:
            raise TooLarge(
                f"{url} has {size / 2**30:.1f} GiB, and the cache holds {limit / 2**30:.1f}; raise HDRQ_CACHE_GIB"
            )
        file.parent.mkdir(parents=True, exist_ok=True)
        _make_room(home, size or 0, limit)
        count = _fetched(url, file, size, limit)
    _held[home] = _held.get(home, 0) + count
    return file


def _fetched(url: str, file: Path, size: int | None, limit: int) -> int:
    system, place = system_of(url)
    count = 0
    with atomic(file) as part, system.open(place, "rb") as source, part.open("wb") as copy:
        while block := source.read(_BLOCK):
            count += len(block)
            if count > limit:
                raise TooLarge(
                    f"{url} is larger than the cache of {limit / 2**30:.1f} GiB; raise HDRQ_CACHE_GIB"
                )
            copy.write(block)
        if size is not None and count != size:
            raise FileError(f"{url} ended after {count} of {size} bytes; it may be changing, try again")
    return count


def journal_of(url: str) -> Path:
    """Where rows for a remote table are kept on this machine while they are made."""
    home = _cache() / "journals"
    home.mkdir(parents=True, exist_ok=True)
    return home / f"{hashlib.sha256(url.encode()).hexdigest()[:16]}-{name_of(url)}.part"


def _cache() -> Path:
    given = os.environ.get("HDRQ_CACHE")
    return Path(given) if given else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hdrq"


def _limit() -> int:
    text = os.environ.get("HDRQ_CACHE_GIB", "20")
    try:
        gib = float(text)
    except ValueError:
        gib = 0.0
    if not 0 < gib < 2**30:
        raise UsageError(
            f"HDRQ_CACHE_GIB is the size of the cache of remote files in GiB, such as 20, not '{text}'"
        )
    return int(gib * 2**30)


def _make_room(home: Path, size: int, limit: int) -> None:
    """Remove the files of the cache that were not used for longest, until `size` bytes fit."""
    if home in _held and _held[home] + size <= limit:
        return
    found = []
    for file in home.glob("*/*"):
        # removed by another process
        with suppress(OSError):
            info = file.stat()
            found.append((info.st_mtime, info.st_size, file))
    total, now = sum(bytes for _, bytes, _ in found), time.time()
    for used, bytes, file in sorted(found):
        if total + size <= limit or now - used < _IN_USE:
            break
        with suppress(OSError):
            file.unlink()
            file.parent.rmdir()
        total -= bytes
    _held[home] = total
