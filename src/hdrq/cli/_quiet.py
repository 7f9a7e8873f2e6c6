"""For the command only: messages that C libraries print about damaged files are suppressed.

hdrq reports a damaged file in one line. The decoders also print to file descriptor 2,
which belongs to the whole process, so that only a program may redirect it; reading from Python never does.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from typing import Any

NOISE = (
    b"EXR_ERR_",
    b"Warning: Exception raised",
    b"OpenEXR",
    b"python_buffer",
    b"WMPTag",
    b"JPEG",
    b"PNG",
    b"libav",
)


@contextlib.contextmanager
def quiet_codecs() -> Iterator[None]:
    """Around the run of a program: sys.stderr keeps its terminal, and output of C code to descriptor 2 is captured.

    When the block ends, descriptor 2 is restored and the captured lines are printed, except those of decoders
    (NOISE). The loggers of tifffile and PyAV are silenced meanwhile. Does nothing without stderr.
    """
    loggers = [logging.getLogger(name) for name in ("tifffile", "libav")]
    silence = logging.NullHandler()
    for logger in loggers:
        logger.addHandler(silence)
    stdout, sys.stdout = sys.stdout, _Filtered(sys.stdout)
    try:
        with _held_back():
            yield
    finally:
        sys.stdout = stdout
        for logger in loggers:
            logger.removeHandler(silence)


@contextlib.contextmanager
def names_as_bytes() -> Iterator[None]:
    """Around the run of a program: file names that are not UTF-8 are printed as their bytes."""
    stream = sys.stdout
    if not isinstance(stream, io.TextIOWrapper) or stream.errors != "strict":
        yield
        return
    stream.reconfigure(errors="surrogateescape")
    try:
        yield
    finally:
        # closed by the command
        with contextlib.suppress(ValueError):
            stream.reconfigure(errors="strict")


class _Filtered:
    """sys.stdout without the messages that OpenEXR's wheel prints about damaged files."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        # threads within such a line, which is written in parts
        self._dropping: set[int] = set()

    def write(self, text: str) -> int:
        me = threading.get_ident()
        if not text.startswith("Warning: Exception raised") and me not in self._dropping:
            written: int = self._stream.write(text)
            return written
        (self._dropping.discard if text.endswith("\n") else self._dropping.add)(me)
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextlib.contextmanager
def _held_back() -> Iterator[None]:
    python = sys.stderr
    try:
        if python is None or python.fileno() != 2:
            # it is already redirected
            raise OSError
        python.flush()
        terminal = os.dup(2)
    except (OSError, ValueError, AttributeError):
        yield
        return
    with tempfile.TemporaryFile() as held:
        sys.stderr = os.fdopen(
            os.dup(terminal), "w", encoding=python.encoding, errors=python.errors, buffering=1
        )
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.close()
            sys.stderr = python
            os.dup2(terminal, 2)
            os.close(terminal)
            held.seek(0)
            lines = held.read().splitlines(keepends=True)
            if others := b"".join(line for line in lines if not any(word in line for word in NOISE)):
                os.write(2, others)
