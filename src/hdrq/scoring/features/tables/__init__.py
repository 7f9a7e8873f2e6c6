"""Numbers measured or trained by others; NOTICE states their origin."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np


@cache
def table(name: str) -> dict[str, np.ndarray]:
    """The arrays of `name`.npz beside this file, float64."""
    with np.load(Path(__file__).with_name(f"{name}.npz"), allow_pickle=False) as arrays:
        return {key: arrays[key] for key in arrays.files}
