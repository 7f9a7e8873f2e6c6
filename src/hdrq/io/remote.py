"""Files elsewhere: s3://, gs://, https:// and zip:// by fsspec, fetched to a bounded cache and written whole.

A remote path may have passed through pathlib, which makes "s3:/bucket/a.exr" of it; both are understood.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Any

from hdrq.errors import FileError, MissingPart, TooLarge, UsageError

PROTOCOLS = ("s3", "gs", "https", "http", "zip")
WRITABLE = ("s3", "gs")
_REMOTE = re.compile(rf"^({'|'.join(PROTOCOLS)}):/+(?=[^/])", re.I)
_BLOCK = 1 << 20  # bytes copied at a time
_IN_USE = 60.0  # seconds after its last use in which a file is not removed from the cache
_held: dict[Path, int] = {}  # bytes in each cache folder, as far as this process knows


def address_of(path: object) -> str | None:
    """The address that a text or path means, or None where it is a local one."""
    text = str(path) if isinstance(path, str | os.PathLike) else ""
    if not _REMOTE.match(text):
        return None
    return "::".join(_REMOTE.sub(lambda m: f"{m[1].lower()}://", part, count=1) for part in text.split("::"))


def join(folder: str | Path, name: str) -> str | Path:
    """A name that a file in `folder` states: remote, absolute, or relative to the folder, which may be remote."""
    if url := address_of(name):
        return url
    home = address_of(folder)
    return Path(folder) / name if home is None else f"{home.rstrip('/')}/{name}"


def parent(path: str | Path) -> str | Path:
    """The folder of a file."""
    url = address_of(path)
    return Path(path).parent if url is None else url.rsplit("/", 1)[0]


def is_folder(path: str | Path) -> bool:
    """Whether a path is a folder that is there."""
    url = address_of(path)
    if url is None:
        return Path(path).is_dir()
    with _explained(url, "listed"):
        system, place = _system(url)
        return bool(system.isdir(place))


def exists(path: str | Path) -> bool:
    """Whether a file is there."""
    url = address_of(path)
    if url is None:
        return Path(path).exists()
    with _explained(url, "read"):
        system, place = _system(url)
        return bool(system.exists(place))


def listed(folder: str) -> list[str]:
    """The addresses of all files below a remote folder, sorted."""
    with _explained(folder, "listed"):
        system, place = _system(folder)
        found = sorted(system.find(place))
    base = place.rstrip("/")
    return [f"{folder.rstrip('/')}/{p[len(base) :].lstrip('/')}" for p in found if p.startswith(base)]


def version_of(path: str | Path) -> str:
    """Size and version of a remote file, which change with its content; raises FileError where there is none."""
    url = address_of(path)
    if url is None:
        raise UsageError(f"{path} is not remote")
    with _explained(url, "read"):
        size, version, _ = _info(url)
    return f"{size}-0-{version}"


def local(path: str | Path) -> Path:
    """The file itself, or the copy in the cache of a remote one; its name is kept.

    The copy is fetched when it is not there or the remote file has changed, and not trusted more than any file.
    raises  FileError where it cannot be fetched whole, TooLarge where it exceeds the cache ($HDRQ_CACHE_GIB)
    """
    url = address_of(path)
    if url is None:
        return Path(path)
    limit = _limit()
    with _explained(url, "read"):
        size, version, kind = _info(url)
        if kind == "directory":
            raise FileError(f"{url} is a folder; name a file in it")
        home = _cache() / "files"
        file = home / hashlib.sha256(f"{url} {size} {version}".encode()).hexdigest()[:32] / _name(url)
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
    from hdrq.io.atomic import atomic

    system, place = _system(url)
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


@contextmanager
def uploaded(url: str) -> Iterator[Path]:
    """Yield a local file that becomes the remote one when the block ends without an error."""
    refuse_unwritable(url)
    with tempfile.TemporaryDirectory(prefix="hdrq-") as home:
        part = Path(home) / _name(url)
        part.touch()
        yield part
        with _explained(url, "written"):
            system, place = _system(url)
            system.put_file(str(part), place)


def refuse_unwritable(url: str) -> None:
    """Raise for addresses that nothing can be written to."""
    if url.partition(":")[0] not in WRITABLE:
        raise UsageError(
            f"{url} cannot be written; write to a local file, or to {' or '.join(f'{p}://' for p in WRITABLE)}"
        )
    _fsspec()


def make_folder(path: Path) -> None:
    """Make a local folder and those above it; object stores have none."""
    if address_of(path) is None:
        path.mkdir(parents=True, exist_ok=True)


def folders_of(target: Path) -> tuple[str, ...]:
    """The folder of a file to be written, or the nearest one above it that is there; none of a remote file."""
    if address_of(target) is not None:
        return ()
    return (str(next(folder for folder in target.absolute().parents if folder.is_dir())),)


def journal_of(url: str) -> Path:
    """Where rows for a remote table are kept on this machine while they are made."""
    home = _cache() / "journals"
    home.mkdir(parents=True, exist_ok=True)
    return home / f"{hashlib.sha256(url.encode()).hexdigest()[:16]}-{_name(url)}.part"


def _fsspec() -> Any:
    try:
        import fsspec
    except ImportError as error:
        raise MissingPart("remote files need fsspec; pip install 'hdrq[remote]'") from error
    return fsspec


def _system(url: str) -> tuple[Any, str]:
    """fsspec's file system of an address, and the place in it."""
    for part in url.split("::")[1:]:
        if "://" in part and address_of(part) is None:
            raise UsageError(
                f"{url}: '{part.partition(':')[0]}' is not supported; use {', '.join(PROTOCOLS)}"
            )
    options = {} if "::" in url else {"use_listings_cache": False}
    try:
        system, place = _fsspec().core.url_to_fs(url, **options)
    except ImportError as error:
        raise MissingPart(f"{url}: {_line(error)}; pip install 'hdrq[remote]'") from error
    return system, str(place)


def _info(url: str) -> tuple[int | None, str, str]:
    """(bytes or None, what changes with the content, "file" or "directory")."""
    system, place = _system(url)
    info = system.info(place)
    state = [
        info.get(k)
        for k in ("ETag", "etag", "generation", "mtime", "LastModified", "last_modified", "CRC", "date_time")
    ]
    size = info.get("size")
    version = hashlib.sha256(repr(state).encode()).hexdigest()[:16]
    return (int(size) if size is not None else None), version, str(info.get("type", "file"))


def _name(url: str) -> str:
    """The name of the file that an address means, safe on any file system."""
    first = url.split("::")[0]
    path = first.split("://", 1)[1]
    if first.startswith("http"):
        path = path.partition("?")[0].partition("#")[0]
    return re.sub(r"[^\w.+=@ ~-]", "_", PurePosixPath(path).name)[-120:].lstrip(".") or "file"


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
        with suppress(OSError):  # removed by another process
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


@contextmanager
def _explained(url: str, act: str) -> Iterator[None]:
    """Whatever a file system's library raises, as one line."""
    from hdrq.errors import HdrqError

    try:
        yield
    except HdrqError:
        raise
    except FileNotFoundError as error:
        raise FileError(f"{url} does not exist; check the name") from error
    except Exception as error:  # of botocore, aiohttp, zipfile ...
        raise FileError(f"{url} cannot be {act}: {_line(error)}") from error


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
