"""Settings that a program makes for its own process, and a library does not: streams, threads, memory, garbage collection.

OpenBLAS divides even the small systems of hdrq (a response curve, a homography) among all cores. That changes the last
digits of a result with the number of threads, and the threads wait for each other longer than they compute.

glibc requests large blocks from the system one by one and returns each when it is freed, so that the system clears
pages for an image in every step of a computation, which takes longer than the step. Other C libraries are
not changed, nor is glibc when the environment configures it (MALLOC_..., GLIBC_TUNABLES).

Python searches all objects for unreachable ones three times while torch and a command are imported, and finds none: modules
stay until the process ends. Each search takes 0.1 s of processor time.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterable
from typing import Any

# malloc.h
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -3, -4
# bytes kept at the end of the heap
_KEPT = 512 << 20
# bytes of a block, the most that glibc takes; its own bound would stay at 128 KB once anything is set
_MAPPED = 32 << 20
# blocks mapped at most, glibc's default
_MAPS = 65536
# full searches for unreachable objects that are due while torch and a command are imported
_IMPORTING = 3
# of them, how many are to come once spare_imports() was called
_to_spare: int | None = None
# the C library once keep_freed_memory() has set it; reading and scoring from Python never do
_keeping: Any = None


def open_standard_streams() -> None:
    """Open the standard streams that the caller has closed (`<&- >&- 2>&-`), so that no other file gets their descriptors.

    Standard input is then empty, what is written to standard error is lost, and writing to standard output raises the
    OSError EBADF, because a result that is lost is no success.
    """
    for name, flags in (("stdin", os.O_RDONLY), ("stdout", os.O_RDONLY), ("stderr", os.O_WRONLY)):
        if getattr(sys, name) is None:
            # gets the lowest descriptor that is free
            opened = os.open(os.devnull, flags)
            os.set_inheritable(opened, True)
            setattr(sys, name, os.fdopen(opened, "r" if name == "stdin" else "w"))


def one_blas_thread() -> None:
    """Let numpy compute with one thread, unless the environment says otherwise; numpy reads it when first imported."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def spare_imports() -> None:
    """From now on leave what exists at each of the first full garbage collections out of that one and all later ones."""
    global _to_spare
    if _to_spare is None and hasattr(gc, "freeze"):
        _to_spare = _IMPORTING
        gc.callbacks.append(_spare)


def _spare(phase: str, info: dict[str, int]) -> None:
    global _to_spare
    if phase == "start" and info["generation"] == 2:
        gc.freeze()
        _to_spare = (_to_spare or 1) - 1
        if _to_spare == 0:
            gc.callbacks.remove(_spare)


def keep_freed_memory(own: Iterable[str] = ()) -> None:
    """From now on keep freed memory for the next image, except what exceeds 512 MB in one piece.

    own  variables of the environment that the program set for itself, and not its user
    """
    global _keeping
    if (libc := _glibc(own)) is not None:
        _keeping = libc
        libc.mallopt(_MMAP_MAX, 0)
        libc.mallopt(_MMAP_THRESHOLD, _MAPPED)
        libc.mallopt(_TRIM_THRESHOLD, _KEPT)


def return_freed_memory() -> None:
    """Return the memory that keep_freed_memory() kept, and from now on blocks over 32 MB, which would leave large gaps.

    Does nothing unless keep_freed_memory() was called: a program that imports hdrq has its own allocator settings.
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
