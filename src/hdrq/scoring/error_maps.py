"""Error maps as files: values as float EXR, and a PNG with a legend."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from hdrq import io
from hdrq.cards import Reading
from hdrq.encoding.photometry import emit_for, factor_of
from hdrq.errors import FileError
from hdrq.image.color import LUMINANCE
from hdrq.image.color import luminance as luminance_of
from hdrq.records import Image, Score
from hdrq.scoring.features.hdrvdp.eye import lookup
from hdrq.scoring.features.hdrvdp.retina import blur
from hdrq.scoring.gradient_maps import GRADIENT
from hdrq.scoring.rows import Owners, stem_of
from hdrq.scoring.scorer import Scorer

Scale = Literal["trichromatic", "dichromatic", "monochromatic"]
# sRGB code of probabilities evenly spread over 0..1
SCALES = {
    "trichromatic": ((0.2, 0.2, 1.0), (0.2, 1.0, 1.0), (0.2, 1.0, 0.2), (1.0, 1.0, 0.2), (1.0, 0.2, 0.2)),
    "dichromatic": ((0.2, 1.0, 1.0), (1.0, 1.0, 1.0), (1.0, 1.0, 0.2)),
    "monochromatic": ((0.1, 0.1, 0.1), (0.9, 0.9, 0.9)),
}
# share of the code range that the scene takes
SHOWN = 0.6
# the same of its fine detail, where grey itself means probability
DETAIL = 0.2
BINS = 1024


def overlay(probability: Tensor, luminance: Tensor | None = None, scale: Scale = "trichromatic") -> Tensor:
    """(N, 1, H, W) probability of detection, 0..1, as (N, 3, H, W) sRGB code, 0..1.

    luminance  of the scene, any positive unit, (N, 1, H, W); None: an even grey
    scale      trichromatic   blue, cyan, green, yellow, red
               dichromatic    cyan, white, yellow: for observers who confuse red and green
               monochromatic  black to white, with only fine detail of the scene
    """
    places = probability.clamp(0, 1)
    nodes = torch.tensor(SCALES[scale], dtype=probability.dtype, device=probability.device)
    colours = torch.cat([lookup(node, places * (len(nodes) - 1)) for node in nodes.T], 1)
    if scale == "monochromatic":
        detail = 0.0 if luminance is None else _detail(luminance)
        return (colours + detail).clamp(0, 1)
    weights = torch.tensor(LUMINANCE, dtype=probability.dtype, device=probability.device)
    brightness = (colours * weights[:, None, None]).sum(1, keepdim=True)
    scene = 0.5 if luminance is None else equalised(luminance.clamp(min=1e-9).log(), SHOWN)
    return (colours / brightness * scene).clamp(0, 1)


def equalised(log_light: Tensor, share: float) -> Tensor:
    """Code within `share` of 0..1 around 0.5, (N, 1, H, W).

    Each level gets range by the cube root of how common it is, so that no part of the scene is lost.
    """
    tones = []
    for image in log_light:
        low, high = image.min(), image.max()
        places = (image - low) / (high - low).clamp(min=1e-9) * (BINS - 1)
        common = torch.histc(places.float(), BINS, -0.5, BINS - 0.5).to(image) ** (1 / 3)
        tones.append(lookup(common.cumsum(0) / common.sum() * share + (1 - share) / 2, places))
    return torch.stack(tones)


def _detail(luminance: Tensor) -> Tensor:
    """What a blur of two pixels takes away, as code around 0."""
    logs = luminance.clamp(min=1e-9).log()
    return equalised(logs - blur(logs, 2.0, "replicate"), DETAIL) - 0.5


# how much of the image shows through the colours
_GREY = 0.35
# pixels of legend under the image
_BAR = 56
_LEAST_WIDTH = 420
_MEANINGS = {
    "attention": "attention of the network; 1 is a uniform share",
    GRADIENT: "how strongly a pixel changes the score: magnitude of the gradient",
}
# maps from 0 to 1: colour scale, and what it means
_WHOLE_SPAN = {
    "error": ("magma", "no error at the left, the largest possible at the right"),
    "exposure": ("viridis", "the first exposure at the left, the last at the right"),
}


def write_map(
    folder: Path,
    row: Score,
    scorer: Scorer,
    reading: Reading,
    background: Image,
    scale: str = "trichromatic",
    number: str = "",
    owners: Owners | None = None,
) -> tuple[Path, Path]:
    """Write FOLDER/TEST.METRIC.exr and .png; returns their paths. A clip's frames are TEST.METRIC.00000.exr and so on.

    The EXR has the map's own values. In the PNG dark is the best value there can be (or that there is) and
    yellow the worst, over a grey image of the reference; probabilities of detection have HDR-VDP's colours. Maps of
    a whole span, as FLIP's, are drawn alone from 0 to 1.
    """
    if reading.map is None:
        raise FileError(f"{scorer} has no map")
    if len(reading.map) > 1:
        written = []
        for n in range(len(reading.map)):
            one = replace(reading, map=reading.map[n : n + 1])
            behind = background.with_pixels(background.pixels[n : n + 1])
            written.append(write_map(folder, row, scorer, one, behind, scale, f".{n:05d}", owners))
        return written[0]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"{folder} cannot be made: {error.strerror}") from error
    stem = stem_of(folder, row.ref, row.dist, row.metric, {} if owners is None else owners)
    stem = stem.with_name(stem.name + number)
    coloured, kind = reading.map.shape[1] == 3, reading.shows or scorer.metric.card.map
    values = (reading.map[:1] if coloured else reading.map[:1, :1]).float().cpu()
    numbers, colours = stem.with_name(stem.name + ".exr"), stem.with_name(stem.name + ".png")
    made = {"metric": row.metric, "value": f"{row.value}"}
    io.write(numbers, Image(values, "srgb" if coloured else "linear"), depth="float", provenance=made)
    luminance = _luminance(background, scorer)
    if coloured:
        rgb = (values[0].movedim(0, -1).numpy() * 255).astype(np.uint8)
    elif kind == "probability":
        rgb = _seen(values, luminance, row, scale)
    elif kind in _WHOLE_SPAN:
        rgb = _plain(values[0, 0], kind, row)
    else:
        rgb = _ranked(values[0, 0], luminance, scorer, row, kind)
    with io.atomic(colours) as part:
        from PIL import Image as Picture

        Picture.fromarray(rgb).save(part, format="png")
    return numbers, colours


def _luminance(image: Image, scorer: Scorer) -> Tensor:
    """Luminance of the image shown behind a map, cd/m², (1, 1, H, W)."""
    photometry = replace(scorer.photometry, nonfinite="clamp")
    light = emit_for(image, photometry, factor_of(image, photometry)).pixels[:1]
    return luminance_of(light).float().cpu()


def _backdrop(luminance: Tensor) -> Tensor:
    """Grey image of light, 0..1 (H, W), by the logarithm between its 1 % and 99.5 % luminance."""
    y = luminance[0, 0].clamp(min=1e-4).log()
    sample = y.flatten()[:: max(1, y.numel() // 100_000)]
    low, high = torch.quantile(sample, 0.01), torch.quantile(sample, 0.995)
    return ((y - low) / (high - low).clamp(min=1e-6)).clamp(0, 1)


def _seen(values: Tensor, luminance: Tensor, row: Score, scale: str) -> np.ndarray:
    """Probabilities in HDR-VDP's colours over the scene, with their legend."""
    code = overlay(values, luminance, scale)  # type: ignore[arg-type]
    steps = torch.linspace(0, 1, 256).reshape(1, 1, 1, 256)
    bar = overlay(steps, None, scale)[0].permute(1, 2, 0).numpy()[0]  # type: ignore[arg-type]
    body = (code[0].permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
    return _with_legend(body, bar, "0 %", "100 %", row, "probability of seeing a difference")


def _plain(values: Tensor, kind: str, row: Score) -> np.ndarray:
    """(H, W, 3) uint8: values 0..1 in 256 colours over that span, with their legend."""
    from matplotlib import colormaps

    name, meaning = _WHOLE_SPAN[kind]
    table = colormaps[name](np.arange(256))[:, :3]
    places = (values.clamp(0, 1) * 255 + 0.5).to(torch.int64).numpy()
    body = (table[places] * 255).round().astype(np.uint8)
    return _with_legend(body, table, "0", "1", row, meaning)


def _ranked(values: Tensor, luminance: Tensor, scorer: Scorer, row: Score, kind: str) -> np.ndarray:
    """(H, W, 3) uint8: the map in colours over the scene, with its legend."""
    from matplotlib import colormaps

    best, worst = span_of(values, scorer, kind)
    if worst == best:
        worst = best - 1e-6
    badness, backdrop = ((values - best) / (worst - best)).clamp(0, 1), _backdrop(luminance)
    if badness.shape != backdrop.shape:
        badness = torch.nn.functional.interpolate(badness[None, None], size=backdrop.shape, mode="bilinear")[
            0, 0
        ]
    ramp = colormaps["inferno"]
    colours = torch.from_numpy(ramp(badness.numpy())[..., :3]).float()
    mixed = colours * (1 - _GREY) + backdrop[..., None] * _GREY
    body = (mixed.numpy() * 255).round().astype(np.uint8)
    bar = ramp(np.linspace(0, 1, 256))[:, :3]
    meaning = _MEANINGS.get(kind, "best at the left, worst at the right")
    return _with_legend(body, bar, f"{best:.3g}", f"{worst:.3g}", row, meaning)


def span_of(values: Tensor, scorer: Scorer, kind: str | None = None) -> tuple[float, float]:
    """(best, worst) ends of the colours: the value of equal pixels, or the best there is, and the worst but for 0.5 %.

    kind  meaning of the map, where it is not that of the card: as Card.map, or "gradient"
    """
    kind = scorer.metric.card.map if kind is None else kind
    sample = values.flatten()[:: max(1, values.numel() // 100_000)]
    known = {"similarity": 1.0, "difference": 0.0, GRADIENT: 0.0}.get(kind, scorer.best)
    best = known if known is not None and np.isfinite(known) else None
    if kind == "similarity" or (scorer.better == "higher" and kind == ""):
        return float(sample.max() if best is None else best), float(torch.quantile(sample, 0.005))
    return min(0.0, float(sample.min())) if best is None else float(best), float(
        torch.quantile(sample, 0.995)
    )


def _with_legend(
    body: np.ndarray, bar: np.ndarray, left: str, right: str, row: Score, meaning: str
) -> np.ndarray:
    """The image, enlarged where it is narrow, above its colour bar (256, 3), the value and what colours mean."""
    from PIL import Image as Picture
    from PIL import ImageDraw, ImageFont

    if body.shape[1] < _LEAST_WIDTH:
        times = -(-_LEAST_WIDTH // body.shape[1])
        body = body.repeat(times, 0).repeat(times, 1)
    width = body.shape[1]
    legend = Picture.new("RGB", (width, _BAR), (24, 24, 24))
    strip = (bar[np.linspace(0, 255, width - 24).astype(int)] * 255).astype(np.uint8)
    legend.paste(Picture.fromarray(np.broadcast_to(strip, (12, *strip.shape)).copy()), (12, 8))
    pen, font = ImageDraw.Draw(legend), ImageFont.load_default(13)
    pen.text((12, 26), left, fill="white", font=font)
    pen.text((width - 12, 26), right, fill="white", font=font, anchor="ra")
    unit = f" {row.unit}" if row.unit not in ("", "1") else ""
    pen.text((width / 2, 26), f"{row.metric} = {row.value:.4g}{unit}", fill="white", font=font, anchor="ma")
    small = ImageFont.load_default(10)
    pen.text((width / 2, 41), meaning, fill=(170, 170, 170), font=small, anchor="ma")
    return np.concatenate([body, np.asarray(legend)], 0)
