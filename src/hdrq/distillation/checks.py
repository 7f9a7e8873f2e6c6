"""Checks before training: can the set be learnt, and what will the training cost."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from hdrq.evaluation.statistics.correlation import srocc
from hdrq.training.feed import Feed, Item
from hdrq.training.image_cache import Pixels
from hdrq.training.settings import Run
from hdrq.training.student import answer, build


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


EASY = 0.8
CHEAP = ("pu21:psnr", "pu21:ssim")
_BINS, _FEW = 10, 0.02  # of the quality scale; share of the rows below which a bin counts as empty


@dataclass(frozen=True)
class Check:
    """Shares of the rows in ten bins of quality from worst to best; what simple metrics make of the teacher."""

    histogram: tuple[float, ...]
    cheap: Mapping[str, float]
    lost: int

    @property
    def covered(self) -> float:
        """Share of the bins that hold at least 2 % of the rows."""
        return float(np.mean([share >= _FEW for share in self.histogram]))

    def lines(self) -> list[str]:
        """What a user should read before the training."""
        shares = " ".join(f"{100 * s:.0f}" for s in self.histogram)
        said = [f"teacher's qualities from worst to best, % of the rows in each tenth: {shares}"]
        if self.covered < 0.6:
            said.append(
                f"only {100 * self.covered:.0f} % of the scale is covered; add levels, or other distortions"
            )
        for name, value in self.cheap.items():
            verdict = "" if value < EASY else f"; above {EASY}: the teacher says little that {name} does not"
            said.append(f"|SROCC| of {name} with the teacher: {value:.3f}{verdict}")
        if self.lost:
            said.append(f"{self.lost} rows have no score of the teacher and are left out")
        return said


def check(quality: np.ndarray, cheap: Mapping[str, Sequence[float] | np.ndarray]) -> Check:
    """quality (n,) with NaN where there is none; cheap metrics' scores of the first rows."""
    known = quality[np.isfinite(quality)]
    counts, _ = np.histogram(known, _BINS, (0, 1))
    found = {}
    for name, values in cheap.items():
        v, q = np.asarray(values, dtype=np.float64), quality[: len(values)]
        ok = np.isfinite(v) & np.isfinite(q)
        found[name] = abs(srocc(v[ok], q[ok])) if ok.sum() > 2 else float("nan")
    return Check(tuple(counts / max(known.size, 1)), found, int(quality.size - known.size))
