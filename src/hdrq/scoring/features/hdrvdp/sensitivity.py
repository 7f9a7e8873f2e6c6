"""Neural contrast sensitivity by spatial frequency and adapting luminance."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from hdrq.image.caching import cached
from hdrq.scoring.features.hdrvdp.eye import Mtf, lookup, modulation

# Columns: log10 of luminance (cd/m²) and four parameters of the curve over frequency.
V2 = np.array([
    [0.002, 0.991265, 3.74038, 0.50722, 4.46044],
    [0.02, 0.800889, 3.54104, 0.682505, 4.94958],
    [0.2, 0.476505, 4.37453, 0.750315, 5.28678],
    [2, 0.405782, 4.40602, 0.935314, 5.61425],
    [20, 0.334278, 3.79542, 1.07327, 6.4635],
    [150, 0.394533, 2.7755, 1.16577, 7.45665],
])  # fmt: skip
V3 = np.array([
    [0.0002, 1.26181, 4.27832, 0.361902, 3.11914],
    [0.002, 0.893585, 4.27832, 0.361902, 2.18938],
    [0.02, 0.84864, 3.57253, 0.530355, 3.12486],
    [0.2, 0.699243, 3.94545, 0.68608, 4.41846],
    [2, 0.530826, 4.25337, 0.866916, 4.65117],
    [20, 0.459297, 3.78765, 0.981028, 4.33546],
    [150, 0.312626, 4.15264, 0.952367, 3.22389],
])  # fmt: skip
NODES = 256  # of log luminance, where curves are tabulated
LOWEST, HIGHEST = -5.0, 5.0  # log10 cd/m²


def curve_v2(cpd: Tensor, log_nits: Tensor) -> Tensor:
    """HDR-VDP 2; frequencies and log10 luminances broadcast."""
    return _curve(cpd, log_nits, V2)


def curve_v3(cpd: Tensor, log_nits: Tensor, mtf: Mtf, age: float) -> Tensor:
    """HDR-VDP 3: losses of the optics are compensated, losses of age (over 24 years) applied. 0 at 0 cpd."""
    passed = torch.from_numpy(np.asarray(modulation(cpd.cpu().double().numpy(), mtf, age))).to(cpd)
    lost = 10**-2.711 * torch.log2(cpd + 10**-0.125539) * max(0.0, age - 24)
    seen = _curve(cpd, log_nits, V3) / passed * 10.0**-lost
    return torch.where(cpd <= 1e-4, torch.zeros_like(seen), seen)


def _curve(cpd: Tensor, log_nits: Tensor, table: np.ndarray) -> Tensor:
    logs = torch.from_numpy(np.log10(table[:, 0])).to(log_nits)
    at = log_nits.clamp(logs[0], logs[-1])
    node = torch.bucketize(at.detach(), logs[1:-1])
    part = (at - logs[node]) / (logs[node + 1] - logs[node])
    rows = torch.from_numpy(table[:, 1:]).to(log_nits)
    scale, high, low, peak = (rows[node] + (rows[node + 1] - rows[node]) * part[..., None]).unbind(-1)
    rise = 1 - torch.exp(-((cpd / 7) ** 2))
    return peak * rise ** (low / 2) / torch.sqrt(1 + (scale * cpd) ** high)


def at_each(curve: Tensor, log_nits: Tensor) -> Tensor:
    """Sensitivity at every pixel from a curve tabulated at NODES luminances."""
    place = (log_nits - LOWEST) * ((NODES - 1) / (HIGHEST - LOWEST))
    return lookup(curve, place)


@cached()
def tabulated_v2(cpd: float, dtype: torch.dtype, device: torch.device) -> Tensor:
    """curve_v2 at NODES luminances, (256,)."""
    return curve_v2(torch.tensor(cpd, dtype=torch.float64), _nodes()).to(device, dtype)


@cached()
def tabulated_v3(cpd: float, mtf: Mtf, age: float, dtype: torch.dtype, device: torch.device) -> Tensor:
    """curve_v3 at NODES luminances, (256,)."""
    return curve_v3(torch.tensor(cpd, dtype=torch.float64), _nodes(), mtf, age).to(device, dtype)


def _nodes() -> Tensor:
    return torch.linspace(LOWEST, HIGHEST, NODES, dtype=torch.float64)
