"""Free memory, checked before an image of the stated size is read."""

from __future__ import annotations

import os
from math import inf
from pathlib import Path

from hdrq import process
from hdrq.errors import FileError, TooLarge

# of the free memory, for one image
SHARE = 0.8
# bytes; the machine is not asked whether it has them, which would take longer than to read or score a small image
_SMALL = 1 << 20
# bytes; above this, kept freed memory is returned to the system before an image is read
_LARGE = 256 << 20


def free_bytes() -> int:
    """Memory that this process may still use, by machine, container and ulimit; HDRQ_MEMORY_GB limits it."""
    bounds = [_machine(), *_control_group(), *_own_limit()]
    if stated := os.environ.get("HDRQ_MEMORY_GB"):
        bounds.append(int(float(stated) * 1e9))
    return max(0, min(bounds))


def free_for(need: float, share: float, most: float = inf) -> int:
    """Free bytes, at least those that a small need takes unless HDRQ_MEMORY_GB limits them.

    Kept freed memory is returned to the system first if `need` exceeds the share `share` or `most` bytes.
    """
    if need <= _SMALL and "HDRQ_MEMORY_GB" not in os.environ:
        return 2 * _SMALL
    free = free_bytes()
    if need <= min(share * free, most):
        return free
    process.return_freed_memory()
    return free_bytes()


def afford_file(path: object) -> None:
    """Refuse a file that does not fit into memory uncompressed."""
    size, free = os.path.getsize(str(path)), free_bytes()
    if size > SHARE * free:
        raise TooLarge(f"{path} has {size / 1e9:.1f} GB, {free / 1e9:.1f} GB of memory are free; crop it")


def afford(path: object, width: int, height: int, bytes_per_pixel: float, least: float = 0.0) -> None:
    """Refuse an image whose stated size is implausible or does not fit into memory.

    bytes_per_pixel  total needed while reading
    least            smallest plausible file size in bytes for this number of pixels and this compression
    """
    if width < 1 or height < 1:
        raise FileError(f"{path} is damaged: its header states {width} x {height} pixels")
    size = os.path.getsize(str(path))
    if least > size:
        raise FileError(
            f"{path} is damaged: its header states {width} x {height} pixels, too many for {size} bytes"
        )
    need = width * height * bytes_per_pixel
    # processing an image takes about ten times that
    free = free_for(need, 1 / 16, _LARGE)
    if need > SHARE * free:
        sums = f"{need / 1e9:.1f} GB to read, {free / 1e9:.1f} GB are free"
        raise TooLarge(f"{path} has {width} x {height} pixels: {sums}; crop it")


def _machine() -> int:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return _windows()


def _windows() -> int:
    """Free physical memory by GlobalMemoryStatusEx; 4 GB where the call is unavailable."""
    import ctypes

    class Status(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ulong), ("load", ctypes.c_ulong)] + [
            (name, ctypes.c_ulonglong) for name in ("all", "free", "a", "b", "c", "d", "e")
        ]

    status = Status(length=ctypes.sizeof(Status))
    try:
        known = ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status))  # type: ignore[attr-defined,unused-ignore]
    except AttributeError:
        known = 0
    return int(status.free) if known else 4 << 30


def _control_group() -> list[int]:
    """Bytes that a container may still use (cgroup v2, then v1)."""
    for limit, used in (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    ):
        home = Path("/sys/fs/cgroup")
        try:
            return [int((home / limit).read_text()) - int((home / used).read_text())]
        # no such group, or "max"
        except (OSError, ValueError):
            continue
    return []


def _own_limit() -> list[int]:
    """Bytes below the limit of `ulimit -v`."""
    try:
        import resource

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        if limit == resource.RLIM_INFINITY:
            return []
        return [limit - int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")]
    except (ImportError, OSError, ValueError):
        return []
