"""Ultra HDR JPEG: an SDR image with a gain map to HDR. Source: ISO 21496-1:2025."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hdrq import io
from hdrq.errors import UsageError
from hdrq.image.color import working_in
from hdrq.image.statistics import luminance, ratio
from hdrq.image.transfer import srgb_to_linear
from hdrq.records import Image

MOST_STOPS = 8.0
# of the gain map, SDR white is 1
_OFFSET = 1 / 64


def check_stops(stops: float) -> None:
    """Raise UsageError for a headroom outside the supported range."""
    if not 0 < stops <= MOST_STOPS:
        raise UsageError(
            f"--gain-map must be a headroom within 0 .. {MOST_STOPS:g} stops above SDR white, not {stops:g}"
        )


def hdr_light(scene: Tensor, base: Tensor, stops: float) -> Tensor:
    """Light of the HDR rendition, 1.0 = SDR white, of a scene and its display-linear SDR image, both (1, 3, H, W).

    The scene is scaled so that the median of its luminance over that of the base is 1, where the base is neither black
    nor clipped. The rendition is the scene, with its largest channel limited to 2^stops, where it is brighter than the base, and
    the base elsewhere.
    """
    scene = scene.clamp(min=0)
    light, shown = luminance(scene), luminance(base)
    used = (shown > 0.01) & (base.amax(1, keepdim=True) < 0.99) & (light > 0)
    factor = (shown[used] / light[used]).median() if bool(used.any()) else torch.ones((), dtype=light.dtype)
    gain = torch.minimum(factor, ratio(torch.full_like(light, 2.0**stops), scene.amax(1, keepdim=True)))
    return torch.where(light * gain > shown, scene * gain, base)


def write_ultra_hdr(
    target: Path, scene: Tensor, code: Image, stops: float, **options: Any
) -> tuple[str, ...]:
    """The code as a JPEG with a gain map to the scene's light; notes state the accuracy of decoding.

    raises  UsageError where the file is not a JPEG or the code is not sRGB
    """
    known = io.by_suffix(target)
    if known is None or known.name != "jpeg" or code.domain != "srgb":
        raise UsageError(
            f"{target.name}: a gain map needs sRGB code in a JPEG; use the suffix .jpg, without --display"
        )
    pixels = code.pixels.detach().cpu()
    with working_in(code.primaries):
        light = hdr_light(scene.detach().cpu(), srgb_to_linear(pixels), stops)
    hdr = Image(light, "linear", code.primaries)
    notes = io.write(target, hdr, base=replace(code, pixels=pixels), **options)
    back = io.read(target, layer="hdr").pixels
    off = ((back + _OFFSET) / (light + _OFFSET)).log2().abs().flatten()
    worst = float(off.kthvalue(max(1, int(0.99 * off.numel()))).values)
    headroom = max(float(light.max().log2()), 0.0)
    return (
        *notes,
        f"gain map to light of {headroom:.2f} stops above SDR white; 99 % of the values are decoded within {worst:.3f} stops",
    )
