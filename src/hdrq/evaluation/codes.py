"""Codes of a network that separates quality from content, over a dataset, and their t-SNE as figures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from hdrq import io
from hdrq.errors import UsageError
from hdrq.evaluation.archive import Dataset, locate
from hdrq.evaluation.statistics.tsne import MOST, tsne
from hdrq.image.devices import device_of
from hdrq.image.resize import linear_resize
from hdrq.io import atomic
from hdrq.nn.network_input import scaled_input
from hdrq.nn.networks import uses
from hdrq.records import Pair
from hdrq.registry import find
from hdrq.scoring.binding import metric
from hdrq.scoring.scorer import Scorer

# pixels to which the images are resized, so that codes of content have one size
_SIDE = 224


@dataclass(frozen=True)
class Codes:
    """Codes (n, D) by name, such as "quality" and "content", with the subjective scores and scenes of the n images."""

    values: dict[str, NDArray[np.float64]]
    scores: NDArray[np.float64]
    scenes: tuple[str, ...]


def codes_of(
    network: str,
    dataset: str,
    data: str | Path | None = None,
    subset: str | None = None,
    device: str = "auto",
) -> Codes:
    """The codes that NET[@WEIGHTS] gives the images of a dataset with subjective scores, resized to 224x224.

    Raises UsageError for a network without codes, and for more images than t-SNE is computed for.
    """
    name = network.partition("@")[0]
    able = list(uses("enhance"))
    if name not in able:
        raise UsageError(
            f"'{name}' has no codes of quality and content; networks that have are {', '.join(able)}"
        )
    described: Dataset = find("dataset", dataset)
    pairs = [p for p in described.pairs(locate(described, data), subset) if p.mos is not None]
    if not 4 <= len(pairs) <= MOST:
        raise UsageError(f"{dataset} has {len(pairs)} images with scores; t-SNE is computed for 4 to {MOST}")
    scorer = metric(network, device=device_of(device))
    found: dict[str, list[NDArray[np.float64]]] = {}
    for pair in pairs:
        for kind, code in _codes(scorer, pair):
            found.setdefault(kind, []).append(code)
    return Codes(
        {kind: np.stack(rows) for kind, rows in found.items()},
        np.array([p.mos for p in pairs], dtype=np.float64),
        tuple(p.scene or str(p.dist) for p in pairs),
    )


def _codes(scorer: Scorer, pair: Pair) -> Iterator[tuple[str, NDArray[np.float64]]]:
    with torch.inference_mode():
        images, terms = scorer.prepare(None, io.read(str(pair.dist)))
        (code,) = scorer.inputs(images, terms)
        seen = scaled_input(linear_resize(code, (_SIDE, _SIDE)), scorer.net)
        for kind, values in scorer.net.codes(seen).items():
            yield kind, values[0].double().cpu().numpy()


def write_code_figures(codes: Codes, folder: str | Path, seed: int = 0) -> list[Path]:
    """t-SNE of every code, coloured by subjective score and by scene, as PNG and PDF: codes-KIND.png and .pdf.

    Where quality and content are apart, the quality code is ordered by score and mixed by scene, the other the reverse.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    numbers = {scene: i for i, scene in enumerate(dict.fromkeys(codes.scenes))}
    scenes = np.array([numbers[s] for s in codes.scenes])
    written: list[Path] = []
    for kind, values in codes.values.items():
        written += _drawn(kind, tsne(values, seed=seed), codes.scores, scenes, folder)
    return written


def _drawn(
    kind: str,
    places: NDArray[np.float64],
    scores: NDArray[np.float64],
    scenes: NDArray[np.int64],
    folder: Path,
) -> Sequence[Path]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 3.4), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, colour, table, title in zip(
        figure.subplots(1, 2),
        (scores, scenes),
        ("viridis", "hsv"),
        ("subjective score", "scene"),
        strict=True,
    ):
        dots = axes.scatter(*places.T, c=colour, cmap=table, s=9, linewidths=0)
        axes.set(xticks=[], yticks=[], title=f"{kind} code by {title}")
        if title != "scene":
            figure.colorbar(dots, ax=axes, shrink=0.8)
    written = []
    for format, metadata in (("png", {}), ("pdf", {"CreationDate": None})):
        path = folder / f"codes-{kind}.{format}"
        with atomic(path) as part:
            figure.savefig(part, dpi=200, format=format, metadata=metadata)
        written.append(path)
    return written
