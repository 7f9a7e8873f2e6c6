"""Memory that is not there, told in one line with what to try."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from hdrq.errors import TooLarge
from hdrq.training.settings import Run


@contextmanager
def room_for(run: Run) -> Iterator[None]:
    """TooLarge with a smaller batch, where a GPU or the processor has no memory left for what happens inside."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
        known = isinstance(error, (torch.OutOfMemoryError, MemoryError))
        if (
            not known and "memory" not in str(error).lower()
        ):  # the processor's allocator has no class of its own
            raise
        way = (
            f"try --set batch={run.batch // 2}"
            if run.batch > 1
            else "try fewer patches, a smaller crop or a smaller network"
        )
        raise TooLarge(f"a batch of {run.batch} does not fit in memory; {way}") from error
