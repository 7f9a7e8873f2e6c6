"""What an ICC profile says of domain and primaries. Source: ICC.1:2022."""

from __future__ import annotations

import struct

import numpy as np

from hdrq.io.cicp import meaning
from hdrq.io.gamut import primaries_of
from hdrq.records import BT709, Primaries

ROUNDING = 2e-3  # profiles store adapted colours as 16-bit fractions


def understand(profile: bytes, notes: list[str]) -> tuple[str, Primaries]:
    """(domain, primaries) of an RGB or grey profile; sRGB with a note where it does not say."""
    try:
        tags = _tags(profile)
        if "cicp" in tags and len(tags["cicp"]) >= 12:
            return meaning(tags["cicp"][8], tags["cicp"][9], notes)
        domain = "linear" if _is_linear(tags.get("rTRC") or tags.get("kTRC") or b"") else "srgb"
        if profile[16:20] == b"GRAY":
            return domain, BT709
        found = _primaries(tags)
    except (struct.error, KeyError, IndexError, ValueError, np.linalg.LinAlgError):
        found, domain = None, "srgb"
    if found is None:
        notes.append("colour profile not understood: taken as sRGB")
        return domain, BT709
    if found.name == "file":
        notes.append("primaries taken from the colour profile; its curve is taken as sRGB")
    return domain, found


def _tags(profile: bytes) -> dict[str, bytes]:
    (count,) = struct.unpack_from(">I", profile, 128)
    tags = {}
    for i in range(min(count, 200)):
        name, offset, size = struct.unpack_from(">4sII", profile, 132 + 12 * i)
        tags[name.decode("latin-1")] = profile[offset : offset + size]
    return tags


def _xyz(tag: bytes) -> np.ndarray:
    return np.array(struct.unpack_from(">3i", tag, 8)) / 65536


def _primaries(tags: dict[str, bytes]) -> Primaries | None:
    """Colorants are adapted to D50; undoing that gives the primaries and the white."""
    colours = np.array([_xyz(tags[name]) for name in ("rXYZ", "gXYZ", "bXYZ")]).T
    adapt = (
        np.array(struct.unpack_from(">9i", tags["chad"], 8)).reshape(3, 3) / 65536
        if "chad" in tags
        else BRADFORD_D65
    )
    original = np.linalg.solve(adapt, colours)
    points = [*original.T, original.sum(1)]
    return primaries_of([v for p in points for v in (p[0] / p.sum(), p[1] / p.sum())], ROUNDING)


# D65 to D50 (Lindbloom, Bradford): what profiles of version 2, which have no "chad", were made with.
BRADFORD_D65 = np.array(
    [
        [1.0478112, 0.0228866, -0.0501270],
        [0.0295424, 0.9904844, -0.0170491],
        [-0.0092345, 0.0150436, 0.7521316],
    ]
)


def _is_linear(curve: bytes) -> bool:
    """curv without entries, curv of one entry 1.0, or para of exponent 1."""
    if curve[:4] == b"curv":
        (count,) = struct.unpack_from(">I", curve, 8)
        return count == 0 or (count == 1 and struct.unpack_from(">H", curve, 12)[0] == 256)
    return curve[:4] == b"para" and struct.unpack_from(">Hxxi", curve, 8) == (0, 65536)
