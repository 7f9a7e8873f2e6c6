"""Subjective scores as the teacher: the scores of a dataset or a manifest, for the same students."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from hdrq.distillation.split import HELD_OUT, VALIDATION, matching
from hdrq.distillation.student import better
from hdrq.encoding.reading import Reading
from hdrq.errors import DomainError, MissingPart, UsageError
from hdrq.evaluation.archive import Dataset, direction_of, locate
from hdrq.image.color import weigh
from hdrq.image.statistics import BT709_WEIGHTS
from hdrq.registry import find, names
from hdrq.training.batches import Item
from hdrq.training.data import compares, hold_out_scenes, labelled
from hdrq.training.image_cache import ImageCache, tensor
from hdrq.training.settings import Settings

# names of this teacher on input
MOS = ("opinions", "mos")


def mos_items(
    where: str, settings: Settings, hold_out: tuple[str, ...], whole: bool = False
) -> tuple[list[Item], list[Item], list[Item], Settings, str]:
    """(training items, validation items, held-out items, settings with the display of the images, a description).

    whole  whether images are learnt whole instead of from crops
    where  a dataset's name, NAME:SUBSET, or a CSV manifest with a column of subjective scores (higher is better)
    """
    name, _, subset = where.partition(":")
    if name in names("dataset"):
        dataset: Dataset = find("dataset", name)
        try:
            root = locate(dataset, None)
        except MissingPart as error:
            # hdrq distill has no --data
            raise MissingPart(str(error).replace("with --data or $HDRQ_DATA", "with $HDRQ_DATA")) from error
    elif Path(where).suffix.lower() in (".csv", ".tsv"):
        dataset, root, subset = find("dataset", "csv"), Path(where), ""
    else:
        raise UsageError(
            f"subjective scores come from a dataset or a manifest, not from '{where}'; see: hdrq list datasets"
        )
    pairs = list(dataset.pairs(root, subset or None))
    labels = "unit" if better(settings.net) == "higher" else "loss"
    items = labelled(pairs, labels, direction_of(dataset, pairs) != "lower")
    absent = len(pairs) - len(items)
    if len({i.label for i in items}) < 2:
        raise UsageError(f"all images of {where} have the same score; training needs different ones")
    if compares(settings.net):
        if any(i.ref is None for i in items):
            raise UsageError(
                f"{settings.net} needs reference images, and {where} has none; choose a no-reference student"
            )
    else:
        items = [replace(i, ref=None) for i in items]
    if hold_out:
        out = matching({i.scene for i in items}, hold_out)
        held = [i for i in items if i.scene in out]
        rest = [i for i in items if i.scene not in out]
    else:
        rest, held = hold_out_scenes(items, HELD_OUT, settings.seed)
    train, validation = hold_out_scenes(rest, VALIDATION, settings.seed + 1)
    light = settings.reading.image(items[0].dist).domain not in ("srgb", "gamma")
    absolute = find("encoding", settings.encoding).absolute
    if light and not absolute:
        raise DomainError(
            f"{items[0].dist} holds light, but the student reads {settings.encoding} code; use a student of PU21 code, "
            f"such as --student pu21:{settings.net}"
        )
    display = "nits" if light else "sdr-constant" if absolute else "code"
    kind = "crops" if settings.input == "whole" and not whole else settings.input
    return (
        train,
        validation,
        held,
        replace(settings, source_display=display, input=kind),
        f"subjective scores of {where}" + (f"; {absent} images without one are left out" if absent else ""),
    )


class LumaCache(ImageCache):
    """Files as one channel: luminance of light, luma of code (BT.709 weights)."""

    def get(self, path: str | Path) -> np.ndarray:
        found = super().get(path)
        return weigh(tensor(found)[None], BT709_WEIGHTS)[0].numpy()

    def holds_light(self, path: str | Path) -> bool:
        return bool(super().get(path).dtype == np.float32)


def cache_for(folder: Path, channels: int, reading: Reading) -> ImageCache:
    """Files decoded once, with the number of channels that the student reads."""
    return LumaCache(folder, reading) if channels == 1 else ImageCache(folder, reading)
