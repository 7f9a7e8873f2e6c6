"""The student network: its training settings, rows as training items, and rendered images."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hdrq import io
from hdrq.cards import Metric
from hdrq.distillation.rendering import as_code, reference, render
from hdrq.distillation.rows import Row
from hdrq.distillation.sources import Sources
from hdrq.image.color import luminance, weigh
from hdrq.image.statistics import BT709_WEIGHTS
from hdrq.nn.net import Net
from hdrq.registry import find
from hdrq.training.batches import Item
from hdrq.training.data import compares
from hdrq.training.image_cache import ImageCache
from hdrq.training.overrides import adjust
from hdrq.training.settings import Settings
from hdrq.training.start_weights import with_start_options


def student_settings(
    metric: str, encoding: str, crop: tuple[int, int], start: str, overrides: Mapping[str, Any]
) -> Settings:
    """Default training settings of a student, changed by `overrides`.

    crop   (height, width) of the images, (0, 0) for whole ones
    start  initial weights; their card gives the build options of the network
    """
    net = str(find("metric", metric).card.net)
    shelf: Net = find("net", net)
    display = "code" if encoding == "srgb" else "nits"
    patchwise = bool(shelf.patch)
    settings = Settings(
        net=net,
        **{
            **{k: v for k, v in shelf.training.items() if k in ("options", "patches", "test_patches")},
            "encoding": encoding,
            "white": "pmax" if patchwise else "sdr",
            "source_display": display,
            "target_display": display,
            "target_labels": "loss",
            "input": "patches" if patchwise else "whole",
            **({"crop": crop[0], "aspect": crop[1] / crop[0]} if crop[0] else {}),
            "batch": 16,
            "loss": {"mae": 1.0, "pearson": 0.1},
            "rate": 3e-4,
            "schedule": "cosine",
            "warmup": 0.02,
            "epochs": 30,
            "start": start,
        },
    )
    if overrides.get("align"):
        settings = replace(settings, target="bright")
    settings = adjust(settings, overrides)
    if not settings.start:
        return settings
    only = {k: v for k, v in overrides.items() if k.startswith("options.")}
    return with_start_options(settings, adjust(Settings(""), only).options if only else {})


def better(net: str) -> str:
    """Direction of the student's score: "higher" for quality, "lower" for quality loss."""
    found: Metric = find("metric", net)
    return found.output().better


def label_of(net: str, quality: np.ndarray) -> np.ndarray:
    """The target score of the student for a quality of 0..1."""
    return quality if better(net) == "higher" else 1 - quality


def items_of(rows: Sequence[Row], labels: np.ndarray, net: str) -> list[Item]:
    """Rows with a label as training items; `RenderedRows` finds their images by the row number."""
    paired = compares(net)
    return [
        Item(f"dist:{r.number}", f"ref:{r.number}" if paired else None, float(v), r.scene, r.distortion)
        for r, v in zip(rows, labels)
        if np.isfinite(v)
    ]


class RenderedRows(ImageCache):
    """Images of a set as light or sRGB code, rendered when first needed and stored in half precision.

    channels  1: luminance only, for a student that reads no colour
    keep      False: rendered each time, which needs no disk space
    """

    def __init__(
        self,
        folder: Path,
        rows: Sequence[Row],
        files: Mapping[str, str],
        channels: int = 3,
        encoding: str = "pu21",
        keep: bool = True,
    ) -> None:
        super().__init__(folder)
        in_order = all(r.number == at for at, r in enumerate(rows))
        self.row: Callable[[int], Row] = (rows if in_order else {r.number: r for r in rows}).__getitem__
        self.files, self.channels, self.keep = files, channels, keep
        self.code = encoding == "srgb"
        self.sources = Sources()

    def holds_light(self, path: str | Path) -> bool:
        return not self.code

    def size(self, path: str | Path) -> tuple[int, int]:
        """(height, width), without rendering."""
        return self.row(int(str(path).partition(":")[2])).size

    def get(self, path: str | Path) -> np.ndarray:
        """(C, H, W) float32 light, cd/m², or code 0..1, of "dist:NUMBER" or "ref:NUMBER"."""
        kind, _, number = str(path).partition(":")
        row = self.row(int(number))
        made_of = [self.files[row.source], row.view, self.channels, self.code]
        made_of += [] if kind == "ref" else [row.distortion, row.level, row.seed]
        place = self.folder / (hashlib.sha256(repr(made_of).encode()).hexdigest()[:24] + ".npy")
        if self.keep and place.exists():
            result: np.ndarray = np.load(place).astype(np.float32)
            return result
        half = self._rendered(row, kind == "ref")[0].half().numpy()
        if self.keep:
            with io.atomic(place) as part:
                np.save(part, half)
        return half.astype(np.float32)

    @torch.inference_mode()
    def _rendered(self, row: Row, ref: bool) -> Tensor:
        light = reference(row, self.sources)[0] if ref else render(row, self.sources)[1]
        if self.code:
            code = as_code(light, row)
            return weigh(code, BT709_WEIGHTS) if self.channels == 1 else code
        return luminance(light) if self.channels == 1 else light


def channels_of(settings: Settings) -> int:
    """1 where the network reads luminance only."""
    with torch.device("meta"):
        module = find("net", settings.net).built(settings.options)
    channels = int(getattr(module, "channels", 3))
    return 1 if channels == (2 if compares(settings.net) else 1) else 3


def bytes_needed(rows: Sequence[Row], settings: Settings) -> int:
    """Size of all stored images of a set, bytes."""
    refs, pixels, paired = set[str](), 0, compares(settings.net)
    for row in rows:
        pixels += row.size[0] * row.size[1]
        if paired and (view := f"{row.source} {row.view}") not in refs:
            refs.add(view)
            pixels += row.size[0] * row.size[1]
    return pixels * channels_of(settings) * 2


def split_domains(rows: Sequence[Row], items: Sequence[Item]) -> tuple[list[Item], list[Item]]:
    """(items on SDR displays, items on brighter ones), the two domains of domain adaptation."""
    dim = {f"dist:{r.number}" for r in rows if r.display == "sdr"}
    return [i for i in items if i.dist in dim], [i for i in items if i.dist not in dim]
