"""Samples of the same scene points in all frames of a stack, for all estimates from pixels."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hdrq.image.warp import apply
from hdrq.merging.alignment.mtb import grey
from hdrq.merging.alignment.placement import Alignment
from hdrq.merging.exposure_stack import ExposureStack, Frame
from hdrq.merging.response.exposure_ratios import TILES

SAMPLES = 20_000


@dataclass(frozen=True)
class Samples:
    """codes (P, N, C) 0..255 (fractions for deeper files);  tile (N,) tile of the image."""

    codes: np.ndarray
    tile: np.ndarray


def take_samples(stack: ExposureStack, alignment: Alignment, count: int = SAMPLES, seed: int = 0) -> Samples:
    """Codes of the same scene points in all frames, the same number per tile, flat regions first."""
    top, bottom, left, right = alignment.area
    rng = np.random.default_rng(seed)
    per = max(1, 3 * count // TILES**2)
    box_y = np.linspace(top + 1, max(top + 1, bottom - 1), TILES + 1)
    box_x = np.linspace(left + 1, max(left + 1, right - 1), TILES + 1)
    i, j = (a.ravel() for a in np.meshgrid(range(TILES), range(TILES), indexing="ij"))
    y = rng.uniform(box_y[i][:, None], box_y[i + 1][:, None], (len(i), per)).astype(int).clip(top, bottom - 1)
    x = rng.uniform(box_x[j][:, None], box_x[j + 1][:, None], (len(j), per)).astype(int).clip(left, right - 1)
    rough = _roughness(stack.frame(alignment.reference), y, x)
    keep = np.argsort(rough + rng.uniform(0, 0.5, rough.shape), axis=1)[:, : max(1, per // 3)]
    tile = np.repeat(np.arange(len(i)), keep.shape[1])
    y, x = np.take_along_axis(y, keep, 1).ravel(), np.take_along_axis(x, keep, 1).ravel()
    out = []
    for k in range(len(stack)):
        frame, place = stack.frame(k), alignment.placements[k]
        u, v = apply(place.transform, x.astype(float), y.astype(float))
        if place.flow is not None:
            u, v = u + place.flow[0].numpy()[y, x], v + place.flow[1].numpy()[y, x]
        u = np.clip(np.rint(u), 0, stack.size[1] - 1).astype(int)
        v = np.clip(np.rint(v), 0, stack.size[0] - 1).astype(int)
        codes = frame.codes[:, v, u].T.astype(float)
        out.append(codes if frame.levels == 256 else codes / 257.0)
    return Samples(np.stack(out), tile)


def _roughness(frame: Frame, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Largest difference of pixels from their four neighbours, in grey codes of 8 bits."""
    h, w = frame.size

    def code(down: int, right: int) -> np.ndarray:
        at = np.s_[:, np.clip(y + down, 0, h - 1), np.clip(x + right, 0, w - 1)]
        return grey(replace(frame, codes=frame.codes[at], light=None).eight()).astype(np.int16)

    centre = code(0, 0)
    near = [np.abs(code(*step) - centre) for step in ((-1, 0), (1, 0), (0, -1), (0, 1))]
    result: np.ndarray = np.maximum.reduce(near)
    return result
