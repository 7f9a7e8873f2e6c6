"""Figure of the teacher's scores: how much of the quality scale the training rows cover."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from hdrq.distillation.checks import FEW, Check
from hdrq.io import atomic

COVERAGE = "teacher_histogram"  # of the files, .png and .pdf


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
