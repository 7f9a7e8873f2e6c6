"""Channels of an OpenEXR image: which are the image (parts, views, layers, names), luminance with subsampled chroma (YC) as RGB,
and deep images flattened, their samples composited front to back.

Source of YC: OpenEXR's ImfRgbaYca (BSD-3-Clause), which defines the seven coefficients of the half-band filter.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from hdrq.errors import UsageError
from hdrq.image.color import rgb_to_xyz
from hdrq.io.exr.header import Part
from hdrq.records import Primaries

COLOURS = (("R", "G", "B"), ("Y", "RY", "BY"), ("Y",))
LONG = {"RED": "R", "GREEN": "G", "BLUE": "B", "ALPHA": "A"}
# layers that hold the final image; Blender's first
MAIN = (
    "combined",
    "beauty",
    "rgba",
    "rgb",
    "color",
    "colour",
)
# Half of the symmetric interpolation filter, nearest sample first.
BETWEEN = (0.627123, -0.186077, 0.087929, -0.043159, 0.019597, -0.007540, 0.002128)


@dataclass
class ImageChannels:
    """Channels of one part that share layer and view, by the last part of their name (R for beauty.left.R)."""

    part: Part
    layer: str
    view: str
    channels: dict[str, str] = field(default_factory=dict)

    @property
    def colour(self) -> tuple[str, ...]:
        """The channels that form the image, in order; () when there are none."""
        if not self.layer and all(name in self.channels for name in "XYZ") and "R" not in self.channels:
            return ("X", "Y", "Z")
        if self.is_vector:
            return ()
        short = {LONG.get(name.upper(), name.upper()): name for name in self.channels}
        for names in COLOURS:
            if all(name in short for name in names):
                return tuple(short[name] for name in names)
        others = [name for name in self.channels if name.upper() not in ("A", "AR", "AG", "AB", "ALPHA")]
        return (others[0],) if len(others) == 1 else ()

    @property
    def is_vector(self) -> bool:
        """Whether channels are x, y, z in lower case, or X, Y, Z of a layer: a position or normal pass, not CIE XYZ."""
        names = set(self.channels)
        return {"x", "y", "z"} <= names or (bool(self.layer) and {"X", "Y", "Z"} <= names)

    @property
    def alpha(self) -> str | None:
        """The full name of the alpha channel."""
        return next(
            (full for name, full in self.channels.items() if LONG.get(name.upper(), name.upper()) == "A"),
            None,
        )

    @property
    def doubt(self) -> int:
        """0 where it is certainly an image; larger for possible normals, positions or depths."""
        names = tuple(LONG.get(name.upper(), name.upper()) for name in self.colour)
        return {("R", "G", "B"): 0, ("Y", "RY", "BY"): 0, ("Y",): 1, ("X", "Y", "Z"): 2}.get(names, 3)

    @property
    def title(self) -> str:
        """Part, layer and view, as --layer, --view and --part name them."""
        names = (self.part.name, self.layer, self.view)
        return "/".join(n for n in dict.fromkeys(names) if n) or "the unnamed image"


def image_titles(parts: Iterable[Part]) -> list[ImageChannels]:
    """Titles of all images in the file that can be selected."""
    found: dict[tuple[int, str, str], ImageChannels] = {}
    for part in parts:
        views = part.attributes.get("multiView")
        views = views if isinstance(views, list) else []
        for channel in part.channels:
            *path, last = channel.name.split(".")
            view = part.view or (views[0] if views else "")
            if path and path[-1] in views:
                view = path.pop()
            layer = ".".join(path)
            key = (part.number, layer, view)
            found.setdefault(key, ImageChannels(part, layer, view)).channels[last] = channel.name
    return list(found.values())


def pick(
    path: Path, parts: list[Part], layer: str | None, view: str | None, part: str | int | None
) -> tuple[ImageChannels, list[str]]:
    """The selected or main image, and notes on the channels and images that are not read."""
    everything = image_titles(parts)
    chosen = [p for p in everything if p.colour]
    wanted = {"part": part, "layer": layer, "view": view}
    if part is not None:
        chosen = [p for p in chosen if str(part) in (p.part.name, str(p.part.number))]
    if layer is not None:
        named = [p for p in chosen if p.layer == layer]
        chosen = named or [p for p in chosen if not p.layer and p.part.name == layer]
    if view is not None:
        chosen = [p for p in chosen if p.view == view]
    if not chosen:
        wish = " ".join(f"{k} '{v}'" for k, v in wanted.items() if v is not None)
        if wish:
            titles = _few(dict.fromkeys(p.title for p in everything if p.colour))
            raise UsageError(f"{path} has no image in {wish}; it holds: {titles}")
        names = _few(c.name for p in parts for c in p.channels)
        if any(p.is_vector for p in everything):
            raise UsageError(
                f"{path} holds a position or normal pass (x, y, z), not colours; its channels are {names}"
            )
        raise UsageError(f"{path} has no R, G, B and no Y; its channels are {names}")
    top = [p for p in chosen if not p.layer and p.doubt < 2] or chosen
    flat = [p for p in top if not p.part.deep] or top
    likely = [p for p in flat if p.doubt == min(f.doubt for f in flat)]
    if layer is None and likely[0].layer:
        finished = [p for name in MAIN for p in likely if p.layer.split(".")[-1].lower() == name]
        likely = finished[:1] or likely
    best = likely[0]
    if layer is None and best.layer and len({p.layer for p in likely}) > 1:
        layers = _few(dict.fromkeys(p.layer for p in likely))
        raise UsageError(f"{path} has no main image; choose one of its layers: {layers}")
    return best, _left(best, everything, wanted)


def _left(
    best: ImageChannels, everything: list[ImageChannels], wanted: dict[str, str | int | None]
) -> list[str]:
    """One note on unread channels and one on unread images."""
    notes = []
    used = {best.channels[name] for name in best.colour} | {best.alpha}
    if extra := [c for c in best.channels.values() if c not in used]:
        notes.append(f"channels not read: {_few(extra)}")
    others = [p for p in everything if p is not best]
    if others and all(v is None for v in wanted.values()):
        notes.append(f"read {best.title}; not read: {_few(dict.fromkeys(p.title for p in others))}")
    return notes


def _few(names: Iterable[str], most: int = 8) -> str:
    """The first names, for a one-line message."""
    listed = list(names)
    return ", ".join(listed[:most]) + (f" and {len(listed) - most} more" if len(listed) > most else "")


def upsample(plane: Tensor, height: int, width: int) -> Tensor:
    """(h, w) upsampled to (height, width); samples are on even rows and columns. Edges repeat."""
    if plane.shape[1] < width:
        plane = _double(plane, width)
    if plane.shape[0] < height:
        plane = _double(plane.T, height).T
    return plane


def _double(rows: Tensor, length: int) -> Tensor:
    """Columns upsampled by two by interpolation."""
    # other factors are legal but not seen in practice: repeat
    if -(-length // rows.shape[1]) != 2:
        return rows.repeat_interleave(-(-length // rows.shape[1]), 1)[:, :length]
    reach = len(BETWEEN)
    taps = torch.tensor([*reversed(BETWEEN), *BETWEEN], dtype=rows.dtype)
    wide = F.pad(rows[:, None], (reach - 1, reach), mode="replicate")
    middle = F.conv1d(wide, taps.reshape(1, 1, -1))[:, 0]
    return torch.stack([rows, middle], 2).reshape(rows.shape[0], -1)[:, :length]


def rgb(y: Tensor, ry: Tensor, by: Tensor, primaries: Primaries) -> Tensor:
    """(3, H, W) of luminance, (R - Y)/Y and (B - Y)/Y at full size.

    OpenEXR's viewer also reduces isolated saturated pixels; here they are unchanged.
    """
    wr, wg, wb = rgb_to_xyz(primaries)[1].tolist()
    red, blue = (ry + 1) * y, (by + 1) * y
    green = (y - wr * red - wb * blue) / wg
    return torch.stack([red, green, blue])


def flatten(channels: dict[str, Any], names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """(H, W) float32 per wanted channel, from (H, W) arrays of per-pixel sample arrays (None: no sample).

    Colours are premultiplied; a sample occludes those behind it by its alpha "A" (1 without that channel).
    Samples are taken as having no depth extent: ZBack is not used.
    """
    first = channels[names[0]]
    shape = first.shape
    counts = np.array([0 if s is None else len(s) for s in first.flat])
    pixel = np.repeat(np.arange(counts.size), counts)

    def samples(name: str, default: float) -> np.ndarray:
        there = [s for s in channels[name].flat if s is not None] if name in channels else []
        return np.concatenate(there).astype(np.float32) if there else np.full(len(pixel), default, np.float32)

    order = np.lexsort((samples("Z", 0.0), pixel))
    alpha = samples("A", 1.0)[order]
    starts = np.cumsum(counts) - counts
    rank = np.arange(len(pixel)) - np.repeat(starts, counts)
    through = np.ones(counts.size, np.float32)
    values = {name: samples(name, 0.0)[order] for name in names}
    out = {name: np.zeros(counts.size, np.float32) for name in names}
    for k in range(int(counts.max(initial=0))):
        at = np.flatnonzero(rank == k)
        where = pixel[at]
        for name in names:
            out[name][where] += through[where] * values[name][at]
        through[where] *= 1 - alpha[at]
    return {name: plane.reshape(shape) for name, plane in out.items()}
