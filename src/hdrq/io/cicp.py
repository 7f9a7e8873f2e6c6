"""Code points by which PNG, AVIF, JPEG XL and ICC name colours. Source: ITU-T H.273 (07/2024)."""

from __future__ import annotations

from hdrq.io.gamut import primaries_of
from hdrq.records import BT709, BT2020, P3, Primaries

TRANSFER = {8: "linear", 13: "srgb", 16: "pq", 18: "hlg"}
CAMERA = {1, 6, 14, 15}  # curves of cameras; what a screen makes of the code is the display's affair
COLOURS: dict[int, tuple[float, ...]] = {
    4: (0.67, 0.33, 0.21, 0.71, 0.14, 0.08, 0.310, 0.316),
    5: (0.64, 0.33, 0.29, 0.60, 0.15, 0.06, 0.3127, 0.3290),
    6: (0.630, 0.340, 0.310, 0.595, 0.155, 0.070, 0.3127, 0.3290),
    7: (0.630, 0.340, 0.310, 0.595, 0.155, 0.070, 0.3127, 0.3290),
    8: (0.681, 0.319, 0.243, 0.692, 0.145, 0.049, 0.310, 0.316),
    10: (1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1 / 3, 1 / 3),
    11: (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.314, 0.351),
    22: (0.630, 0.340, 0.295, 0.605, 0.155, 0.077, 0.3127, 0.3290),
}
NAMED = {1: BT709, 9: BT2020, 12: P3}
CODES = {"bt709": 1, "bt2020": 9, "p3": 12, "xyz": 10}


def meaning(primaries: int, transfer: int, notes: list[str]) -> tuple[str, Primaries]:
    """(domain, primaries) of a pair of code points; what is not known is taken as sRGB, with a note."""
    found = NAMED.get(primaries) or primaries_of(COLOURS.get(primaries, ()))
    if found is None and primaries != 2:
        notes.append(f"colour primaries {primaries} are not known: taken as BT.709")
    domain = TRANSFER.get(transfer)
    if transfer in CAMERA:
        notes.append(
            "tagged with a camera's transfer curve: code taken as sRGB; the display decides its light"
        )
    elif domain is None and transfer != 2:
        notes.append(f"transfer characteristics {transfer} are not known: code taken as sRGB")
    return domain or "srgb", found or BT709


def codes(domain: str, primaries: Primaries) -> tuple[int, int] | None:
    """The code points of an image, where there are any."""
    transfer = {name: code for code, name in TRANSFER.items()}.get(domain)
    colours = CODES.get(primaries.name)
    return (colours, transfer) if transfer and colours else None
