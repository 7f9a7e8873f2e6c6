"""Checks before training: the range of the teacher's scores, how well simple metrics predict them, and the cost."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch

from hdrq.evaluation.statistics.correlation import srocc
from hdrq.io import atomic
from hdrq.training.batches import BatchLoader, Item
from hdrq.training.estimate import duration
from hdrq.training.image_cache import ImageCache
from hdrq.training.network import build_apart, explain_options, forward
from hdrq.training.settings import Settings


def cost(
    settings: Settings, items: Sequence[Item], images: ImageCache, device: torch.device, stored_bytes: int = 0
) -> Iterator[str]:
    """Lines on the size of the student, the time of its training, and the disk space of its images.

    stored_bytes  of the images that are stored
    """
    loader = BatchLoader(settings, items, settings.source_display, images)
    size = loader.size_of(items[0])
    some = list(islice((i for i in items if loader.size_of(i) == size), settings.batch))
    batch = loader.batch(some, (0, 0)).to(device)
    module = build_apart(settings).to(device).train()
    seconds = 0.0
    for _ in range(2):
        began = time.perf_counter()
        with explain_options(settings.net, settings.options):
            forward(module, settings, batch).q.sum().backward()
        if device.type == "cuda":
            torch.cuda.synchronize()
        seconds = time.perf_counter() - began
    steps = settings.epochs * max(1, len(items) // settings.batch)
    steps = min(steps, settings.steps) if settings.steps else steps
    weights = sum(p.numel() for p in module.parameters())
    yield (
        f"{settings.net}: {weights:,} parameters, {seconds:.2f} s a step of {len(some)}, {steps:,} steps: about "
        f"{duration(seconds * steps)} on {device}, and the time of validation"
    )
    if stored_bytes:
        yield f"stored images take up to {stored_bytes / 2**30:.2f} GiB in {images.folder} and are removed at the end"


EASY = 0.8
SIMPLE = ("pu21:psnr", "pu21:ssim")
# where no image is distorted, so that nothing differs from the reference
SIMPLE_BLIND = ("pu21:brisque", "pu21:piqe")
# of the quality scale; share of the rows below which a bin counts as empty
_BINS, FEW = 10, 0.02
# of the files of the figure, .png and .pdf
COVERAGE = "teacher_histogram"


@dataclass(frozen=True)
class Check:
    """Shares of the rows in ten bins of quality, worst to best, and SROCC of simple metrics with the teacher."""

    histogram: tuple[float, ...]
    simple: Mapping[str, float]
    lost: int

    @property
    def covered(self) -> float:
        """Share of the bins that hold at least 2 % of the rows."""
        return float(np.mean([share >= FEW for share in self.histogram]))

    def lines(self) -> list[str]:
        """Lines for the user before the training."""
        shares = " ".join(f"{100 * s:.0f}" for s in self.histogram)
        found = [f"quality by the teacher, worst to best, % of the rows in each tenth of the scale: {shares}"]
        if self.covered < 0.6:
            found.append(
                f"the rows cover only {100 * self.covered:.0f} % of the quality scale; add levels, or other distortions"
            )
        for name, value in self.simple.items():
            verdict = "" if value < EASY else f"; above {EASY}, so {name} predicts the teacher nearly as well"
            found.append(f"|SROCC| of {name} with the teacher: {value:.3f}{verdict}")
        if self.lost:
            found.append(f"{self.lost} rows have no teacher score and are skipped")
        return found


def check(quality: np.ndarray, simple: Mapping[str, Sequence[float] | np.ndarray]) -> Check:
    """quality (n,) with NaN where there is no score; `simple` are the scores of simple metrics for the first rows."""
    known = quality[np.isfinite(quality)]
    counts, _ = np.histogram(known, _BINS, (0, 1))
    found = {}
    for name, values in simple.items():
        v, q = np.asarray(values, dtype=np.float64), quality[: len(values)]
        ok = np.isfinite(v) & np.isfinite(q)
        found[name] = abs(srocc(v[ok], q[ok])) if ok.sum() > 2 else float("nan")
    return Check(tuple(counts / max(known.size, 1)), found, int(quality.size - known.size))


def draw_coverage(found: Check, teacher: str, folder: Path) -> Iterator[Path]:
    """Write the histogram as PNG and PDF; bins with too few rows to count as covered are grey. Yields the files."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    bins, shares = len(found.histogram), [100 * s for s in found.histogram]
    figure = Figure(figsize=(3.6, 2.6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    colours = ["#3b6fb6" if s >= FEW else "#9a9a9a" for s in found.histogram]
    axes.bar(
        [i / bins for i in range(bins)], shares, 1 / bins, align="edge", color=colours, edgecolor="white"
    )
    axes.axhline(100 * FEW, color="#c2410c", linewidth=0.8, linestyle="--")
    name = teacher.replace("$", r"\$")
    axes.set(xlim=(0, 1), xlabel=f"quality by {name}, worst to best", ylabel="% of the rows")
    axes.set_title(f"{100 * found.covered:.0f} % of the scale is covered", fontsize=9)
    for format, metadata in (("png", {}), ("pdf", {"CreationDate": None})):
        path = folder / f"{COVERAGE}.{format}"
        with atomic(path) as part:
            figure.savefig(part, dpi=200, format=format, metadata=metadata)
        yield path
