"""Meaning of a file's numbers: primaries from chromaticities, code points, transfer functions.

Source: ITU-T H.273 (07/2024), used by PNG, AVIF, JPEG XL, ICC and video.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite

import torch
from torch import Tensor

from hdrq.image.transfer import linear_to_srgb
from hdrq.records import BT709, BT2020, P3, PRIMARIES, Primaries

# headers store chromaticities with three to five decimals
ROUNDING = 5e-4
# cd/m² of diffuse white in HDR. Source: ITU-R BT.2408; also Ultra HDR and ISO 21496-1
SDR_WHITE = 203.0


@dataclass(frozen=True)
class Meaning:
    """Meaning of code values.

    domain     "linear", "nits" or the name of an encoding
    primaries  of the three channels
    curve      for transfer functions without a name in hdrq: (1, C, H, W) code to linear, 1.0 = white; None otherwise
    """

    domain: str = "srgb"
    primaries: Primaries = BT709
    curve: Callable[[Tensor], Tensor] | None = None

    def apply(self, pixels: Tensor) -> Tensor:
        """sRGB code of the same light where the file has its own curve; otherwise the code unchanged.

        A channel after the colours (alpha) is unchanged.
        """
        if self.curve is None:
            return pixels
        colours = pixels.shape[1] - (pixels.shape[1] in (2, 4))
        code = linear_to_srgb(self.curve(pixels[:, :colours].double())).float()
        return torch.cat([code, pixels[:, colours:]], 1)


def power(exponent: float) -> Callable[[Tensor], Tensor]:
    """The curve light = code ^ exponent; negative code keeps its sign."""
    return lambda code: code.sign() * code.abs() ** exponent


def luminance(value: object, field: str, notes: list[str]) -> float | None:
    """The cd/m² of a pixel value of 1 that a field of a file states; None, with a note, where it is no positive number."""
    if value is None:
        return None
    if isinstance(value, int | float) and isfinite(value) and value > 0:
        return float(value)
    notes.append(f"{field} ignored: it is {value}, no positive luminance")
    return None


# --- primaries ----------------------------------------------------------------------------------------


def primaries_of(xy: Sequence[float], rounding: float = ROUNDING) -> Primaries | None:
    """Primaries from x, y of red, green, blue and white; known ones by name, None where they span no triangle."""
    numbers = [float(v) for v in xy]
    if len(numbers) != 8 or not all(isfinite(v) for v in numbers):
        return None
    for known in PRIMARIES.values():
        if max(abs(a - b) for a, b in zip(flat(known), numbers, strict=True)) <= rounding:
            return known
    (rx, ry), (gx, gy), (bx, by), (wx, wy) = pairs = list(zip(numbers[::2], numbers[1::2], strict=True))

    def area(ax: float, ay: float, bx: float, by: float, cx: float, cy: float) -> float:
        return (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)

    shares = [area(wx, wy, gx, gy, bx, by), area(rx, ry, wx, wy, bx, by), area(rx, ry, gx, gy, wx, wy)]
    whole = area(rx, ry, gx, gy, bx, by)
    if abs(whole) < 1e-4 or any(s / whole <= 0 for s in shares) or any(abs(y) < 1e-6 for _, y in pairs):
        return None
    # Equal from float32 and from text.
    red, green, blue, white = ((round(x, 7), round(y, 7)) for x, y in pairs)
    return Primaries("file", red, green, blue, white)


def flat(primaries: Primaries) -> tuple[float, ...]:
    """The eight chromaticities in the order of headers: x, y of red, green, blue, white."""
    return (*primaries.red, *primaries.green, *primaries.blue, *primaries.white)


# --- code points --------------------------------------------------------------------------------------

TRANSFER = {8: "linear", 13: "srgb", 16: "pq", 18: "hlg"}
# Camera transfer functions (OETF); the display determines the light of their code.
CAMERA = {1, 6, 7, 11, 12, 14, 15}
CURVES: dict[int, Callable[[Tensor], Tensor]] = {
    4: power(2.2),
    5: power(2.8),
    9: lambda v: torch.where(v <= 0, torch.zeros_like(v), 10 ** (2 * (v - 1))),
    10: lambda v: torch.where(v <= 0, torch.zeros_like(v), 10 ** (2.5 * (v - 1))),
    17: lambda v: 52.37 / 48 * power(2.6)(v),
}
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


def code_points(primaries: int, transfer: int, notes: list[str]) -> Meaning:
    """The meaning of two code points; unknown ones are taken as sRGB, with a note."""
    found = NAMED.get(primaries) or primaries_of(COLOURS.get(primaries, ()))
    if found is None and primaries != 2:
        notes.append(f"colour primaries {primaries} are unknown: assumed BT.709")
    curve = CURVES.get(transfer)
    if curve is not None:
        notes.append(f"transfer characteristics {transfer} applied: converted to sRGB code")
    elif transfer in CAMERA:
        notes.append("tagged with a camera OETF: code assumed to be sRGB for the display")
    elif transfer not in TRANSFER and transfer != 2:
        notes.append(f"transfer characteristics {transfer} are unknown: code assumed to be sRGB")
    return Meaning(TRANSFER.get(transfer, "srgb"), found or BT709, curve)


def points_of(domain: str, primaries: Primaries) -> tuple[int, int] | None:
    """The code points (primaries, transfer) of an image; None where H.273 has none."""
    transfer = {name: code for code, name in TRANSFER.items()}.get(domain)
    colours = CODES.get(primaries.name)
    return (colours, transfer) if transfer and colours else None
