"""Looking at held-out scenes while training, and keeping the best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from hdrq.evaluation.statistics.correlation import plcc, srocc
from hdrq.io import atomic
from hdrq.nn.weights import save as save_weights
from hdrq.training.checkpoint import Progress
from hdrq.training.feed import Feed, Item
from hdrq.training.settings import Run
from hdrq.training.student import Averaged, answer, autocast, build


@dataclass(frozen=True)
class Validation:
    """A look at held-out scenes; `predicted` are in the order of the items."""

    epoch: int
    step: int
    srocc: float
    plcc: float
    mae: float
    best: bool
    predicted: tuple[float, ...]


def predict(
    module: nn.Module,
    run: Run,
    feed: Feed,
    items: Sequence[Item],
    device: torch.device,
    batch: int | None = None,
) -> np.ndarray:
    """Scores of items in order, by fixed cuts; the mean over `run.repeats` plans."""
    module.eval()
    size = batch or run.batch
    out = []
    with torch.inference_mode(), autocast(run, device):
        for i in range(0, len(items), size):
            several = [
                answer(module, run, feed.batch(items[i : i + size], None, repeat=r).to(device)).q
                for r in range(run.repeats)
            ]
            out.append(torch.stack(several).mean(0).float().cpu())
    return torch.cat(out).numpy()


def validate(
    module: nn.Module,
    averaged: Averaged | None,
    run: Run,
    feed: Feed,
    items: Sequence[Item],
    device: torch.device,
    progress: Progress,
) -> Validation:
    """Agreement on held-out scenes; updates what the best so far is."""
    with weights_of(module, averaged):
        predicted = predict(module, run, feed, items, device)
    labels = np.array([i.label for i in items], dtype=np.float64)
    away = np.abs(predicted - labels)
    seen = {"srocc": srocc(predicted, labels), "plcc": plcc(predicted, labels), "mae": float(away.mean())}
    good = {**seen, "mae": -seen["mae"], "mse": -float((away**2).mean())}[run.best_by]
    better = good > progress.best or progress.best == float(
        "-inf"
    )  # a first look is best, even one without ranks
    progress.since_best = 0 if better else progress.since_best + 1
    progress.best = good if good > progress.best else progress.best
    return Validation(
        progress.epoch,
        progress.done,
        seen["srocc"],
        seen["plcc"],
        seen["mae"],
        better,
        tuple(float(v) for v in predicted),
    )


class weights_of:
    """The averaged weights in the module's place, for the length of a block."""

    def __init__(self, module: nn.Module, averaged: Averaged | None) -> None:
        self.module, self.averaged = module, averaged

    def __enter__(self) -> None:
        if self.averaged is not None:
            self.own = {k: v.detach().clone() for k, v in self.module.state_dict().items()}
            self.module.load_state_dict(self.averaged.values)

    def __exit__(self, *_: object) -> None:
        if self.averaged is not None:
            self.module.load_state_dict(self.own)


def keep_best(
    folder: Path, module: nn.Module, averaged: Averaged | None, run: Run, seen: Validation | None = None
) -> Path:
    """Write best.pt, the weights and what was seen of them."""
    values = averaged.values if averaged is not None else module.state_dict()
    told = {k: getattr(seen, k) for k in ("srocc", "plcc", "mae", "epoch")} if seen is not None else {}
    with atomic(folder / "best.pt") as part:
        torch.save({"run": run.digest, "module": values, "seen": told}, part)
    return folder / "best.pt"


def best_of(folder: Path, part: str = "module") -> dict[str, Any]:
    """The weights of best.pt, or what was "seen" of them."""
    held = torch.load(folder / "best.pt", map_location="cpu", weights_only=True)
    return dict(held.get(part, {}))


def publish(folder: Path, run: Run, name: str, data: str, held_out: Sequence[str]) -> Path:
    """best.pt as weights with a card: FOLDER/NAME.safetensors and NAME.json; returns the card's path."""
    module = build(run)
    module.load_state_dict(best_of(folder))
    results = {"held_out_scenes": sorted(set(held_out)), "run": run.digest, **best_of(folder, "seen")}
    white = "sdr" if run.encoding == "srgb" else run.white
    _, card = save_weights(
        module,
        name=name,
        net=run.net,
        options=run.options,
        encoding=run.encoding,
        white=white,
        recipe=f"{name} {run.digest}",
        data=data,
        results=results,
        folder=folder,
    )
    return card
