"""Error maps as files: the numbers as float EXR, and a picture with a legend."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from hdrq import io
from hdrq.engine.bind import Scorer
from hdrq.engine.light import emit_for, factor_of
from hdrq.errors import FileError
from hdrq.ops.colour import luminance
from hdrq.types import Image, Reading, Score

_GREY = 0.35  # how much of the picture shows through the colours
_BAR = 56  # pixels of legend under the picture
_LEAST_WIDTH = 420


def write_map(
    folder: Path, row: Score, scorer: Scorer, reading: Reading, background: Image
) -> tuple[Path, Path]:
    """Write FOLDER/TEST.METRIC.exr and .png; returns their paths.

    The EXR has the map's own values. In the PNG, dark blue is the best value there can be (or that there is)
    and yellow the worst, over a grey picture of the reference.
    """
    if reading.map is None:
        raise FileError(f"{scorer} has no map")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"{folder} cannot be made: {error.strerror}") from error
    stem = folder / f"{Path(row.dist).stem}.{re.sub(r'[^A-Za-z0-9+.=_-]+', '_', row.metric)}"
    values = reading.map[:1, :1].float().cpu()
    numbers, picture = stem.with_name(stem.name + ".exr"), stem.with_name(stem.name + ".png")
    io.write(
        numbers,
        Image(values, "linear"),
        depth="float",
        provenance={"metric": row.metric, "value": f"{row.value}"},
    )
    rgb = draw(values[0, 0], scorer, row, _backdrop(background, scorer))
    with io.atomic(picture) as part:
        from PIL import Image as Picture

        Picture.fromarray(rgb).save(part, format="png")
    return numbers, picture


def _backdrop(image: Image, scorer: Scorer) -> Tensor:
    """Grey picture of the light, 0..1 (H, W), by the logarithm between its 1 % and 99.5 % luminance."""
    factor = factor_of(image, scorer.photometry)
    photometry = replace(scorer.photometry, nonfinite="clamp")
    y = luminance(emit_for(image, photometry, factor).pixels[:1]).float().cpu()[0, 0].clamp(min=1e-4).log()
    sample = y.flatten()[:: max(1, y.numel() // 100_000)]
    low, high = torch.quantile(sample, 0.01), torch.quantile(sample, 0.995)
    return ((y - low) / (high - low).clamp(min=1e-6)).clamp(0, 1)


def span_of(values: Tensor, scorer: Scorer) -> tuple[float, float]:
    """(best, worst) ends of the colours: the card's best value, and the 99.5 % quantile of the badness."""
    sample = values.flatten()[:: max(1, values.numel() // 100_000)]
    higher = scorer.metric.card.better == "higher" and scorer.metric.card.best is not None
    best = scorer.metric.card.best
    good = float(best) if best is not None and np.isfinite(best) and best <= 1 else float(sample.min())
    if higher and best is not None and np.isfinite(best):
        return good, float(torch.quantile(sample, 0.005))
    return min(good, float(sample.min())), float(torch.quantile(sample, 0.995))


def draw(values: Tensor, scorer: Scorer, row: Score, backdrop: Tensor) -> np.ndarray:
    """(H, W, 3) uint8: the map in colours over the backdrop, a legend below."""
    from matplotlib import colormaps
    from PIL import Image as Picture
    from PIL import ImageDraw, ImageFont

    best, worst = span_of(values, scorer)
    if worst == best:
        worst = best + (-1 if scorer.metric.card.better == "higher" else 1) * 1e-6
    badness = ((values - best) / (worst - best)).clamp(0, 1)
    size = tuple(backdrop.shape)
    if tuple(badness.shape) != size:
        badness = torch.nn.functional.interpolate(badness[None, None], size=size, mode="bilinear")[0, 0]
    ramp = colormaps["inferno"]
    colours = torch.from_numpy(ramp(badness.numpy())[..., :3]).float()
    mixed = colours * (1 - _GREY) + backdrop[..., None] * _GREY
    body = (mixed.numpy() * 255).round().astype(np.uint8)
    if body.shape[1] < _LEAST_WIDTH:
        times = -(-_LEAST_WIDTH // body.shape[1])
        body = body.repeat(times, 0).repeat(times, 1)
    width = body.shape[1]
    legend = Picture.new("RGB", (width, _BAR), (24, 24, 24))
    bar = (ramp(np.linspace(0, 1, width - 24))[:, :3] * 255).astype(np.uint8)
    legend.paste(Picture.fromarray(np.broadcast_to(bar, (12, *bar.shape)).copy()), (12, 8))
    pen, font = ImageDraw.Draw(legend), ImageFont.load_default(13)
    pen.text((12, 26), f"{best:.3g}", fill="white", font=font)
    pen.text((width - 12, 26), f"{worst:.3g}", fill="white", font=font, anchor="ra")
    title = f"{row.metric} = {row.value:.4g} {row.unit if row.unit != '1' else ''}".strip()
    pen.text((width / 2, 26), title, fill="white", font=font, anchor="ma")
    pen.text(
        (width / 2, 41),
        "best at the left, worst at the right",
        fill=(170, 170, 170),
        font=ImageFont.load_default(10),
        anchor="ma",
    )
    return np.concatenate([body, np.asarray(legend)], 0)
