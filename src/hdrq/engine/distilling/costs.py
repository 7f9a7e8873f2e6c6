"""What a training will cost, from one real step: said before it starts."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import torch

from hdrq.engine.training.feed import Feed, Item
from hdrq.engine.training.learner import answer, build
from hdrq.engine.training.pixels import Pixels
from hdrq.engine.training.run import Run


def costs(
    run: Run, items: Sequence[Item], store: Pixels, device: torch.device, room: int = 0
) -> Iterator[str]:
    """Lines on the student's size, the time of its training, and the disk that its pictures take.

    room  bytes of pictures that are kept
    """
    some = items[: min(run.batch, len(items))]
    batch = Feed(run, some, run.source_screen, store).batch(some, (0, 0)).to(device)
    module = build(run).to(device).train()
    seconds = 0.0
    for _ in range(2):
        began = time.perf_counter()
        answer(module, run, batch).q.sum().backward()
        if device.type == "cuda":
            torch.cuda.synchronize()
        seconds = time.perf_counter() - began
    steps = run.epochs * max(1, len(items) // run.batch)
    steps = min(steps, run.steps) if run.steps else steps
    weights = sum(p.numel() for p in module.parameters())
    yield (
        f"{run.net}: {weights:,} parameters, {seconds:.2f} s a step of {len(some)}, {steps:,} steps: about "
        f"{clock(seconds * steps)} on {device}, and the looks at unseen rows"
    )
    if room:
        yield f"pictures take up to {room / 2**30:.2f} GiB below {store.folder}"


def clock(seconds: float) -> str:
    """A duration in words."""
    minutes = round(seconds / 60)
    if minutes < 1:
        return f"{seconds:.0f} s"
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"
