"""Work that would not fit is refused before it starts."""

from __future__ import annotations

import os
from pathlib import Path

import torch

from hdrq.errors import TooLarge
from hdrq.types import Image, Metric

_SHARE = 0.9  # of what is free now


def free_bytes(device: torch.device | None = None) -> int:
    """Memory that can still be taken, in bytes: of the GPU, or of this machine (and its control group)."""
    if device is not None and device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return min(_machine(), _control_group())


def _machine() -> int:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration):
        pass
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return 1 << 62


def _control_group() -> int:
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text().strip()
        used = Path("/sys/fs/cgroup/memory.current").read_text().strip()
        return int(limit) - int(used)
    except (OSError, ValueError):
        return 1 << 62


def refuse_too_large(image: Image, metric: Metric, device: torch.device | None, limit: float | None) -> None:
    """TooLarge if the metric's peak, by its card, is beyond what is free (or beyond `limit` bytes)."""
    h, w = image.size
    wants = metric.card.planes * h * w * image.pixels.element_size()
    has = min(_SHARE * free_bytes(device), limit or float("inf"))
    if wants > has:
        raise TooLarge(
            f"{image.path or 'the picture'} is {w}x{h}: {metric.name} would take about {wants / 2**30:.1f} GiB "
            f"and {has / 2**30:.1f} GiB are free; score a crop or a smaller copy, or use a machine with more memory"
        )
