"""Images as code of a stated form: sRGB of BT.709 for networks, PQ (ITU-R BT.2100-3) for formats that hold code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from hdrq.encoding.emission import encode, gamut_note, in_float64, outside, outside_gamut
from hdrq.errors import DomainError
from hdrq.image.color import convert
from hdrq.image.transfer import linear_to_srgb
from hdrq.records import BT709, BT2020, P3, Encoding, Image
from hdrq.registry import find

# cd/m² of code 1.0 in the conversion, so that rounding is told from colours outside as in light
_WHITE = 100.0
# files that a line names
_SHOWN = 5
# primaries that every such format can state
TAGGED = (BT709, P3, BT2020)


def srgb_code(image: Image) -> Image:
    """Display code (srgb, gamma) as sRGB code of BT.709; colours that this cannot hold are clipped and counted in `notes`."""
    wide = image.primaries != BT709 and image.pixels.shape[1] == 3
    if image.domain == "srgb" and not wide:
        return image
    encoding: Encoding = find("encoding", image.domain)
    light, notes = encoding.decode(image.pixels, _WHITE), image.notes
    if wide:
        light = convert(light, image.primaries)
        beyond = outside(light) | (light > _WHITE * (1 + 1e-4))
        notes = (*notes, *gamut_note(beyond, BT709))
    code = linear_to_srgb((light / _WHITE).clamp(0, 1))
    return image.with_pixels(code, domain="srgb", primaries=BT709, bits=None, notes=notes)


def clipped(image: Image) -> str:
    """How many values of an image were outside BT.709, by its notes: "12 values (3 %)", "" for none."""
    end = outside_gamut(BT709)
    return next((note.removesuffix(end) for note in image.notes if note.endswith(end)), "")


def clipped_line(counts: Mapping[str, str]) -> str:
    """One line on the files of which values were clipped, {path: `clipped`}; "" where there are none."""
    if not counts:
        return ""
    named = [f"{Path(path).name} {count}" for path, count in list(counts.items())[:_SHOWN]]
    more = f" and {len(counts) - _SHOWN} more files" if len(counts) > _SHOWN else ""
    return f"training is in BT.709, and colours outside it were clipped: {', '.join(named)}{more}"


def pq_image(image: Image, bits: int = 16) -> tuple[Image, tuple[str, ...]]:
    """cd/m² as PQ code, (1, 3, H, W), in its own primaries, and notes on what was clipped; others than `TAGGED` become BT.2020.

    raises  DomainError unless the image is in cd/m²
    """
    if image.domain != "nits":
        raise DomainError(f"PQ encodes cd/m², not {image.domain}")
    target = image.primaries if image.primaries in TAGGED else BT2020
    exact = in_float64(image)
    light = convert(exact.pixels.expand(-1, 3, -1, -1), image.primaries, target)
    notes = (f"radiance as PQ code in {target.name} primaries", *gamut_note(outside(light), target))
    code = encode(replace(exact, pixels=light.clamp(min=0), primaries=target, notes=()), "pq")
    pixels = code.pixels.to(image.pixels.dtype)
    return replace(code, pixels=pixels, bits=bits, notes=()), (*notes, *code.notes)
