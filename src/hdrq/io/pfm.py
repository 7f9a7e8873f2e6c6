"""Portable float maps. The first row in the file is the bottom row."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hdrq.errors import DomainError, FileError
from hdrq.image.color import convert
from hdrq.io.atomic import atomic
from hdrq.io.memory import afford
from hdrq.records import BT709, Image

HEADER = re.compile(rb"P([Ff])\s+(?:#[^\n]*\n\s*)*(\d{1,9})\s+(\d{1,9})\s+([-+.0-9eE]{1,40})(\r\n|\s)")


def read(path: Path, *, alpha: bool = False) -> Image:
    """(1, 1 or 3, H, W). The sign of the scale gives the byte order; another magnitude than 1 is reported in a note."""
    data = path.read_bytes()
    match = HEADER.match(data)
    try:
        scale = float(match[4]) if match else 0.0
    except ValueError:
        scale = 0.0
    if match is None or scale == 0:
        raise FileError(f"{path} is damaged: its header must be PF or Pf, width, height and scale")
    channels, width, height = (3 if match[1] == b"F" else 1), int(match[2]), int(match[3])
    count = width * height * channels
    there = (len(data) - match.end()) // 4
    if 0 < there < count:
        raise FileError(f"{path} is truncated: it holds {there} of {count} values")
    afford(path, width, height, 8 * channels, least=4 * count)
    values = np.frombuffer(data, "<f4" if scale < 0 else ">f4", count, match.end())
    rows = values.reshape(height, width, channels)[::-1].transpose(2, 0, 1)
    # a copy, because the file's bytes are read-only
    pixels = torch.from_numpy(np.array(rows, np.float32, order="C"))
    notes = () if abs(scale) == 1 else (f"PFM scale {abs(scale):g} ignored: values used as stored",)
    return Image(pixels[None], "nits", notes=notes, path=str(path))


def write(path: Path, image: Image, *, provenance: dict[str, Any] | None = None) -> tuple[str, ...]:
    """Write little-endian light, one or three channels, in BT.709: the format states neither domain nor primaries."""
    if image.domain not in ("nits", "linear"):
        raise DomainError(
            f"{path}: PFM cannot state that its values are {image.domain} code; write .exr, .tiff or .png"
        )
    notes = []
    values = image.pixels[:1].detach().float().cpu()
    if len(values[0]) == 3 and image.primaries != BT709:
        values = convert(values.double(), image.primaries).float()
        notes.append(
            f"{image.primaries.name} converted to BT.709, colours outside as negative values: PFM has no primaries"
        )
    if image.domain == "linear":
        notes.append("PFM cannot state that light is relative; it will be read as cd/m²")
    pixels = values[0].numpy()
    kind = "Pf" if len(pixels) == 1 else "PF"
    height, width = image.size
    with atomic(path) as part:
        rows = np.ascontiguousarray(pixels.transpose(1, 2, 0)[::-1], dtype="<f4")
        part.write_bytes(f"{kind}\n{width} {height}\n-1.0\n".encode() + rows.tobytes())
    return tuple(notes)
