"""Who learns: a run for a network, rows as items, and their pictures made once."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hdrq import io
from hdrq.cards import Metric
from hdrq.distillation.rendering import as_code, reference, render
from hdrq.distillation.samples import Row
from hdrq.distillation.sources import Sources
from hdrq.image.color import luminance, weigh
from hdrq.image.statistics import BT709_WEIGHTS
from hdrq.registry import find
from hdrq.training.feed import Item
from hdrq.training.image_cache import Pixels
from hdrq.training.settings import Run, adjust

_PATCHWISE = ("vtamiq", "pieapp", "pu-pieapp")


def run_of(student: str, encoding: str, crop: int, overrides: Mapping[str, Any]) -> Run:
    """The settings a student is trained with, unless the user says otherwise."""
    run = Run(
        net=student,
        encoding=encoding,
        white="pmax" if student in _PATCHWISE else "sdr",
        source_screen="code" if encoding == "srgb" else "nits",
        target_screen="code" if encoding == "srgb" else "nits",
        target_labels="loss",
        feed="patches" if student in _PATCHWISE else "pictures",
        patches=64 if student == "vtamiq" else 16,
        test_patches=128 if student == "vtamiq" else 16,
        crop=crop,
        batch=16,
        loss={"mae": 1.0, "pearson": 0.1},
        rate=3e-4,
        schedule="cosine",
        floor=0.01,
        warmup=0.02,
        epochs=30,
        options={"scales": 1} if student == "vtamiq" else {},
    )
    if overrides.get("align"):
        run = replace(run, target="bright")
    return adjust(run, overrides)


def better(student: str) -> str:
    """Which way a student's score goes: "higher" for quality, "lower" for loss of it."""
    found: Metric = find("metric", student)
    return found.output().better


def label_of(student: str, quality: np.ndarray) -> np.ndarray:
    """What the student should say of a quality of 0..1."""
    return quality if better(student) == "higher" else 1 - quality


def full_reference(student: str) -> bool:
    found: Metric = find("metric", student)
    return found.card.reference is not None


def items_of(rows: Sequence[Row], labels: np.ndarray, student: str) -> list[Item]:
    """Rows that have a label, to be looked up in `Rendered` by their number."""
    paired = full_reference(student)
    return [
        Item(f"dist:{r.number}", f"ref:{r.number}" if paired else None, float(v), r.scene, r.distortion)
        for r, v in zip(rows, labels)
        if np.isfinite(v)
    ]


class Rendered(Pixels):
    """Pictures of a set as light, or as sRGB code for a student of that, made when first asked for and kept in half precision.

    channels  1: luminance only, all that a student of luminance needs
    keep      False: made anew each time, for disks that are full
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
        self.rows = {r.number: r for r in rows}
        self.files, self.channels, self.keep = files, channels, keep
        self.code = encoding == "srgb"
        self.sources = Sources()

    def get(self, path: str | Path) -> np.ndarray:
        """(C, H, W) float32 light, cd/m², or code 0..1, of "dist:NUMBER" or "ref:NUMBER"."""
        kind, _, number = str(path).partition(":")
        row = self.rows[int(number)]
        said = [self.files[row.source], row.view, self.channels, self.code]
        said += [] if kind == "ref" else [row.distortion, row.level, row.seed]
        place = self.folder / (hashlib.sha256(repr(said).encode()).hexdigest()[:24] + ".npy")
        if self.keep and place.exists():
            return np.load(place).astype(np.float32)
        half = self._made(row, kind == "ref")[0].half().numpy()
        if self.keep:
            with io.atomic(place) as part:
                np.save(part, half)
        return half.astype(np.float32)

    @torch.inference_mode()
    def _made(self, row: Row, ref: bool) -> Tensor:
        light = reference(row, self.sources)[0] if ref else render(row, self.sources)[1]
        if self.code:
            code = as_code(light, row)
            return weigh(code, BT709_WEIGHTS) if self.channels == 1 else code
        return luminance(light) if self.channels == 1 else light


def channels_of(run: Run) -> int:
    """1 where the network reads luminance alone."""
    with torch.device("meta"):
        module = find("net", run.net).build(**run.options)
    each = int(getattr(module, "channels", 3))
    return 1 if each == (2 if full_reference(run.net) else 1) else 3


def room_needed(rows: Sequence[Row], run: Run) -> int:
    """Bytes of all pictures of a set, kept."""
    side = rows[0].side if rows else 0
    pictures = len(rows) + (len({(r.source, r.view) for r in rows}) if full_reference(run.net) else 0)
    return pictures * side * side * channels_of(run) * 2


def two_domains(rows: Sequence[Row], items: Sequence[Item]) -> tuple[list[Item], list[Item]]:
    """(items on SDR screens, items on brighter ones): what an alignment brings together."""
    dim = {f"dist:{r.number}" for r in rows if r.display == "sdr"}
    return [i for i in items if i.dist in dim], [i for i in items if i.dist not in dim]
