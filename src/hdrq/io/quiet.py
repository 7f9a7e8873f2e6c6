"""C libraries that print, kept quiet without losing what others print meanwhile."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from typing import IO, Any

NOISE = (b"EXR_ERR_", b"Warning: Exception raised", b"OpenEXR", b"python_buffer", b"WMPTag", b"JPEG", b"PNG")
_lock = threading.Lock()
_inside = 0
_hushed: dict[int, int] = {}  # how many blocks each thread is in
_kept: tuple[int, IO[bytes]] | None = None


class _Sieve:
    """sys.stdout, but for threads inside a block, whose words are dropped (OpenEXR's wheel prints there)."""

    stream: Any = None

    def write(self, text: str) -> int:
        return len(text) if threading.get_ident() in _hushed else self.stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


# One for ever: before Python 3.14 print() crashes when the stream it writes to is freed by another thread.
_sieve = _Sieve()


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Within this block, what this thread prints and what C code complains of on descriptor 2 is dropped.

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
    me = threading.get_ident()
    with _lock:
        _hushed[me] = _hushed.get(me, 0) + 1
        _inside += 1
        if _inside > 1:
            return
        if sys.stdout is not None and sys.stdout is not _sieve:
            _sieve.stream = sys.stdout
            sys.stdout = _sieve
        with contextlib.suppress(OSError, ValueError):  # no stderr at all: nothing to keep quiet
            _flush()
            catcher = tempfile.TemporaryFile()  # noqa: SIM115 (closed by the last to leave)
            saved = os.dup(2)
            os.dup2(catcher.fileno(), 2)
            _kept = saved, catcher


def _leave() -> None:
    global _inside, _kept
    me = threading.get_ident()
    with _lock:
        _hushed[me] -= 1
        if not _hushed[me]:
            del _hushed[me]
        _inside -= 1
        if _inside:
            return
        if sys.stdout is _sieve:
            sys.stdout = _sieve.stream
        if _kept is None:
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
