"""Light as PQ code, for formats that hold code. Source: ITU-R BT.2100-3."""

from __future__ import annotations

from dataclasses import replace

from hdrq.encoding.emission import encode, gamut_note, in_float64, outside
from hdrq.errors import DomainError
from hdrq.image.color import convert
from hdrq.records import BT709, BT2020, P3, Image

TAGGED = (BT709, P3, BT2020)  # primaries that every such format can state


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
