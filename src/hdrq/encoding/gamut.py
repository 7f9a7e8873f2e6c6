"""What networks are trained on: light or sRGB code of BT.709; colours outside it are clipped and counted."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from hdrq.encoding.emission import gamut_note, outside, outside_gamut
from hdrq.image.color import convert
from hdrq.image.transfer import linear_to_srgb
from hdrq.records import BT709, Encoding, Image
from hdrq.registry import find

# cd/m² of code 1.0 in the conversion, so that rounding is told from colours outside as in light
_WHITE = 100.0
_SHOWN = 5  # files that a line names


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


def clipped_line(found: Mapping[str, str]) -> str:
    """One line on the files of which values were clipped, {path: `clipped`}; "" where there are none."""
    if not found:
        return ""
    named = [f"{Path(path).name} {count}" for path, count in list(found.items())[:_SHOWN]]
    more = f" and {len(found) - _SHOWN} more files" if len(found) > _SHOWN else ""
    return f"training is in BT.709, and colours outside it were clipped: {', '.join(named)}{more}"
