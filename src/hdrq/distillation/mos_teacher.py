"""People as the teacher: a dataset's opinions, or those of a manifest, learnt by the same students."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from hdrq.distillation.split import HELD, LOOK
from hdrq.distillation.student import better, full_reference
from hdrq.errors import UsageError
from hdrq.evaluation.archive import Dataset, locate
from hdrq.image.color import weigh
from hdrq.image.statistics import BT709_WEIGHTS
from hdrq.registry import find, names
from hdrq.training.data import labelled, without_scenes
from hdrq.training.feed import Item
from hdrq.training.image_cache import Pixels, tensor
from hdrq.training.settings import Run

OPINIONS = "opinions"


def opinions(
    where: str, run: Run, hold_out: tuple[str, ...]
) -> tuple[list[Item], list[Item], list[Item], Run, str]:
    """(to learn from, to look at, held out, the run with the screen the pictures want, what they are).

    where  a dataset's name, NAME:SUBSET, or a CSV manifest with a column of opinions (higher is better)
    """
    name, _, subset = where.partition(":")
    if name in names("dataset"):
        dataset: Dataset = find("dataset", name)
        root = locate(dataset, None)
    elif Path(where).suffix.lower() in (".csv", ".tsv"):
        dataset, root, subset = find("dataset", "csv"), Path(where), ""
    else:
        raise UsageError(
            f"opinions come from a dataset or a manifest, not from '{where}'; see: hdrq list datasets"
        )
    pairs = list(dataset.pairs(root, subset or None))
    labels = "unit" if better(run.net) == "higher" else "loss"
    items = labelled(pairs, labels, dataset.better != "lower")
    if dataset.better == "lower" and labels == "unit":
        items = [replace(i, label=1 - i.label) for i in items if i.label is not None]
    if full_reference(run.net):
        if any(i.ref is None for i in items):
            raise UsageError(
                f"{run.net} compares with a reference, and {where} has none; choose a no-reference student"
            )
    else:
        items = [replace(i, ref=None) for i in items]
    if hold_out:
        held = [i for i in items if i.scene in hold_out]
        rest = [i for i in items if i.scene not in hold_out]
    else:
        rest, held = without_scenes(items, HELD, run.seed)
    learn, look = without_scenes(rest, LOOK, run.seed + 1)
    screen = "sdr-constant" if dataset.domain == "srgb" else "nits"
    if run.encoding == "srgb":
        screen = "code"
    feed = "crops" if run.feed == "pictures" else run.feed
    return learn, look, held, replace(run, source_screen=screen, feed=feed), f"opinions of {where}"


class Luma(Pixels):
    """Files as one channel: luminance of light, luma of code (BT.709 weights)."""

    def get(self, path: str | Path) -> np.ndarray:
        found = super().get(path)
        return weigh(tensor(found)[None], BT709_WEIGHTS)[0].numpy()


def store_for(folder: Path, channels: int) -> Pixels:
    """Files decoded once, in as many channels as the student reads."""
    return Luma(folder) if channels == 1 else Pixels(folder)
