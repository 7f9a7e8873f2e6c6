"""Files elsewhere: s3://, gs://, https:// and zip:// by fsspec; remote_cache.py holds copies of those that are read.

A remote path may have passed through pathlib, which makes "s3:/bucket/a.exr" of it; both are understood.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from hdrq.errors import FileError, HdrqError, MissingPart, UsageError

PROTOCOLS = ("s3", "gs", "https", "http", "zip")
WRITABLE = ("s3", "gs")
_REMOTE = re.compile(rf"^({'|'.join(PROTOCOLS)}):/+(?=[^/])", re.I)


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
    with explained(url, "listed"):
        system, place = system_of(url)
        return bool(system.isdir(place))


def exists(path: str | Path) -> bool:
    """Whether a file is there."""
    url = address_of(path)
    if url is None:
        return Path(path).exists()
    with explained(url, "read"):
        system, place = system_of(url)
        return bool(system.exists(place))


def listed(folder: str) -> list[str]:
    """The addresses of all files below a remote folder, sorted."""
    with explained(folder, "listed"):
        system, place = system_of(folder)
        found = sorted(system.find(place))
    base = place.rstrip("/")
    return [f"{folder.rstrip('/')}/{p[len(base) :].lstrip('/')}" for p in found if p.startswith(base)]


def version_of(path: str | Path) -> str:
    """Size and version of a remote file, which change with its content; raises FileError where there is none."""
    url = address_of(path)
    if url is None:
        raise UsageError(f"{path} is not remote")
    with explained(url, "read"):
        size, version, _ = info_of(url)
    return f"{size}-0-{version}"


@contextmanager
def uploaded(url: str) -> Iterator[Path]:
    """Yield a local file that becomes the remote one when the block ends without an error."""
    refuse_unwritable(url)
    with tempfile.TemporaryDirectory(prefix="hdrq-") as home:
        part = Path(home) / name_of(url)
        part.touch()
        yield part
        with explained(url, "written"):
            system, place = system_of(url)
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


def _fsspec() -> Any:
    try:
        import fsspec
    except ImportError as error:
        raise MissingPart("remote files need fsspec; pip install 'hdrq[remote]'") from error
    return fsspec


def system_of(url: str) -> tuple[Any, str]:
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


def info_of(url: str) -> tuple[int | None, str, str]:
    """(bytes or None, what changes with the content, "file" or "directory")."""
    system, place = system_of(url)
    info = system.info(place)
    state = [
        info.get(k)
        for k in ("ETag", "etag", "generation", "mtime", "LastModified", "last_modified", "CRC", "date_time")
    ]
    size = info.get("size")
    version = hashlib.sha256(repr(state).encode()).hexdigest()[:16]
    return (int(size) if size is not None else None), version, str(info.get("type", "file"))


def name_of(url: str) -> str:
    """The name of the file that an address means, safe on any file system."""
    first = url.split("::")[0]
    path = first.split("://", 1)[1]
    if first.startswith("http"):
        path = path.partition("?")[0].partition("#")[0]
    return re.sub(r"[^\w.+=@ ~-]", "_", PurePosixPath(path).name)[-120:].lstrip(".") or "file"


@contextmanager
def explained(url: str, act: str) -> Iterator[None]:
    """Whatever a file system's library raises, as one line."""
    try:
        yield
    except HdrqError:
        raise
    except FileNotFoundError as error:
        raise FileError(f"{url} does not exist; check the name") from error
    # of botocore, aiohttp, zipfile ...
    except Exception as error:
        raise FileError(f"{url} cannot be {act}: {_line(error)}") from error


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
