"""Agreement of a student with its teacher on held-out scenes, and the weights file with its card."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hdrq.evaluation.statistics.bootstrap import draw, interval
from hdrq.evaluation.statistics.correlation import plcc, srocc
from hdrq.io import atomic
from hdrq.nn.weights import save
from hdrq.training.batches import BatchLoader, Item
from hdrq.training.checkpoint import load_best
from hdrq.training.image_cache import ImageCache
from hdrq.training.network import build_apart
from hdrq.training.settings import Settings
from hdrq.training.validation import predict

_DRAWS = 400


def write_report(
    settings: Settings,
    name: str,
    teacher: str,
    data: str,
    results: Mapping[str, Any],
    held: Sequence[Item],
    folder: Path,
    images: ImageCache,
    device: torch.device,
    half: bool,
) -> tuple[Path, dict[str, Any]]:
    """Write the weights of the best epoch and held_out.csv; returns (card, agreement on the held-out rows)."""
    module = build_apart(settings)
    module.load_state_dict(load_best(folder))
    agreed: dict[str, Any] = {}
    if held:
        found = predict(
            module.to(device),
            settings,
            BatchLoader(settings, held, settings.source_display, images),
            held,
            device,
        )
        wanted = np.array([i.label for i in held])
        agreed = agreement(
            found, wanted, [i.scene for i in held], [i.distortion for i in held], settings.seed
        )
        _write(folder / "held_out.csv", held, found)
    _, card = save(
        module.cpu(),
        name=name,
        net=settings.net,
        options=settings.options,
        encoding=settings.encoding,
        white="sdr" if settings.encoding == "srgb" else settings.white,
        recipe=f"distilled from {teacher}, run {settings.digest}",
        data=data,
        results={**results, "held_out_scenes": sorted({i.scene for i in held}), "agreement": agreed},
        half=half,
        folder=folder,
    )
    return card, agreed


def _write(path: Path, held: Sequence[Item], predicted: np.ndarray) -> None:
    text = StringIO()
    writer = csv.writer(text)
    writer.writerow(("image", "scene", "distortion", "teacher", "student"))
    for item, value in zip(held, predicted):
        writer.writerow((item.dist, item.scene, item.distortion, f"{item.label:.6g}", f"{value:.6g}"))
    with atomic(path) as part:
        part.write_text(text.getvalue(), encoding="utf-8")


def agreement(
    predicted: np.ndarray,
    wanted: np.ndarray,
    scenes: Sequence[str],
    distortions: Sequence[str],
    seed: int = 0,
) -> dict[str, Any]:
    """{"all": {...}, distortion: {...}} with srocc, plcc, mae, their 95 % intervals over scenes, and counts."""
    groups = {"all": np.ones(len(predicted), dtype=bool)}
    names = np.array(list(distortions), dtype=object)
    groups |= {name: names == name for name in sorted(set(distortions) - {""})}
    place = np.array(list(scenes), dtype=object)
    return {name: _one(predicted[rows], wanted[rows], place[rows], seed) for name, rows in groups.items()}


def _one(predicted: np.ndarray, wanted: np.ndarray, scenes: np.ndarray, seed: int) -> dict[str, Any]:
    found: dict[str, Any] = {"rows": len(predicted), "scenes": len(set(scenes.tolist()))}
    if len(predicted) < 3:
        return found
    found |= {name: round(value, 4) for name, value in _numbers(predicted, wanted).items()}
    if found["scenes"] > 1:
        _, scene = np.unique(scenes.astype(str), return_inverse=True)
        drawn = []
        for times in draw(found["scenes"], _DRAWS, seed, len(predicted)):
            for one in times:
                rows = np.repeat(np.arange(len(predicted)), one[scene].astype(int))
                drawn.append(list(_numbers(predicted[rows], wanted[rows]).values()))
        low, high = interval(np.array(drawn))
        for k, name in enumerate(("srocc", "plcc", "mae")):
            found[f"{name}_interval"] = [round(float(low[k]), 4), round(float(high[k]), 4)]
    return found


def _numbers(predicted: np.ndarray, wanted: np.ndarray) -> dict[str, float]:
    with np.errstate(invalid="ignore", divide="ignore"):
        return {
            "srocc": float(srocc(predicted, wanted)),
            "plcc": float(plcc(predicted, wanted)),
            "mae": float(np.abs(predicted - wanted).mean()),
        }
