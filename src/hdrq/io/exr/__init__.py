"""OpenEXR, read and written by the OpenEXR library after the structure of the file has been checked.

channels  Which channels are the image; luminance with subsampled chroma as RGB; deep images flattened
header    The header of a part of an OpenEXR file
parse     Parser of OpenEXR headers, and checks that the rest of the file is consistent with them
write     Writing OpenEXR: scan lines, half or float, with primaries and provenance in the header
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hdrq.errors import FileError
from hdrq.io.color import luminance, primaries_of
from hdrq.io.exr.channels import LONG, ImageChannels, flatten, image_titles, pick, rgb, upsample
from hdrq.io.exr.header import Part
from hdrq.io.exr.parse import parts_of, stripped
from hdrq.io.exr.write import write
from hdrq.io.memory import afford
from hdrq.io.tag import domain_of
from hdrq.records import BT709, XYZ, Image, Primaries

__all__ = ["read", "write"]

# SMPTE ST 2065-1
ACES = (0.7347, 0.2653, 0.0, 1.0, 0.0001, -0.077, 0.32168, 0.33767)
# colour spaces by name, colorinteropforum.org
INTEROP = {
    "lin_rec2020_scene": (0.708, 0.292, 0.170, 0.797, 0.131, 0.046, 0.3127, 0.3290),
    "lin_p3d65_scene": (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.3127, 0.3290),
    "lin_ap1_scene": (0.713, 0.293, 0.165, 0.830, 0.128, 0.044, 0.32168, 0.33767),
    "lin_ap0_scene": ACES,
}


def read(
    path: Path,
    *,
    layer: str | None = None,
    view: str | None = None,
    part: str | int | None = None,
    alpha: bool = False,
) -> Image:
    """(1, 1 or 3, H, W): the display window, black outside the data window; one more channel with alpha."""
    parts = parts_of(path, path.read_bytes())
    chosen, notes = pick(path, parts, layer, view, part)
    _afford(path, parts, chosen.part)
    colour = chosen.colour
    names = [chosen.channels[c] for c in colour]
    has_alpha = chosen.alpha
    planes = _planes(path, chosen.part, [*names, has_alpha] if has_alpha else names)
    if has_alpha and not alpha and (planes.pop() != 1).any():
        notes.append("alpha ignored: colours used as stored (premultiplied)")
    primaries = _primaries(chosen.part, notes)
    short = tuple(LONG.get(c.upper(), c.upper()) for c in colour)
    if short == ("Y", "RY", "BY"):
        y, ry, by = planes[0].float(), *(upsample(p.float(), *planes[0].shape) for p in planes[1:3])
        planes[:3] = rgb(y, ry, by, primaries)
    elif short == ("X", "Y", "Z"):
        primaries = XYZ
    elif len(colour) == 1 and short != ("Y",):
        notes.append(f"only channel {names[0]}: read as a greyscale image")
    pixels = _place(chosen.part, planes, notes)
    _remark(chosen, notes)
    fields = chosen.part.attributes
    white = luminance(fields.get("whiteLuminance"), "whiteLuminance", notes)
    domain = domain_of(fields.get("hdrqDomain"), "nits")
    return Image(pixels[None], domain, primaries, white_nits=white, notes=tuple(notes), path=str(path))


def titles(path: Path) -> tuple[str, ...]:
    """Names of all images in the file that can be selected."""
    return tuple(dict.fromkeys(p.title for p in image_titles(parts_of(path, path.read_bytes())) if p.colour))


def _afford(path: Path, parts: list[Part], chosen: Part) -> None:
    """Check memory: the library reads every channel of every part; then come the tensor and an intermediate copy."""
    left, top, right, bottom = chosen.display
    raw = sum(p.bytes + 16 * p.attributes.get("deep bytes", 0) for p in parts)
    area = (right - left + 1) * (bottom - top + 1)
    afford(path, right - left + 1, bottom - top + 1, 16 + raw / area)


def _planes(path: Path, part: Part, names: list[str]) -> list[Tensor]:
    """The channels as stored (half remains half), in the data window."""
    try:
        file = _opened(path)
    except (RuntimeError, OSError, ValueError, TypeError) as error:
        # possibly only a header field that the library does not read
        with tempfile.TemporaryDirectory() as folder:
            plain = Path(folder) / "plain.exr"
            plain.write_bytes(stripped(path, path.read_bytes()))
            try:
                file = _opened(plain)
            except (RuntimeError, OSError, ValueError, TypeError):
                raise FileError(f"{path} is damaged: {str(error).splitlines()[0]}") from error
    if len(file.parts) <= part.number:
        raise FileError(f"{path} is damaged: its pixels cannot be decoded")
    channels = {name: c.pixels for name, c in file.parts[part.number].channels.items()}
    if any(channels.get(name) is None for name in names):
        raise FileError(f"{path} is damaged: a channel of {', '.join(names)} has no pixels")
    if part.deep:
        channels = flatten(channels, tuple(names))
    planes = (channels[name] for name in names)
    return [torch.from_numpy(a if a.dtype != np.uint32 else a.astype(np.float32)) for a in planes]


def _opened(path: Path) -> Any:
    import OpenEXR

    return OpenEXR.File(str(path), separate_channels=True)


def _primaries(part: Part, notes: list[str]) -> Primaries:
    """From `chromaticities`, else the colour space name or the ACES flag, else BT.709."""
    fields = part.attributes
    name = fields.get("colorInteropID", "")
    xy = fields.get("chromaticities") or INTEROP.get(name)
    if xy is None and fields.get("acesImageContainerFlag") == 1:
        xy = ACES
    if name and name not in INTEROP and name not in ("lin_rec709_scene", "unknown"):
        notes.append(f"colorInteropID {name} not used: pixels assumed to be linear light")
    if xy is None:
        return BT709
    if (found := primaries_of(xy)) is None:
        notes.append("chromaticities ignored: they do not span a triangle")
    return found or BT709


def _place(part: Part, planes: list[Tensor], notes: list[str]) -> Tensor:
    """The data window placed in the display window, (C, H, W) float32."""
    left, top, right, bottom = part.display
    data_left, data_top, data_right, data_bottom = part.data
    height, width = bottom - top + 1, right - left + 1
    size = (data_bottom - data_top + 1, data_right - data_left + 1)
    same = part.data == part.display
    pixels = (torch.empty if same else torch.zeros)(len(planes), height, width)
    rows = slice(max(top, data_top), min(bottom, data_bottom) + 1)
    columns = slice(max(left, data_left), min(right, data_right) + 1)
    for target, plane in zip(pixels, planes, strict=True):
        whole = plane if plane.shape == size else upsample(plane.float(), *size)
        if same:
            target.copy_(whole)
        elif rows.start < rows.stop and columns.start < columns.stop:
            target[_from(rows, top), _from(columns, left)] = whole[
                _from(rows, data_top), _from(columns, data_left)
            ]
    if not same:
        notes.append(f"data window {size[1]} x {size[0]} placed in display window {width} x {height}")
    return pixels


def _from(span: slice, start: int) -> slice:
    return slice(span.start - start, span.stop - start)


def _remark(chosen: ImageChannels, notes: list[str]) -> None:
    part = chosen.part
    name, _, _, lossy = part.compression
    if any(c.kind in lossy for c in part.channels if c.name in chosen.channels.values()):
        notes.append(f"stored with lossy {name} compression")
    if part.deep:
        notes.append("deep samples composited front to back")
    aspect = part.attributes.get("pixelAspectRatio", 1.0)
    if isinstance(aspect, float) and abs(aspect - 1) > 1e-4:
        notes.append(f"pixel aspect {aspect:g} ignored: square pixels assumed")
