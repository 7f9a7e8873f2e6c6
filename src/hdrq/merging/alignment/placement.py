"""Where the pixels of every frame of an aligned stack lie."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from hdrq.image.warp import corners, inside, is_whole_shift, positions, sample
from hdrq.merging.exposure_stack import Survey

# pixels: few enough for the processor's cache, and enough that a strip takes longer than the calls for it
STRIP = 200_000


@dataclass
class Placement:
    """Where a frame's pixels are read: reference pixel p corresponds to transform(p) + flow(p) of the frame."""

    transform: np.ndarray
    how: str = "reference"
    why: str = ""
    flow: Tensor | None = None
    overlap: float = 1.0

    @property
    def is_integer_shift(self) -> bool:
        return self.flow is None and is_whole_shift(self.transform)

    @property
    def shift(self) -> tuple[float, float]:
        """(dy, dx) at the frame's corner."""
        return float(self.transform[1, 2]), float(self.transform[0, 2])


@dataclass
class Alignment:
    placements: list[Placement]
    reference: int
    area: tuple[int, int, int, int]
    survey: Survey = field(default_factory=Survey)
    notes: list[str] = field(default_factory=list)
    moved: list[str] = field(default_factory=list)


def aligned_frame(
    image: np.ndarray, place: Placement, device: torch.device | str, every: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """A grey frame aligned to the reference, (H, W) uint8, and where it covers the reference, (H, W) bool.

    every  only each so many rows and columns are read, from the first; more than 1 for frames without flow
    """
    h, w = image.shape
    frame = torch.from_numpy(image)[None].float().to(device)
    size = -(-h // every), -(-w // every)
    transform = place.transform @ np.diag([every, every, 1.0])
    out, seen = np.empty(size, np.uint8), np.empty(size, bool)
    step = max(1, STRIP // size[1])
    for a in range(0, size[0], step):
        b = min(a + step, size[0])
        x, y = positions(transform, a, b, 0, size[1], place.flow, device)
        part = sample(frame, x, y, "bilinear")[0]
        out[a:b] = part.round_().clamp_(0, 255).to(torch.uint8).cpu().numpy()
        ends = corners(transform, a, b, 0, size[1]) if place.flow is None else None
        if ends is not None and min(ends[0], ends[2]) >= 0 and ends[1] <= w - 1 and ends[3] <= h - 1:
            seen[a:b] = True
        else:
            seen[a:b] = inside(x, y, (h, w)).cpu().numpy()
    return out, seen
