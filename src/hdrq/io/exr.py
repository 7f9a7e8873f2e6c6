"""OpenEXR."""

from __future__ import annotations

from pathlib import Path

import torch

from hdrq.errors import FileError
from hdrq.types import BT709, PRIMARIES, Image, Primaries


def read(path: Path, *, layer=None, view=None, part=None, alpha: bool = False) -> Image:
    import OpenEXR

    file = OpenEXR.File(str(path), separate_channels=True)
    if not file.parts:
        raise FileError(f"{path} is damaged")
    header, channels = file.parts[0].header, file.parts[0].channels
    prefix = f"{layer}." if layer else ""
    names = [prefix + c for c in ("RGB" if prefix + "R" in channels else "Y")]
    (x0, y0), (x1, y1) = header["displayWindow"]
    (a0, b0), _ = header["dataWindow"]
    pixels = torch.zeros(1, len(names), y1 - y0 + 1, x1 - x0 + 1)
    for i, name in enumerate(names):
        plane = torch.from_numpy(channels[name].pixels)
        top, left = b0 - y0, a0 - x0
        t, l = max(top, 0), max(left, 0)
        b, r = min(top + plane.shape[0], pixels.shape[2]), min(left + plane.shape[1], pixels.shape[3])
        if b > t and r > l:
            pixels[0, i, t:b, l:r] = plane[t - top : b - top, l - left : r - left]
    c = header.get("chromaticities")
    primaries = BT709
    if c is not None:
        primaries = Primaries("file", (c[0], c[1]), (c[2], c[3]), (c[4], c[5]), (c[6], c[7]))
        for known in PRIMARIES.values():
            flat = (*known.red, *known.green, *known.blue, *known.white)
            if max(abs(p - q) for p, q in zip(flat, c, strict=True)) < 1e-4:
                primaries = known
    return Image(pixels, "nits", primaries, white_nits=header.get("whiteLuminance"), path=str(path))
