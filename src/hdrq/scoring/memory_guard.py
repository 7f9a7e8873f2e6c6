"""Work that would not fit is refused before it starts."""

from __future__ import annotations

import torch

from hdrq.cards import Metric
from hdrq.errors import HdrqError, TooLarge
from hdrq.io.memory import free_for
from hdrq.records import Image

_SHARE = 0.9  # of what is free now
_LARGE = 0.5  # of that; gaps between blocks that are kept add up to two thirds


def refuse_too_large(
    image: Image, metric: Metric, device: torch.device | None, limit: float | None, times: float = 1.0
) -> None:
    """TooLarge if the metric's peak, `times` that of its card, is beyond what is free (or beyond `limit` bytes)."""
    h, w = image.size
    wants = times * metric.card.planes * h * w * image.pixels.element_size()
    cuda = device is not None and device.type == "cuda"
    free = int(torch.cuda.mem_get_info(device)[0]) if cuda else free_for(wants, _LARGE)
    has = min(_SHARE * free, limit or float("inf"))
    if wants > has:
        raise TooLarge(
            f"{image.path or 'the image'} is {w}x{h}: {metric.name} would take about {wants / 2**30:.1f} GiB "
            f"and {has / 2**30:.1f} GiB may be taken; score a crop or a smaller copy, or use a machine with more memory"
        )


class PixelsDoNotFit(HdrqError):
    """Memory ran out in the middle."""


def out_of_memory(error: BaseException) -> bool:
    """Whether an error means that memory is exhausted."""
    return isinstance(error, MemoryError) or "memory" in str(error).lower()
