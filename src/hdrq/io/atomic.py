"""Files that are whole or not there: written beside the target, then moved over it."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from hdrq.errors import FileError

_MASK = os.umask(0)  # it can only be read by setting it, which threads must not do side by side
os.umask(_MASK)


def why(error: OSError) -> str:
    """The system's reason in words ("No space left on device"), without the path it repeats."""
    return (error.strerror or str(error) or type(error).__name__).splitlines()[0]


@contextmanager
def atomic(path: str | Path, *, flush: bool = False) -> Iterator[Path]:
    """Hand out a temporary path in the target's folder; move it onto `path` when the block ends well.

    Whatever goes wrong inside (an error, Ctrl-C) leaves `path` as it was and nothing beside it.
    The temporary file exists, is empty and keeps the target's suffix. A link's target is
    replaced, not the link; what is no file (/dev/stdout, a pipe) is handed out itself.

    flush   also wait until the disk has it (fsync)
    """
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
        raise FileError(
            f"{path} cannot be written: {why(error)}; the old file, if any, is untouched"
        ) from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def _beside(target: Path, mode: int | None) -> Path:
    """A new empty file in the target's folder, with the rights the target has or would have."""
    if mode is not None and stat.S_ISDIR(mode):
        raise IsADirectoryError(0, "it is a folder; name a file in it")
    if not target.parent.is_dir():
        raise FileNotFoundError(0, f"the folder {target.parent} does not exist; make it first")
    if mode is not None and not os.access(target, os.W_OK):
        raise PermissionError(0, "the file there is write-protected")
    handle, name = tempfile.mkstemp(prefix=".hdrq-", suffix=target.suffix, dir=target.parent)
    os.close(handle)
    if mode is None:
        mode = 0o666 & ~_MASK
    with suppress(OSError):  # file systems without rights
        os.chmod(name, stat.S_IMODE(mode))
    return Path(name)
