"""Estimate of data, parameters, time and memory of a training, from one step that is actually computed."""

from __future__ import annotations

import tempfile
import time
from dataclasses import replace
from pathlib import Path

import torch

from hdrq.training.batches import BatchLoader, Item
from hdrq.training.image_cache import ImageCache
from hdrq.training.meta_tasks import outer_steps
from hdrq.training.network import build_apart, forward
from hdrq.training.plan import Plan
from hdrq.training.settings import Settings
from hdrq.training.supervised import steps_per_epoch

_STATE = 16  # bytes per parameter in training: value, gradient and the two moments of AdamW, float32


def estimate(made: Plan, device: torch.device) -> list[str]:
    """Lines on the data, the size of the network, time and memory.

    One item of each part is passed through the network, so that errors of training appear here.
    """
    settings = made.settings
    parts = (made.source, made.held_out, made.target)
    found = ", ".join(
        f"{len(i)} {w}" for i, w in zip(parts, ("to train on", "held out", "of the target")) if i
    )
    module = build_apart(settings)
    parameters = sum(p.numel() for p in module.parameters())
    lines = [
        f"data     {found}",
        f"network  {parameters:,} parameters, {parameters * _STATE / 2**30:.2f} GiB with gradients and moments",
    ]
    seconds, grown = _one_step(replace(settings, batch=1), made.source, settings.source_display, device)
    for items, display in ((made.held_out, settings.held_display), (made.target, settings.target_display)):
        if items:
            _one_step(replace(settings, batch=1), items, display, device, again=False)
    domains = 2 if made.target else 1
    per_step = seconds * settings.batch * domains
    steps = settings.epochs * steps_per_epoch(settings, len(made.source), len(made.target))
    if settings.meta:
        each, within = outer_steps(settings, made.source)
        steps, per_step = settings.epochs * each, per_step * within / each
    steps = min(steps, settings.steps) if settings.steps else steps
    lines.append(
        f"time     about {per_step:.2f} s a step x {steps:,} steps = {clock(per_step * steps)} on {device}"
    )
    if grown:
        lines.append(
            f"memory   about {grown * settings.batch * domains / 2**30:.2f} GiB of {device} for a batch of "
            f"{settings.batch}"
        )
    return lines


def _one_step(
    settings: Settings, items: list[Item], display: str, device: torch.device, again: bool = True
) -> tuple[float, int]:
    """(seconds, bytes of GPU memory) of forward and backward of one item, measured on the second pass."""
    with tempfile.TemporaryDirectory() as folder:
        loader = BatchLoader(settings, items[:1], display, ImageCache(Path(folder), settings.reading))
        batch = loader.batch(items[:1], (0, 0)).to(device)
    module = build_apart(settings).to(device).eval()
    began = time.perf_counter()
    for _ in range(2 if again else 1):
        began = time.perf_counter()
        found = forward(module, settings, batch)
        (found.q.sum() if found.added is None else found.q.sum() + found.added).backward()
        if device.type == "cuda":
            torch.cuda.synchronize()
    seconds = time.perf_counter() - began
    return seconds, torch.cuda.max_memory_allocated(device) if device.type == "cuda" else 0


def clock(seconds: float) -> str:
    """A duration in words."""
    hours, rest = divmod(int(seconds), 3600)
    return f"{hours} h {rest // 60} min" if hours else f"{rest // 60} min {rest % 60} s"
