"""Writing OpenEXR: scan lines, half or float, with primaries and provenance in the header."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import numpy as np

from hdrq.errors import FileError, PixelError, UsageError
from hdrq.io.atomic import atomic
from hdrq.io.color import flat
from hdrq.io.exr.header import COMPRESSIONS
from hdrq.io.exr.parse import parts_of
from hdrq.records import Image

LARGEST_HALF = 65504.0
Depth = Literal["half", "float"]


def write(
    path: Path,
    image: Image,
    *,
    depth: Depth = "float",
    compression: str = "zip",
    provenance: Mapping[str, Any] | None = None,
    extra: Mapping[str, np.ndarray] | None = None,
) -> tuple[str, ...]:
    """Write channels R, G, B or Y, and layers of additional planes.

    compression  none, rle, zips, zip, piz, or the lossy pxr24, b44, b44a, dwaa, dwab
    provenance   how the image was made; each entry becomes a header attribute "hdrq.NAME"
    extra        additional planes by layer name, always float: (H, W) becomes NAME.Y, (3, H, W) NAME.R, .G, .B
    """
    import OpenEXR

    known = {name: i for i, (name, *_) in enumerate(COMPRESSIONS[:10])}
    if compression not in known:
        raise UsageError(f"unknown EXR compression '{compression}'; choose one of {', '.join(known)}")
    pixels = image.pixels[0].detach().float().cpu().numpy()
    if depth == "half":
        too_large = int((np.isfinite(pixels) & (np.abs(pixels) > LARGEST_HALF)).sum())
        if too_large:
            raise PixelError(f"{path}: {too_large} values exceed 65504, the largest half; write float")
        pixels = pixels.astype(np.float16)
    planes = dict(zip("RGB" if len(pixels) == 3 else "Y", pixels))
    for layer, values in (extra or {}).items():
        stack = np.asarray(values, np.float32)
        stack = stack[None] if stack.ndim == 2 else stack
        if stack.shape[1:] != image.size or len(stack) not in (1, 3):
            raise UsageError(
                f"layer {layer} is {stack.shape}, the image {image.size}; give (H, W) or (3, H, W)"
            )
        planes |= {f"{layer}.{c}": p for c, p in zip("RGB" if len(stack) == 3 else "Y", stack)}
    header: dict[str, Any] = {
        "compression": OpenEXR.Compression(known[compression]),
        "type": OpenEXR.scanlineimage,
        "chromaticities": flat(image.primaries),
    }
    if image.white_nits:
        header["whiteLuminance"] = float(image.white_nits)
    if image.domain != "nits":
        header["hdrqDomain"] = image.domain
    header |= {f"hdrq.{k}": str(v) for k, v in (provenance or {}).items()}
    with atomic(path) as part:
        try:
            file = OpenEXR.File(header, {k: np.ascontiguousarray(v) for k, v in planes.items()})
            if _utf8(part):
                file.write(str(part))
            # OpenEXR cannot open other names
            else:
                file.write(memory := BytesIO())
                part.write_bytes(memory.getbuffer())
        except (RuntimeError, ValueError, TypeError) as error:
            # the library's message names the temporary file
            reason = str(error).splitlines()[0].replace(str(part), Path(path).name).rstrip(".")
            raise FileError(f"{path} cannot be written: {reason}; an existing file is unchanged") from error
        # the library may not report a full disk
        parts_of(Path(path), part.read_bytes())
    return ()


def _utf8(path: Path) -> bool:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True
