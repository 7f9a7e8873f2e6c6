"""HDR scenes to make training examples from: read once, reduced, and split by scene."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import torch.nn.functional as F
from torch import Tensor

from hdrq.encoding.photometry import LIGHT
from hdrq.encoding.reading import AS_STATED, Reading
from hdrq.errors import FileError, MissingPart, UsageError
from hdrq.io.folders import files_below
from hdrq.io.formats import by_suffix

# pixels of the longer side of a scene in memory
_SIDE = 1024
# numbers at the end of a name: one series of photographs
_SERIES = re.compile(r"([_-]?\d+k?)*$")
# in the column `use`: never trained on
JUDGE = "judge"


@dataclass(frozen=True)
class Scene:
    """light  (3, H, W) float32, linear BT.709, finite and not negative, in any unit;  notes  what was changed in reading."""

    name: str
    light: Tensor
    notes: tuple[str, ...] = ()


def read_scenes(data: Path | None, reading: Reading = AS_STATED) -> list[Scene]:
    """The scenes of a folder with HDR images, or of a CSV with the column `file` and perhaps `use`.

    Rows whose `use` is "judge" are left out; paths are relative to the CSV. Larger scenes are reduced to 1024 pixels.
    NaN and Inf are refused, or replaced where `reading` says so; negative values and colours outside BT.709 become 0, and
    the scene's notes count them.
    """
    if data is None:
        raise UsageError(
            "name the HDR scenes to train on with --data: a folder, or a CSV with the column file"
        )
    if data.is_dir():
        listed = data / "scenes.csv"
        if listed.exists():
            return read_scenes(listed, reading)
        files = [p for p in files_below(data) if _is_hdr(p) and not p.name.startswith(".")]
        if not files:
            raise MissingPart(f"{data} holds no HDR images (.exr, .hdr, .pfm ...)")
        return [read_scene(p, p.relative_to(data).with_suffix("").as_posix(), reading) for p in files]
    try:
        with data.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError) as error:
        raise FileError(f"{data} cannot be read as a list of scenes ({error})") from error
    if not rows or "file" not in rows[0]:
        raise UsageError(f"{data} has no column 'file'; it lists HDR images, one a row")
    names = [row["file"] for row in rows if row.get("use", "") != JUDGE]
    return [read_scene(data.parent / name, Path(name).with_suffix("").as_posix(), reading) for name in names]


def _is_hdr(path: Path) -> bool:
    found = by_suffix(path)
    return found is not None and found.name in ("exr", "radiance", "pfm")


def read_scene(path: Path, name: str, reading: Reading = AS_STATED) -> Scene:
    """One scene from its file."""
    image = reading.image(path)
    if image.domain not in LIGHT:
        raise UsageError(
            f"{path} holds {image.domain} code; a scene to train on is light (EXR, Radiance ...)"
        )
    emitted = reading.light(image)
    light = emitted.pixels.expand(-1, 3, -1, -1)
    factor = -(-max(light.shape[-2:]) // _SIDE)
    if factor > 1:
        light = F.avg_pool2d(light, factor)
    return Scene(name, light[0].float().contiguous(), emitted.notes)


def series(name: str) -> str:
    """The name without numbers at its end: brown_photostudio_01_1k and _02_1k are one series."""
    return _SERIES.sub("", name)


def split(
    scenes: Sequence[Scene], share: float, held: Sequence[str], seed: int
) -> tuple[list[Scene], list[Scene]]:
    """(to train on, held out). Scenes of one series are on the same side; the choice depends on names and seed alone.

    held  names of scenes to hold out instead of a share
    """
    if held:
        unknown = sorted(set(held) - {s.name for s in scenes})
        if unknown:
            raise UsageError(f"there is no scene '{unknown[0]}' to hold out")
        chosen = set(held)
    else:
        groups = sorted(
            {series(s.name) for s in scenes}, key=lambda g: sha256(f"{seed} {g}".encode()).digest()
        )
        left = round(share * len(groups)) if len(groups) > 1 else 0
        chosen = {s.name for s in scenes if series(s.name) in set(groups[:left])}
    train, out = [s for s in scenes if s.name not in chosen], [s for s in scenes if s.name in chosen]
    if not train:
        raise UsageError("no scene is left to train on; hold out fewer")
    return train, out
