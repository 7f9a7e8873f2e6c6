"""Out-of-memory errors, reported in one line with the settings to try."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from hdrq.errors import TooLarge
from hdrq.training.settings import Settings

SMALLER = "try fewer patches, a smaller crop or a smaller network"


@contextmanager
def explain_out_of_memory(settings: Settings) -> Iterator[None]:
    """Turn an out-of-memory error inside the block into TooLarge, which suggests a smaller batch."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
        known = isinstance(error, (torch.OutOfMemoryError, MemoryError))
        if (
            not known and "memory" not in str(error).lower()
        ):  # the CPU allocator has no exception class of its own
            raise
        way = f"try --set batch={settings.batch // 2}" if settings.batch > 1 else SMALLER
        raise TooLarge(f"a batch of {settings.batch} does not fit in memory; {way}") from error
