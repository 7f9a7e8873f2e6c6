"""Estimate of data, parameters, time and memory of a training, from one step that is actually computed."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from hdrq.errors import TooLarge
from hdrq.io.memory import free_bytes
from hdrq.training.batches import Batch, BatchLoader, Item
from hdrq.training.image_cache import ImageCache
from hdrq.training.image_checks import Checked, Remark, check_images, from_files, image_parts
from hdrq.training.loop import SMALLER, explain_out_of_memory
from hdrq.training.meta_tasks import outer_steps
from hdrq.training.network import Output, build_apart, explain_options, forward
from hdrq.training.plan import Plan
from hdrq.training.settings import Settings
from hdrq.training.supervised import steps_per_epoch

# bytes per parameter in training: value, gradient and the two moments of AdamW, float32
_STATE = 16


def check_plan(plan: Plan) -> Iterator[Checked | Remark]:
    """Read all images of a training, as it does before its first step, and keep nothing."""
    parts = image_parts(plan.settings, plan.source, plan.held_out, plan.target)
    return check_images(plan.settings, parts, from_files(plan.settings.reading), few=plan.request.small)


def estimate(plan: Plan, device: torch.device) -> list[str]:
    """Lines on the data, the size of the network, time and memory.

    One item of each part is passed through the network, so that errors of training appear here.
    """
    settings = plan.settings
    parts = (plan.source, plan.held_out, plan.target)
    found = ", ".join(
        f"{len(i)} {w}" for i, w in zip(parts, ("to train on", "held out", "of the target")) if i
    )
    module = build_apart(settings)
    parameters = sum(p.numel() for p in module.parameters())
    lines = [
        f"data     {found}",
        f"network  {parameters:,} parameters, {parameters * _STATE / 2**30:.2f} GiB with gradients and moments",
    ]
    seconds, held = _one_step(replace(settings, batch=1), plan.source, settings.source_display, device)
    for items, display in ((plan.held_out, settings.held_display), (plan.target, settings.target_display)):
        if items:
            _one_step(replace(settings, batch=1), items, display, device, again=False)
    domains = 2 if plan.target else 1
    per_step = seconds * settings.batch * domains
    steps = settings.epochs * steps_per_epoch(settings, len(plan.source), len(plan.target))
    if settings.meta:
        each, within = outer_steps(settings, plan.source)
        steps, per_step = settings.epochs * each, per_step * within / each
    steps = min(steps, settings.steps) if settings.steps else steps
    lines.append(
        f"time     about {per_step:.2f} s a step x {steps:,} steps = {duration(per_step * steps)} on {device}"
    )
    need = held * settings.batch * domains + parameters * _STATE
    lines.append(f"memory   about {need / 2**30:.2f} GiB of {device} for a batch of {settings.batch}")
    refuse_too_large(need, settings.batch, device)
    return lines


def refuse_too_large(need: int, batch: int, device: torch.device) -> None:
    """Raise TooLarge where a step needs more bytes than are free on the device."""
    free = torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else free_bytes()
    if need > free:
        fits = batch * free // need
        # a power of two
        way = f"try --set batch={1 << (fits.bit_length() - 1)}" if fits >= 1 else SMALLER
        raise TooLarge(
            f"a batch of {batch} needs about {need / 2**30:.1f} GiB, and {free / 2**30:.1f} GiB are free; {way}"
        )


def _one_step(
    settings: Settings, items: list[Item], display: str, device: torch.device, again: bool = True
) -> tuple[float, int]:
    """(seconds, bytes kept for the gradient) of forward and backward of one item, measured on the second pass."""
    with tempfile.TemporaryDirectory() as folder:
        loader = BatchLoader(settings, items[:1], display, ImageCache(Path(folder), settings.reading))
        batch = loader.batch(items[:1], (0, 0)).to(device)
    module = build_apart(settings).to(device).eval()
    own = {p.untyped_storage().data_ptr() for p in module.parameters()}
    began, saved = time.perf_counter(), dict[int, int]()

    def keep(x: Tensor) -> Tensor:
        storage = x.untyped_storage()
        if storage.data_ptr() not in own:
            saved[storage.data_ptr()] = storage.nbytes()
        return x

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda x: x):
        for _ in range(2 if again else 1):
            began = time.perf_counter()
            saved.clear()
            found = _forward(module, settings, batch)
            (found.q.sum() if found.added is None else found.q.sum() + found.added).backward()
            if device.type == "cuda":
                torch.cuda.synchronize()
    return time.perf_counter() - began, sum(saved.values())


def _forward(module: nn.Module, settings: Settings, batch: Batch) -> Output:
    """The forward pass; UsageError where the build options do not fit together."""
    with explain_out_of_memory(settings), explain_options(settings.net, settings.options):
        return forward(module, settings, batch)


def duration(seconds: float) -> str:
    """Seconds below a minute, else hours and minutes to the nearest minute: "29 s", "4 min", "2 h 5 min"."""
    if round(seconds) < 60:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
