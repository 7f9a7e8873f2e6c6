"""What contrast is visible to HDR-VDP: neural contrast sensitivity, masking band by band, and the constants of its tasks.

Bands are those of features/steerable.py divided by 2^b, fine to coarse, so that amplitudes compare across them. Constants of
tasks are those of the program, version 3.0.7.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log10
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from hdrq.image.arithmetic import power
from hdrq.image.caching import cached
from hdrq.image.filters import box, separable
from hdrq.image.resize import imresize
from hdrq.scoring.features.hdrvdp.eye import Mtf, lookup, modulation
from hdrq.scoring.features.steerable import Filters

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
# of log luminance, where curves are tabulated
NODES = 256
# log10 cd/m²
LOWEST, HIGHEST = -5.0, 5.0
# of task civdm
STRUCTURE_GAIN = 0.2501039518897


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


class Masking(NamedTuple):
    """Exponents of excitation p and inhibition q; weights of masking by the band itself, by its other
    orientations and by its neighbours in scale (None: no such masking)."""

    p: float
    q: float
    own: float
    cross: float | None
    near: float | None


def mutual(test: Tensor, ref: Tensor) -> Tensor:
    """Activity common to both images in a band, averaged over 3x3 pixels; zero outside."""
    return averaged(torch.minimum(test.abs(), ref.abs()))


def averaged(activity: Tensor) -> Tensor:
    """Mean over 3x3 pixels; zero outside."""
    return separable(activity, box(3, activity), border="zero")


def hidden(common: list[Tensor], band: int, by: Masking, only: slice = slice(None)) -> Tensor:
    """Sum of weight times activity^q over what masks a band, (N, B, h, w); `only` some orientations."""
    everywhere = common[band]
    active = everywhere[:, only]
    total = by.own * power(active, by.q)
    if by.cross is not None and everywhere.shape[1] > 1:
        total = total + by.cross * power(everywhere.sum(1, keepdim=True) - active, by.q)
    if by.near is None:
        return total
    around = torch.zeros_like(active)
    for b in (band - 1, band + 1):
        # surprise: the base band masks no other
        if 0 <= b < band or band < b < len(common) - 1:
            # one orientation serves all
            same = common[b][:, : everywhere.shape[1]]
            same = same[:, only] if same.shape[1] > 1 else same
            around = around + imresize(same, size=(active.shape[-2], active.shape[-1])).clamp(min=0)
    return total + by.near * power(around, by.q)


def root(x: Tensor) -> Tensor:
    """Square root with gradient 0, not infinity, at 0."""
    some = x > 0
    return torch.where(some, torch.where(some, x, torch.ones_like(x)).sqrt(), torch.zeros_like(x))


@dataclass(frozen=True)
class Task:
    """Constants fitted to one question asked of observers; numbers are log10.

    gain   of the response
    own, near, cross  masking by the band itself, by neighbouring bands, by other orientations; None: none
    q, p   exponents of masking and excitation
    slope  of the psychometric function
    reach  degrees over which probability sums up; None: contrast sums up over the whole image instead
    """

    gain: float
    own: float
    near: float | None
    cross: float | None
    q: float
    p: float = 0.3424
    slope: float = 0.34
    reach: float | None = -0.502280453708
    filters: Filters = "sp0"


QUALITY = Task(0.203943775672, 1.41846291721, 0.136877512403, None, 0.108934275615)
TASKS = {
    "quality": QUALITY,
    "side-by-side": QUALITY,
    "flicker": Task(
        *(0.359225308021 + 0.14178269059, 1.48041073222, 0.00886149078207, None, 0.11339123107),
        slope=0.591472024776,
        reach=-0.511779476487,
    ),
    "detection": Task(
        *(-1.0, 1.73128, None, 0.816109, 0.290256),
        p=log10(2.2),
        slope=log10(3.5),
        reach=None,
        filters="sp3",
    ),
}
