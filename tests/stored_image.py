"""One image in every format, encoding and primaries that can hold it, written by hdrq and by other writers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

import hdrq
from hdrq.encoding.displays import display
from hdrq.encoding.photometry import emit, encode
from hdrq.image.color import convert
from hdrq.records import ADOBE_RGB, BT709, BT2020, P3, XYZ, Image, Primaries

PRIMARIES = {p.name: p for p in (BT709, P3, BT2020, XYZ, ADOBE_RGB)}
# Of the difference that 2 % of noise makes: float; 16 bits; half, 12 bits (twice as much for RGBE).
EXACT, FINE, COARSE = 2e-3, 0.03, 0.4


@dataclass(frozen=True)
class Stored:
    """One file that holds the image: of light (or code that means light), or of code for the default display."""

    path: Path
    domain: str
    primaries: str
    error: float
    group: str


def one_of_each(files: list[tuple[Stored, Image]]) -> list[tuple[Stored, Image]]:
    """The first file of every domain and primaries."""
    return list({(s.domain, s.primaries): (s, i) for s, i in reversed(files) if s.error <= FINE}.values())


def code8(side: int) -> Tensor:
    """(1, 3, side, side + 8) sRGB code of 8 bits from 60 to 250, clouds with texture."""
    random = torch.Generator().manual_seed(4)
    clouds = torch.rand(1, 3, 7, 9, generator=random, dtype=torch.float64)
    image = torch.nn.functional.interpolate(clouds, (side, side + 8), mode="bicubic").clamp(0, 1)
    image = 0.8 * image + 0.2 * torch.rand(image.shape, generator=random, dtype=torch.float64)
    return (60 + 190 * image).round() / 255


def the_light(side: int) -> Image:
    """What the code gives on the default SDR display, cd/m², BT.709, float64."""
    return replace(emit(Image(code8(side), "srgb", BT709)), notes=(), displayed=False)


def in_primaries(light: Image, primaries: Primaries) -> Image:
    return Image(convert(light.pixels, BT709, primaries), "nits", primaries)


def signal(light: Image, domain: str, primaries: Primaries) -> Image:
    """Code that the default display of its domain shows as this light."""
    if domain in ("srgb", "gamma", "linear"):
        own = in_primaries(light, primaries)
        sdr = display("sdr")
        relative = (own.pixels - sdr.black_nits) / (sdr.peak_nits - sdr.black_nits)
        code = encode(own.with_pixels(relative * 100), domain, 100.0)
        return replace(code, bits=16) if domain == "linear" else code  # without bits, it is light
    own = in_primaries(light, primaries)
    return encode(own, domain)


def store(folder: Path, side: int) -> list[Stored]:
    """The image in every format, encoding and primaries that hdrq writes or another writer can, without loss."""
    light, found = the_light(side), []

    def put(image: Image, name: str, error: float, group: str, **options: object) -> None:
        suffix = name[name.index(".") :]
        path = folder / f"{group}-{image.domain}-{image.primaries.name}-{name}"
        assert suffix
        hdrq.write(path, replace(image, pixels=image.pixels.float()), **options)
        found.append(Stored(path, image.domain, image.primaries.name, error, group))

    for primaries in (BT709, P3, BT2020, XYZ):
        own = in_primaries(light, primaries)
        put(own, "float.exr", EXACT, "light", depth="float")
        put(own, "half.exr", COARSE, "light", depth="half")
        put(own, "float.tif", EXACT, "light", depth="float")
        put(own, "rgbe.hdr", COARSE * 2, "light")
        if primaries != XYZ:
            for domain in ("pq", "pu21", "pu08", "log10", "ln1p", "log1p"):
                put(encode(own, domain), "float.exr", FINE, "light", depth="float")
            put(encode(own, "mu"), "float.exr", FINE, "relative", depth="float")  # its white is the display's
            pq = encode(own, "pq")
            put(pq, "16.png", FINE, "light", depth="uint16")
            put(pq, "16.tif", FINE, "light", depth="uint16")
            put(pq, "12.avif", COARSE, "light", bits=12)
            put(pq, "16.jxl", FINE, "light", bits=16)
            for domain in ("srgb", "hlg", "gamma"):
                code = signal(light, domain, primaries)
                put(code, "16.png", FINE, domain, depth="uint16")
                put(code, "16.tif", FINE, domain, depth="uint16")
                if domain == "gamma":  # no code points
                    continue
                put(code, "16.jxl", FINE, domain, bits=16)
                put(code, "12.avif", COARSE, domain, bits=12)
    straight = signal(light, "linear", BT2020)
    put(straight, "16.png", FINE, "linear", depth="uint16")
    put(straight, "16.jxl", FINE, "linear", bits=16)
    put(straight, "12.avif", COARSE, "linear", bits=12)
    put(light, "float.pfm", EXACT, "light")
    eight = Image(code8(side), "srgb", BT709, 8)
    for name in ("8.png", "8.tif", "8.jxl", "8.avif"):
        put(eight, name, EXACT, "srgb", **({"bits": 8} if name[2] in "ja" else {"depth": "uint8"}))
    found += rarer(folder, light)
    found += by_other_writers(folder, (eight.pixels[0].movedim(0, -1).numpy() * 255).round().astype(np.uint8))
    return found


def rarer(folder: Path, light: Image) -> list[Stored]:
    """Adobe RGB, a clip, and JPEG XR, which hdrq only reads."""
    import imagecodecs

    from filmed import film

    own = in_primaries(light, ADOBE_RGB)
    found = []
    for image, name in ((own, "float.exr"), (own, "float.tif"), (signal(light, "srgb", ADOBE_RGB), "16.png")):
        path = folder / f"light-{image.domain}-adobe-rgb-{name}"
        options = {"depth": "uint16" if name == "16.png" else "float"}
        hdrq.write(path, replace(image, pixels=image.pixels.float()), **options)
        group, error = ("light", EXACT) if image is own else ("srgb", FINE)
        found.append(Stored(path, image.domain, "adobe-rgb", error, group))
    film(folder / "light-pq-bt2020-clip.mkv", in_primaries(light, BT2020).pixels)
    found.append(Stored(folder / "light-pq-bt2020-clip.mkv", "pq", "bt2020", 2 * COARSE, "light"))
    path = folder / "light-linear-bt709-float.jxr"
    rows = (light.pixels / 80)[0].movedim(0, -1).float().contiguous().numpy()  # scRGB: 1.0 is 80 cd/m²
    path.write_bytes(imagecodecs.jpegxr_encode(rows, level=1.0, photometric="rgb"))
    found.append(Stored(path, "linear", "bt709", EXACT, "light"))
    return found


def by_other_writers(folder: Path, code: np.ndarray) -> list[Stored]:
    from PIL import Image as Picture

    found = []
    for suffix, options in (
        (".bmp", {}),
        (".webp", {"lossless": True}),
        (".jp2", {"irreversible": False}),
        (".png", {}),
    ):
        path = folder / f"other{suffix}"
        Picture.fromarray(code).save(path, **options)
        found.append(Stored(path, "srgb", "bt709", EXACT, "srgb"))
    return found
