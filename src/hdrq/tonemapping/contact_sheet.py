"""Contact sheet: one scene by many operators, side by side, with their names and scores."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from warnings import catch_warnings, simplefilter

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont
from torch import Tensor

from hdrq.encoding.photometry import Photometry
from hdrq.errors import HdrqError, PixelError, UsageError
from hdrq.records import BT709, Image, Primaries
from hdrq.registry import names
from hdrq.scoring.scorer import Scorer
from hdrq.tonemapping.networks import operator_named
from hdrq.tonemapping.optimize import value_of_code
from hdrq.tonemapping.plan import Plan, plan
from hdrq.tonemapping.solvers.wls import Unsettled
from hdrq.tonemapping.tonemap import code_of, scene_of, shown

_WIDTH, _GAP, _LABEL = 384, 10, 34


@dataclass(frozen=True)
class Tile:
    """A reduced result as code (1, 3, h, w), empty with `error` where there is none; and the score of the full result."""

    operator: str
    code: Tensor
    score: float | None = None
    error: str = ""
    primaries: Primaries = BT709


def tiles(
    image: Image,
    operators: Sequence[str],
    scorer: Scorer | None = None,
    photometry: Photometry | None = None,
    **choices: Any,
) -> Iterator[Tile]:
    """Every operator with its defaults, applied and scored at full size, then reduced to the width of a tile.

    choices  of the plan: colour, saturation, levels, gamut, wrap, primaries
    """
    for name in operators:
        try:
            made: Plan = plan(name, **choices).for_image(image, photometry)
            scene, _ = scene_of(image, photometry, made)
            with catch_warnings(), torch.no_grad():
                # not visible at this size
                simplefilter("ignore", Unsettled)
                display_linear = shown(scene, made)
                score = _score(Image(scene, "nits", made.working), code_of(display_linear, made), scorer)
            small = code_of(reduced(display_linear), made)
            yield Tile(name, small.pixels, score, primaries=small.primaries)
        except HdrqError as error:
            yield Tile(name, torch.zeros(1, 3, 0, 0), error=str(error))


def operators_of(text: str) -> list[str]:
    """Names from "all" or a comma-separated list."""
    if text.strip() == "all":
        return list(names("tonemapper"))
    chosen = [part.strip() for part in text.split(",") if part.strip()]
    if not chosen:
        raise UsageError("--compare needs operators, such as all or reinhard,drago")
    for name in chosen:
        operator_named("tonemapper", name)
    return chosen


def sheet(pictured: Sequence[Tile], label: str = "") -> Image:
    """The tiles in rows, as sRGB code."""
    pictures = [t for t in pictured if t.code.numel()]
    if not pictures:
        raise PixelError(f"no operator made an image: {pictured[0].error if pictured else 'none was named'}")
    _, _, h, w = pictures[0].code.shape
    columns = max(1, min(len(pictures), round((len(pictures) * h / w * 1.5) ** 0.5)))
    rows = -(-len(pictures) // columns)
    canvas = Pillow.new("RGB", (columns * (w + _GAP) + _GAP, rows * (h + _LABEL + _GAP) + _GAP), (24, 24, 24))
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(size=18)
    for i, tile in enumerate(pictures):
        x, y = _GAP + (i % columns) * (w + _GAP), _GAP + (i // columns) * (h + _LABEL + _GAP)
        canvas.paste(Pillow.fromarray(_bytes(tile.code)), (x, y))
        text = tile.operator if tile.score is None else f"{tile.operator}   {label} {tile.score:.3f}"
        draw.text((x + 2, y + h + 5), text, fill=(235, 235, 235), font=font)
    pixels = torch.from_numpy(np.asarray(canvas).copy()).permute(2, 0, 1)[None].float() / 255
    return Image(pixels, "srgb", pictures[0].primaries, bits=8)


def _bytes(code: Tensor) -> np.ndarray:
    return (code[0].detach().cpu().permute(1, 2, 0) * 255).round().clamp(0, 255).byte().numpy()


def reduced(display_linear: Tensor) -> Tensor:
    """(N, C, H, W) averaged down to the width of a tile; never enlarged."""
    h, w = display_linear.shape[-2:]
    if max(h, w) <= _WIDTH:
        return display_linear
    scale = _WIDTH / max(h, w)
    return F.adaptive_avg_pool2d(display_linear, (max(1, round(h * scale)), max(1, round(w * scale))))


def _score(scene: Image, code: Image, scorer: Scorer | None) -> float | None:
    """The metric of the code rounded to its bits, None where the image is too small for it."""
    if scorer is None:
        return None
    try:
        return value_of_code(scene, code, scorer)
    except PixelError:
        return None
