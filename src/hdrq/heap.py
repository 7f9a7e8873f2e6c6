"""What becomes of memory that is freed: kept for the next picture, or given back.

glibc takes large blocks from the system one by one and returns each when it is freed, so the system clears a
picture's worth of pages for every step of a computation, and that takes longer than the step. Other C libraries are
left as they are, and so is one that the environment has told what to do (MALLOC_..., GLIBC_TUNABLES).
"""

from __future__ import annotations

import os
import sys
from functools import cache
from typing import Any

# malloc.h
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -3, -4
_KEPT = 512 << 20  # bytes at the end of the heap
_MAPPED = (
    32 << 20
)  # bytes of a block, the most that glibc takes; its own bound would stay at 128 KB once anything is set
_MAPS = 65536  # blocks mapped at most, glibc's default


_keeping = False  # whether keep() was called; reading and scoring from Python never do


def keep() -> None:
    """From here on keep what is freed, all but what exceeds 512 MB in one piece. For a program, not a library."""
    global _keeping
    if (libc := _glibc()) is not None:
        _keeping = True
        libc.mallopt(_MMAP_MAX, 0)
        libc.mallopt(_MMAP_THRESHOLD, _MAPPED)
        libc.mallopt(_TRIM_THRESHOLD, _KEPT)


def give_back() -> None:
    """Return what keep() kept, and from here on blocks over 32 MB, for gaps between blocks so large would be felt.

    Does nothing unless keep() was called: a program that imports hdrq has its own allocator settings.
    """
    if _keeping and (libc := _glibc()) is not None:
        libc.mallopt(_MMAP_MAX, _MAPS)
        libc.malloc_trim(0)


@cache
def _glibc() -> Any:
    """The C library if it is glibc and nobody else has set it up."""
    if sys.platform != "linux" or "malloc" in os.environ.get("GLIBC_TUNABLES", ""):
        return None
    if any(name.startswith("MALLOC_") for name in os.environ):
        return None
    import ctypes

    libc = ctypes.CDLL(None)
    return libc if hasattr(libc, "mallopt") and hasattr(libc, "malloc_trim") else None
