"""Factors on the weights of frames where threshold bitmaps contradict each other.

Source: Pece & Kautz, "Bitmap movement detection: HDR for dynamic scenes", CVMP 2010, doi:10.1109/CVMP.2010.8.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import torch
from torch import Tensor

from hdrq.image.exposure_fusion import quality
from hdrq.merging.alignment.mtb import grey
from hdrq.merging.alignment.placement import Alignment
from hdrq.merging.alignment.resample import Strip, strips
from hdrq.merging.averaging import Tables
from hdrq.merging.deghosting.ghost_detection import moving_clusters
from hdrq.merging.exposure_stack import ExposureStack


class BitmapGhosts:
    """Factors that keep the best-exposed frame in every moving region."""

    def __init__(
        self, stack: ExposureStack, alignment: Alignment, device: torch.device | str = "cpu"
    ) -> None:
        self.labels, self.count = moving_clusters(
            np.concatenate([grey(_eight(strip)) for strip in strips(stack, alignment, k, device)])
            for k in range(len(stack))
        )
        sums = []
        for k in range(len(stack)):
            # Contrast has neighbours.
            whole = next(strips(stack, alignment, k, device, (0, len(self.labels))))
            score = quality(whole.codes[None].float() / (whole.levels - 1))[0, 0].cpu()
            sums.append(np.bincount(self.labels.ravel(), score.double().numpy().ravel(), self.count + 1))
        self.best = torch.from_numpy(np.argmax(sums, 0))
        self.order = list(range(len(stack)))
        self.mask = torch.from_numpy(((self.labels > 0) * 255).astype(np.uint8))
        self.share = np.array([float((self._others(k) == 0).float().mean()) for k in self.order])

    def _others(self, k: int, rows: slice = slice(None)) -> Tensor:
        """1 where frame k is used."""
        labels = torch.from_numpy(self.labels[rows]).long()
        return ((labels == 0) | (self.best[labels] == k)).float()

    def factors(
        self, k: int, pieces: Iterable[tuple[Strip, Tables]]
    ) -> Iterator[tuple[Strip, Tables, Tensor | None]]:
        """The strips of frame k with their tables, and the factor (1, h, W) on their weights."""
        for strip, tables in pieces:
            factor = self._others(k, slice(strip.top, strip.bottom))[None].to(strip.codes.device)
            yield strip, tables, factor


def _eight(strip: Strip) -> np.ndarray:
    codes = strip.codes if strip.levels == 256 else strip.codes // 257
    return codes.to(torch.uint8).cpu().numpy()
