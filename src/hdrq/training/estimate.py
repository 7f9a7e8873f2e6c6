"""What a run would cost, told before it starts."""

from __future__ import annotations

import tempfile
import time
from dataclasses import replace
from pathlib import Path

import torch

from hdrq.errors import HdrqError
from hdrq.training.data import data_of
from hdrq.training.feed import Feed, Item
from hdrq.training.image_cache import Pixels
from hdrq.training.meta_tasks import outer_steps
from hdrq.training.settings import Run
from hdrq.training.student import answer, build

_STATE = 16  # bytes a parameter takes in training: itself, its gradient and AdamW's two moments, float32


def estimate(run: Run, data: Path | None, device: str) -> list[str]:
    """Lines on the data found, the size of the network, and the time, from one pair gone through forth and back."""
    lines = []
    items: tuple[list[Item], list[Item], list[Item]] | None = None
    try:
        items = data_of(run, data)
        found = ", ".join(
            f"{len(i)} {w}" for i, w in zip(items, ("to learn from", "held out", "of the target")) if i
        )
        lines.append(f"data     {found}")
    except HdrqError as error:
        lines.append(f"data     not there: {error}")
    module = build(run)
    parameters = sum(p.numel() for p in module.parameters())
    lines.append(
        f"network  {parameters:,} parameters, {parameters * _STATE / 2**30:.2f} GiB with gradients and moments"
    )
    if items is None:
        lines.append("time     unknown without the data")
        return lines
    seconds, grown = _one_step(replace(run, batch=1), items[0], device)
    domains = 2 if items[2] else 1
    per_step = seconds * run.batch * domains
    batches = len(items[2]) * run.target_repeat if items[2] and run.align else len(items[0])
    steps = run.epochs * max(1, batches // run.batch)
    if run.meta:
        each, within = outer_steps(run, items[0])
        steps, per_step = run.epochs * each, per_step * within / each
    steps = min(steps, run.steps) if run.steps else steps
    lines.append(
        f"time     about {per_step:.2f} s a step x {steps:,} steps = {_clock(per_step * steps)} on {device}"
    )
    if grown:
        lines.append(
            f"memory   about {grown * run.batch * domains / 2**30:.2f} GiB of {device} for a batch of {run.batch}"
        )
    return lines


def _one_step(run: Run, source: list[Item], device: str) -> tuple[float, int]:
    """(seconds, bytes of GPU memory) of one picture, forward and backward, the second time round."""
    where = torch.device(device)
    with tempfile.TemporaryDirectory() as folder:
        feed = Feed(run, source[:1], run.source_screen, Pixels(Path(folder)))
        batch = feed.batch(source[:1], (0, 0)).to(where)
    module = build(run).to(where).eval()
    began = time.perf_counter()
    for again in range(2):
        began = time.perf_counter()
        said = answer(module, run, batch)
        (said.q.sum() if said.added is None else said.q.sum() + said.added).backward()
        if where.type == "cuda":
            torch.cuda.synchronize()
        if again:
            break
    seconds = time.perf_counter() - began
    return seconds, torch.cuda.max_memory_allocated(where) if where.type == "cuda" else 0


def _clock(seconds: float) -> str:
    hours, rest = divmod(int(seconds), 3600)
    return f"{hours} h {rest // 60} min" if hours else f"{rest // 60} min {rest % 60} s"
