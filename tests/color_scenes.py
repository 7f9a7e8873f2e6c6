"""Small images by formula, the same on every machine, for golden numbers that live in the repository."""

from __future__ import annotations

import numpy as np


def light(height: int = 45, width: int = 58) -> tuple[np.ndarray, np.ndarray]:
    """Reference and test image, (H, W, 3), cd/m² in 0.02 to 4000, values that float32 holds exactly."""
    y, x = np.meshgrid(np.arange(height) / 45, np.arange(width) / 58, indexing="ij")
    ref = np.empty((height, width, 3))
    for c, (a, b, phase) in enumerate(((7.0, 3.0, 0.3), (5.0, 6.0, 1.1), (3.0, 8.0, 2.4))):
        stops = (
            1.6 * np.sin(a * x + phase)
            + 1.1 * np.cos(b * y - phase)
            + 0.3 * np.sin(40 * x * (c + 1) + 31 * y)
        )
        ref[..., c] = 10 ** (0.6 * stops + 1.0)
    ref[10:20, 30:40] = (900.0, 700.0, 300.0)  # an edge
    ref[30:36, 5:15] = 12.5  # grey
    wave = np.stack([np.sin(23 * x + 17 * y + 2 * c) for c in range(3)], -1)
    test = ref * (1 + 0.08 * wave)
    test[5:9, 5:9] = ref[5:9, 5:9]  # no difference
    test[30:33, 5:10] = (12.5, 12.0, 13.5)
    return tuple(a.astype(np.float32).astype(np.float64) for a in (ref, test))  # type: ignore[return-value]


def code(height: int = 45, width: int = 58) -> tuple[np.ndarray, np.ndarray]:
    """The same pair as 8-bit code, (H, W, 3), whole numbers 0..255."""
    return tuple(np.round(255 * np.clip(a / 1500, 0, 1) ** (1 / 2.2)) for a in light(height, width))  # type: ignore[return-value]
