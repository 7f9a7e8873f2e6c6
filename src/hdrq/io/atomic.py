"""Atomic writing: a file is complete or absent. It is written beside the target and then renamed."""

from __future__ import annotations

import os
import secrets
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path

from hdrq.errors import FileError
from hdrq.io.remote import address_of, uploaded
from hdrq.io.remote import refuse_unwritable as refuse_unwritable_address

# of names of temporary files
_PREFIX = ".hdrq-"
_MARK: ContextVar[str] = ContextVar("_MARK", default="")


@contextmanager
def marked(mark: str) -> Iterator[None]:
    """Within this block, and in its thread, names of temporary files hold `mark`: what `remove_marked` looks for."""
    token = _MARK.set(f"{mark}-")
    try:
        yield
    finally:
        _MARK.reset(token)


def remove_marked(mark: str, folder: str | Path) -> None:
    """Remove the temporary files in a folder of a process that ended within `marked(mark)` without clearing up."""
    for part in Path(folder).glob(f"{_PREFIX}{mark}-*"):
        with suppress(OSError):
            part.unlink(missing_ok=True)


def why(error: OSError) -> str:
    """The system's message ("No space left on device") without the path."""
    return (error.strerror or str(error) or type(error).__name__).splitlines()[0]


@contextmanager
def atomic(path: str | Path, *, flush: bool = False) -> Iterator[Path]:
    """Yield a temporary path in the target's folder, which replaces `path` when the block ends without an error.

    After an error or an interrupt `path` is unchanged and the temporary file is removed.
    The temporary file exists, is empty and has the target's suffix. For a symbolic link, the file it points to is
    replaced, not the link; a target that is not a regular file (/dev/stdout, a pipe) is yielded itself.

    A remote target (s3://, gs://) gets the file when the block has ended.

    flush   also wait until the data is on the disk (fsync)
    """
    if (url := address_of(path)) is not None:
        with uploaded(url) as part:
            yield part
        return
    target = Path(path)
    try:
        target = target.resolve()
        mode = target.stat().st_mode if target.exists() else None
        if mode is not None and not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            yield target
            return
        part = _beside(target, mode)
    except OSError as error:
        raise FileError(f"{path} cannot be written: {why(error)}") from error
    try:
        yield part
        if flush:
            with part.open("rb+") as file:
                os.fsync(file.fileno())
        os.replace(part, target)
    except OSError as error:
        raise FileError(f"{path} cannot be written: {why(error)}; an existing file is unchanged") from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def _beside(target: Path, mode: int | None) -> Path:
    """A new empty file in the target's folder, with the target's permissions or, for a new target, the default ones."""
    if mode is not None and stat.S_ISDIR(mode):
        raise IsADirectoryError(0, "it is a folder; give the path of a file in it")
    if not target.parent.is_dir():
        raise FileNotFoundError(0, f"the folder {target.parent} does not exist; create it first")
    if mode is not None and not os.access(target, os.W_OK):
        raise PermissionError(0, "the existing file is write-protected")
    part = target.parent / f"{_PREFIX}{_MARK.get()}{secrets.token_hex(8)}{target.suffix}"
    # the system applies the umask
    os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    if mode is not None:
        # file systems without permissions
        with suppress(OSError):
            os.chmod(part, stat.S_IMODE(mode))
    return part


def refuse_unwritable(output: str | None, folder: str | None) -> None:
    """Refuse, before work begins, a file or a folder of outputs that could not be written; FileError."""
    for path, place in ((output, Path(output or ".").parent), (folder, Path(folder or "."))):
        if not path or path == "-":
            continue
        if (url := address_of(path)) is not None:
            refuse_unwritable_address(url)
            continue
        if path == output and Path(path).is_dir():
            raise FileError(f"{path} is a folder; give the path of a file in it")
        if path == output and Path(path).exists() and not os.access(path, os.W_OK):
            raise FileError(f"{path} cannot be written: it is write-protected; choose another file")
        try:
            if path == folder:
                place.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=place, prefix=_PREFIX):
                pass
        except OSError as error:
            raise FileError(f"{path} cannot be written: {error.strerror}; choose another place") from error
