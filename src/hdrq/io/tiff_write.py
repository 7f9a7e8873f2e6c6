"""Writing TIFF: integers of code, half and float of light or code, with primaries in tags."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hdrq.errors import DomainError, UsageError
from hdrq.io import icc, tag
from hdrq.io.arrange import codes
from hdrq.io.atomic import atomic
from hdrq.io.color import flat
from hdrq.records import BT709, Image


def write(
    path: Path,
    image: Image,
    *,
    depth: str | None = None,
    compression: str = "zip",
    ceiling: float = 1.0,
    provenance: Mapping[str, Any] | None = None,
) -> tuple[str, ...]:
    """Depth uint8, uint16, half or float; default: float for light, else the image's own bits, else 16."""
    import tifffile

    light = image.domain in ("nits", "linear")
    whole = "uint8" if image.bits is not None and image.bits <= 8 else "uint16"
    depth = depth or ("float" if light else whole)
    if depth not in ("uint8", "uint16", "half", "float") or compression not in ("zip", "none"):
        raise UsageError(
            f"TIFF has depth uint8, uint16, half or float and compression zip or none, not {depth}, {compression}"
        )
    if depth.startswith("uint"):
        if image.domain == "nits":
            raise DomainError(
                f"{path}: integers store code, not cd/m²; encode the image first or write depth float"
            )
        rows, notes = codes(image.pixels, 8 if depth == "uint8" else 16, ceiling, path)
    else:
        values = image.pixels[0].detach().float().cpu().permute(1, 2, 0).numpy()
        lost = int((np.isfinite(values) & (np.abs(values) > 65504)).sum()) if depth == "half" else 0
        if lost:
            raise UsageError(f"{path}: {lost} values exceed 65504, the largest half; write float")
        rows, notes = values.astype(np.float16 if depth == "half" else np.float32), []
        rows, ceiling = (rows[..., 0] if rows.shape[2] == 1 else rows), 1.0
    *colours, wx, wy = (round(v * 1e6) for v in flat(image.primaries))
    tags = [  # WhitePoint and PrimaryChromaticities, as pairs of numerator and denominator
        (318, 5, 2, (max(wx, 0), 10**6, max(wy, 0), 10**6), True),
        (319, 5, 6, tuple(n for v in colours for n in (max(v, 0), 10**6)), True),
    ]
    with atomic(path) as part:
        tifffile.imwrite(
            part,
            np.ascontiguousarray(rows),
            photometric="rgb" if rows.ndim == 3 else "minisblack",
            compression="zlib" if compression == "zip" else None,
            predictor=compression == "zip",
            description=tag.compose(image, ceiling, provenance),
            metadata=None,
            extratags=tags,
            iccprofile=icc.profile(image.primaries)
            if image.domain == "srgb" and image.primaries != BT709
            else None,
        )
    return tuple(notes)
