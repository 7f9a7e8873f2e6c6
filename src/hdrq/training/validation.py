"""Validation on held-out items, and the criterion by which the best epoch is kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isfinite

import numpy as np
import torch
from torch import nn

from hdrq.evaluation.statistics.correlation import plcc, srocc
from hdrq.training.batches import BatchLoader, Item
from hdrq.training.checkpoint import Progress, Validation
from hdrq.training.network import autocast, forward
from hdrq.training.settings import Settings


def predict(
    module: nn.Module,
    settings: Settings,
    loader: BatchLoader,
    items: Sequence[Item],
    device: torch.device,
    batch: int | None = None,
) -> np.ndarray:
    """Scores of items in order, without augmentation; the mean over `settings.repeats` samplings of patches.

    With input "crops", whole images are scored one at a time, as the metric does; with "whole", those of one size together.
    """
    module.eval()
    size = 1 if settings.input == "crops" else batch or settings.batch
    out = []
    with torch.inference_mode(), autocast(settings, device):
        for part in _runs(items, loader, size):
            several = [
                forward(module, settings, loader.batch(part, None, repeat=r).to(device)).q
                for r in range(settings.repeats)
            ]
            out.append(torch.stack(several).mean(0).float().cpu())
    return torch.cat(out).numpy()


def _runs(items: Sequence[Item], loader: BatchLoader, most: int) -> Iterator[Sequence[Item]]:
    """Items in order, in parts of at most `most` of one size."""
    first = 0
    for i in range(1, len(items) + 1):
        if i == len(items) or i - first == most or loader.size_of(items[i]) != loader.size_of(items[first]):
            yield items[first:i]
            first = i


def validate(
    module: nn.Module,
    settings: Settings,
    loader: BatchLoader,
    items: Sequence[Item],
    device: torch.device,
    progress: Progress,
) -> Validation:
    """Agreement on held-out items; updates in `progress` which epoch is the best."""
    predicted = predict(module, settings, loader, items, device)
    labels = np.array([i.label for i in items], dtype=np.float64)
    error = predicted - labels
    seen = {
        "srocc": srocc(predicted, labels),
        "plcc": plcc(predicted, labels),
        "mae": float(np.abs(error).mean()),
    }
    value = {**seen, "mae": -seen["mae"], "mse": -float((error**2).mean())}[settings.best_by]
    # the first validation is the best so far, even where ranks are undefined
    first = progress.best == float("-inf")
    better = first or value > progress.best
    progress.since_best = 0 if better else progress.since_best + 1
    progress.best = value if isfinite(value) and value > progress.best else progress.best
    return Validation(
        progress.epoch,
        progress.done,
        seen["srocc"],
        seen["plcc"],
        seen["mae"],
        better,
        tuple(float(v) for v in predicted),
    )
