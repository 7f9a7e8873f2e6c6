"""The distortion model of the information metrics: locally, dist = gain · ref + noise.

Source: Sheikh, Bovik, IEEE TIP 2006, doi:10.1109/TIP.2005.859378
"""

from __future__ import annotations

import torch
from torch import Tensor


def distortion_channel(
    var_ref: Tensor, var_dist: Tensor, cov: Tensor, flat: float, area: int = 1
) -> tuple[Tensor, Tensor]:
    """(gain, variance of the noise) from (co)variances, themselves sums over `area` pixels.

    flat  variance below which an image counts as constant: without a seen reference everything is noise,
          without a test image nothing is. The programs leave that noise undivided by the area.
    """
    gain = cov / (var_ref + flat)
    noise = (var_dist - gain * cov) / area
    seen, alive = var_ref >= flat, var_dist >= flat
    gain, noise = torch.where(seen, gain, 0.0), torch.where(seen, noise, var_dist)
    return torch.where(alive, gain, 0.0), torch.where(alive, noise, 0.0)


def upright(gain: Tensor, noise: Tensor, var_dist: Tensor, flat: float) -> tuple[Tensor, Tensor]:
    """The same with inverted contrast taken for noise, and some noise everywhere."""
    return gain.clamp(min=0), torch.where(gain < 0, var_dist, noise).clamp(min=flat)
