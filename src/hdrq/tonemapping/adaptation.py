"""Visual adaptation: thresholds of cones and rods, and scotopic luminance."""

from __future__ import annotations

import torch
from torch import Tensor

from hdrq.image.color import from_bt709, mix, rgb_to_xyz, working_space

# colour of scotopic light, BT.709
_BLUE = (1.05, 0.97, 1.27)
# cd/m², well below the knee of either curve
_DARK = 1e-8


def cone_threshold(nits: Tensor) -> Tensor:
    """Smallest visible step of light, cd/m², for cones adapted to `nits`. Source: Ferwerda et al. 1996."""
    t = nits.clamp(min=_DARK).log10()
    middle = (0.249 * t + 0.65).clamp(min=1e-6) ** 2.7 - 0.72
    return 10 ** torch.where(t <= -2.6, -0.72, torch.where(t >= 1.9, t - 1.255, middle))


def rod_threshold(nits: Tensor) -> Tensor:
    """Smallest visible step of light, cd/m², for rods adapted to `nits`. Source: Ferwerda et al. 1996."""
    t = nits.clamp(min=_DARK).log10()
    middle = (0.405 * t + 1.6).clamp(min=1e-6) ** 2.18 - 2.86
    return 10 ** torch.where(t <= -3.94, -2.86, torch.where(t >= -1.44, t - 0.395, middle))


def scotopic(light: Tensor) -> Tensor:
    """Scotopic luminance, cd/m²: Y (1.33 (1 + (Y + Z) / X) - 1.68).

    Source: Larson, Rushmeier & Piatko 1997, doi:10.1109/2945.646233
    """
    x, y, z = mix(light, rgb_to_xyz(working_space())).unbind(1)
    lit = x > 0
    seen = y * (1.33 * (1 + (y + z) / torch.where(lit, x, 1.0)) - 1.68)
    return torch.where(lit, seen.clamp(min=0), 0.0)[:, None]


def visible_scale(adapted: Tensor | float, peak_nits: float) -> Tensor:
    """Factor on cd/m² that keeps just noticeable differences just noticeable on a display. Source: Ward 1994."""
    result: Tensor = ((1.219 + (peak_nits / 2) ** 0.4) / (1.219 + adapted**0.4)) ** 2.5
    return result


def stevens(nits: Tensor) -> Tensor:
    """Exponent of brightness under adaptation to `nits`. Source: Tumblin & Rushmeier 1993."""
    return torch.where(nits > 100, 2.655, 1.855 + 0.4 * (nits + 2.3e-5).log10())


def equal_brightness(
    y: Tensor, adapted: Tensor, viewer: Tensor, contrast: float | Tensor, natural: bool = False
) -> Tensor:
    """cd/m² on a display with the brightness of `y` under adaptation to `adapted`. Source: Tumblin & Rushmeier 1993.

    viewer    adaptation luminance of the viewer of the display;  contrast  of the display
    natural   a natural logarithm in the divisor of the gain's exponent, as in HDR Toolbox
    """
    scene = stevens(adapted)
    logarithm = viewer.log() if natural else viewer.log10()
    gain = contrast ** ((scene / (1.855 + 0.4 * logarithm) - 1) / 2)
    result: Tensor = viewer * gain * (y / adapted).clamp(min=1e-12) ** (scene / stevens(viewer))
    return result


def threshold_matched(light: Tensor, dim: Tensor, scene: Tensor, display: Tensor, peak_nits: float) -> Tensor:
    """Share of the display's peak at which visibility thresholds of cones and rods are matched. Source: Ferwerda 1996.

    dim             (N, 1, H, W), scotopic luminance
    scene, display  adaptation luminances, cd/m²
    """
    cones = cone_threshold(display) / cone_threshold(scene)
    rods = rod_threshold(display) / rod_threshold(scene)
    loss = ((100 - scene / 4) / (100 + scene)).clamp(min=0)
    hue = from_bt709(light.new_tensor(_BLUE if light.shape[1] == 3 else (1.0,)).view(1, -1, 1, 1))
    return (cones * light + rods * loss * dim * hue) / peak_nits
