"""Light to the response of cones and rods, in steps of what can just be told apart."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from scipy.integrate import cumulative_trapezoid
from torch import Tensor

from hdrq.ops.visibility.lookup import lookup


class Sensitivity(NamedTuple):
    """Peak of detection by luminance: joint of rods and cones (4 numbers), of rods alone (6)."""

    joint: tuple[float, float, float, float]
    rods: tuple[float, float, float, float, float, float]


V2 = Sensitivity((30.162, 4.0627, 1.6596, 0.2712), (1.1732, 1.1478, 1.2167, 0.5547, 2.9899, 1.1414))
V3 = Sensitivity((315.98, 6.7977, 1.6008, 0.25534), (1.1732, 1.32, 1.095, 0.5547, 2.9899, 1.8))
NODES = np.logspace(-5, 5, 2048)  # cd/m²


def joint_sensitivity(nits: np.ndarray, of: Sensitivity) -> np.ndarray:
    """Of rods and cones together."""
    peak, knee, slope, fall = of.joint
    return peak * ((knee / nits) ** slope + 1) ** -fall


def rod_sensitivity(nits: np.ndarray, of: Sensitivity) -> np.ndarray:
    """Of rods alone: a skewed bell over log luminance."""
    peak, wide, low, narrow, high, scale = of.rods
    far = np.abs(np.log10(nits / peak))
    return 10.0**scale * np.where(nits > peak, np.exp(-(far**high) / narrow), np.exp(-(far**low) / wide))


@lru_cache
def tables(of: Sensitivity) -> tuple[np.ndarray, np.ndarray]:
    """Response of one cone type and of rods at NODES: sensitivity summed up over ln luminance."""
    rods = rod_sensitivity(NODES, of)
    both = np.maximum(joint_sensitivity(NODES, of) - rods, 1e-3)
    # L and M cones see half the luminance each.
    cones = 0.5 * np.interp(np.minimum(2 * NODES, NODES[-1]), NODES, both)
    logs = np.log10(NODES)
    steps = [cumulative_trapezoid(s * np.log(10), logs, initial=0) for s in (cones, rods)]
    return steps[0], steps[1]


def respond(caught: Tensor, kind: int, of: Sensitivity) -> Tensor:
    """Response of cones (kind 0) or rods (1), by straight lines between NODES over log luminance."""
    place = (torch.log10(caught.clamp(1e-5, 1e5)) + 5) * ((len(NODES) - 1) / 10)
    return lookup(_table(of, kind, caught.dtype, caught.device), place)


@lru_cache
def _table(of: Sensitivity, kind: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    return torch.from_numpy(tables(of)[kind]).to(device, dtype)
