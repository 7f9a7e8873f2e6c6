"""C libraries that print to stderr, kept quiet without losing what others print meanwhile."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from typing import IO

NOISE = (b"EXR_ERR_", b"Warning: Exception raised", b"OpenEXR", b"python_buffer", b"libjpeg", b"JPEGLIB")
_lock = threading.Lock()
_inside = 0
_kept: tuple[int, IO[bytes]] | None = None


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Within this block, complaints that C code writes to file descriptor 2 are dropped.

    The descriptor belongs to the whole process: whatever else arrives there (a progress bar of
    another thread) is passed on when the last block ends. Blocks may nest and overlap.
    """
    _enter()
    try:
        yield
    finally:
        _leave()


def _enter() -> None:
    global _inside, _kept
    with _lock:
        _inside += 1
        if _inside > 1:
            return
        with contextlib.suppress(OSError, ValueError):  # no stderr at all: nothing to keep quiet
            _flush()
            catcher = tempfile.TemporaryFile()  # noqa: SIM115 (closed by the last to leave)
            saved = os.dup(2)
            os.dup2(catcher.fileno(), 2)
            _kept = saved, catcher


def _leave() -> None:
    global _inside, _kept
    with _lock:
        _inside -= 1
        if _inside or _kept is None:
            return
        saved, catcher = _kept
        _kept = None
        with contextlib.suppress(OSError, ValueError):
            _flush()
        os.dup2(saved, 2)
        os.close(saved)
        with catcher, contextlib.suppress(OSError):
            catcher.seek(0)
            lines = catcher.read().splitlines(keepends=True)
            if others := b"".join(line for line in lines if not any(word in line for word in NOISE)):
                os.write(2, others)


def _flush() -> None:
    if sys.stderr is not None:
        sys.stderr.flush()
