"""Conversions between interleaved rows of pixels and channel planes, and between code and integers."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from hdrq.errors import PixelError, UsageError
from hdrq.image.arithmetic import all_finite

# of the code that the largest integer of a file stands for; larger ones are not read back
MOST_CEILING = 1_000_000
# EXIF, TIFF and AVIF orientation: (transpose first, then flip rows, flip columns).
ORIENTATION = {
    1: (False, False, False),
    2: (False, False, True),
    3: (False, True, True),
    4: (False, True, False),
    5: (True, False, False),
    6: (True, False, True),
    7: (True, True, True),
    8: (True, True, False),
}


def planes(
    rows: np.ndarray, most: float, notes: list[str], alpha: bool = False, premultiplied: bool = False
) -> Tensor:
    """(H, W) or (H, W, C) as (1, C, H, W) float32, divided by `most`.

    With two or four channels the last is alpha, which is dropped (with a note unless all opaque) or kept.
    premultiplied  whether colours are stored multiplied by alpha; they are then divided by it
    """
    rows = rows[..., None] if rows.ndim == 2 else rows
    channels = rows.shape[2]
    cover = None
    if channels in (2, 4) and premultiplied:
        cover = rows[..., -1].astype(np.float32) / np.float32(most)
    if channels in (2, 4) and not alpha:
        opaque = (rows[..., -1] == (most if rows.dtype.kind in "ui" else 1)).all()
        if not opaque:
            how = (
                "divided by alpha (they are stored premultiplied)"
                if premultiplied
                else "taken as stored (not premultiplied)"
            )
            notes.append(f"alpha ignored: colours {how}")
        channels -= 1
    elif channels > 4:
        notes.append(f"{channels - 3} channels beyond the first three not read")
        channels = 3
    out = np.empty((1, channels, *rows.shape[:2]), np.float32)
    for c in range(channels):
        out[0, c] = rows[..., c]
    pixels = torch.from_numpy(out)
    pixels = pixels.div_(most) if most != 1 else pixels
    if cover is not None:
        share = torch.from_numpy(cover)
        colours = pixels[:, : channels - alpha]
        straight = torch.where(share > 0, colours / share.clamp(min=1e-9), torch.zeros(()))
        pixels[:, : channels - alpha] = straight.clamp(max=1) if rows.dtype.kind in "ui" else straight
    return pixels


def orient(pixels: Tensor, orientation: int, notes: list[str]) -> Tensor:
    """The image rotated and mirrored by its EXIF orientation."""
    transpose, rows, columns = ORIENTATION.get(orientation, ORIENTATION[1])
    if not (transpose or rows or columns):
        return pixels
    notes.append(f"rotated or mirrored by the EXIF orientation {orientation}")
    pixels = pixels.transpose(-1, -2) if transpose else pixels
    dims = [d for d, flip in ((-2, rows), (-1, columns)) if flip]
    return (pixels.flip(dims) if dims else pixels).contiguous()


def refuse_ceiling(ceiling: float, path: object) -> None:
    """Raise UsageError for a ceiling that no file can state."""
    if not 0 < ceiling < MOST_CEILING:
        raise UsageError(f"{path}: ceiling must be positive and below {MOST_CEILING:,}, not {ceiling:g}")


def codes(pixels: Tensor, bits: int, ceiling: float, path: object) -> tuple[np.ndarray, list[str]]:
    """(1, C, H, W) code as (H, W[, 3]) integers, rounded; the largest integer represents `ceiling`."""
    values = pixels[0].detach().cpu()
    values = values.double() / ceiling
    if not all_finite(values):
        raise PixelError(f"{path}: integer formats cannot store NaN or Inf; write .exr, .tiff or .pfm")
    notes = []
    if outside := int(((values < -1e-6) | (values > 1 + 1e-6)).sum()):
        notes.append(
            f"{outside} values beyond [0, {ceiling:g}] clipped; .exr and .tiff of floats can store them"
        )
    most = 2**bits - 1
    whole = (values.clamp(0, 1) * most).round().permute(1, 2, 0).numpy()
    rows = whole.astype(np.uint8 if bits == 8 else np.uint16)
    return np.ascontiguousarray(rows[..., 0] if rows.shape[2] == 1 else rows), notes
