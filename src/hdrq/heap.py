"""Treatment of freed memory: kept for the next image, or returned to the system.

glibc requests large blocks from the system one by one and returns each when it is freed, so that the system clears
pages for an image in every step of a computation, which takes longer than the step. Other C libraries are
not changed, nor is glibc when the environment configures it (MALLOC_..., GLIBC_TUNABLES).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import Any

# malloc.h
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -3, -4
_KEPT = 512 << 20  # bytes kept at the end of the heap
_MAPPED = (
    32 << 20
)  # bytes of a block, the most that glibc takes; its own bound would stay at 128 KB once anything is set
_MAPS = 65536  # blocks mapped at most, glibc's default


_keeping: Any = None  # the C library once keep() has set it; reading and scoring from Python never do


def keep(own: Iterable[str] = ()) -> None:
    """From now on keep freed memory, except what exceeds 512 MB in one piece. For a program, not a library.

    own  variables of the environment that the program set for itself, and not its user
    """
    global _keeping
    if (libc := _glibc(own)) is not None:
        _keeping = libc
        libc.mallopt(_MMAP_MAX, 0)
        libc.mallopt(_MMAP_THRESHOLD, _MAPPED)
        libc.mallopt(_TRIM_THRESHOLD, _KEPT)


def give_back() -> None:
    """Return the memory that keep() kept, and from now on blocks over 32 MB, which would leave large gaps.

    Does nothing unless keep() was called: a program that imports hdrq has its own allocator settings.
    """
    if _keeping is not None:
        _keeping.mallopt(_MMAP_MAX, _MAPS)
        _keeping.malloc_trim(0)


def _glibc(own: Iterable[str] = ()) -> Any:
    """The C library if it is glibc and not configured by the environment, besides variables in `own`."""
    if sys.platform != "linux" or "malloc" in os.environ.get("GLIBC_TUNABLES", ""):
        return None
    if any(name.startswith("MALLOC_") for name in os.environ.keys() - set(own)):
        return None
    import ctypes

    libc = ctypes.CDLL(None)
    return libc if hasattr(libc, "mallopt") and hasattr(libc, "malloc_trim") else None
