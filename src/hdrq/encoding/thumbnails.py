"""Thumbnails of a reference and its test image, HDR tone-mapped, as data URIs for HTML pages."""

from __future__ import annotations

import base64
import io
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from hdrq.encoding.photometry import LIGHT, emit
from hdrq.errors import HdrqError
from hdrq.image.color import luminance
from hdrq.image.transfer import linear_to_srgb
from hdrq.io import read
from hdrq.records import BT709, Image, Pair

# value of the geometric mean of the reference's luminance, as in Reinhard et al. 2002
KEY = 0.18


def thumbnails(pair: Pair, side: int = 240) -> dict[str, str]:
    """{"ref": data URI, "dist": data URI} of the readable images; both are mapped with the reference's exposure."""
    found: dict[str, Tensor] = {}
    light = False
    for name, path in (("ref", pair.ref), ("dist", pair.dist)):
        if not isinstance(path, str | Path) or not Path(path).is_file():
            continue
        try:
            image = _small(read(path), side)
        except HdrqError:
            continue
        if image.domain not in LIGHT and image.domain != "srgb":
            image = emit(image, primaries=BT709)
        light = light or image.domain in LIGHT
        found[name] = image.pixels[0, :3].expand(3, -1, -1)
    if light and found:
        exposure = _exposure(found.get("ref", next(iter(found.values()))))
        found = {name: _mapped(pixels, exposure) for name, pixels in found.items()}
    return {name: _data(pixels) for name, pixels in found.items()}


def thumbnail(image: Image, side: int = 240) -> str:
    """One image, mapped with its own exposure, as a data URI."""
    small = _small(image, side)
    pixels = small.pixels[0, :3].expand(3, -1, -1).float()
    return _data(_mapped(pixels, _exposure(pixels)) if small.domain in LIGHT else pixels)


def _small(image: Image, side: int) -> Image:
    """Downsampled by averaging so that the longer side is at most `side`."""
    height, width = image.size
    factor = max(height, width) / side
    if factor <= 1:
        return image
    size = (max(1, round(height / factor)), max(1, round(width / factor)))
    pixels = torch.nan_to_num(image.pixels, nan=0.0, posinf=65504.0, neginf=0.0)
    return replace(image, pixels=adaptive_avg_pool2d(pixels, size))


def _exposure(light: Tensor) -> float:
    y = luminance(light[None]).clamp(min=1e-6)
    return KEY / float(y.log().mean().exp())


def _mapped(light: Tensor, exposure: float) -> Tensor:
    """Reinhard's global operator on luminance, with white at four times the key's white, then the sRGB curve."""
    y = luminance(light[None])[0].clamp(min=1e-9) * exposure
    shown = (light.clamp(min=0) * exposure) * ((1 + y / 16) / (1 + y))
    return linear_to_srgb(shown)


def _data(pixels: Tensor) -> str:
    from PIL import Image as Picture

    array = (pixels.clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
    buffer = io.BytesIO()
    Picture.fromarray(array).save(buffer, "JPEG", quality=82, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
