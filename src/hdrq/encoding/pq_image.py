"""Light as PQ code in BT.2020 primaries, for formats that hold code. Source: ITU-R BT.2100-3."""

from __future__ import annotations

from hdrq.errors import DomainError
from hdrq.image.color import convert
from hdrq.image.transfer import nits_to_pq
from hdrq.records import BT2020, Image

PQ_PEAK = 10_000.0  # cd/m²


def pq_image(image: Image, bits: int = 16) -> tuple[Image, tuple[str, ...]]:
    """cd/m² as PQ code, (1, 3, H, W), and notes on what was clipped.

    raises  DomainError unless the image is in cd/m²
    """
    if image.domain != "nits":
        raise DomainError(f"PQ encodes cd/m², not {image.domain}")
    light = image.pixels.expand(-1, 3, -1, -1)
    wide = convert(light, image.primaries, BT2020)
    kept = wide.clamp(0, PQ_PEAK)
    cut = int((wide > PQ_PEAK).any(1).sum())
    notes: tuple[str, ...] = ("radiance as PQ code in BT.2020 primaries",)
    if cut:
        notes += (f"{cut} pixels above {PQ_PEAK:g} cd/m² clipped; .exr can store them",)
    return Image(nits_to_pq(kept), "pq", BT2020, bits=bits), notes
