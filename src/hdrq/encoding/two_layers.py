"""A panel before a backlight of LEDs that are dimmed one by one."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from hdrq.image.blur import gaussian_blur
from hdrq.records import Display

_DARK = 1e-9  # share of the peak, so that a backlight that is off divides nothing


def two_layers(light: Tensor, d: Display) -> Tensor:
    """Light (N, C, H, W), cd/m², that leaves the panel for the light that is wanted, 0 .. peak.

    An LED is driven to the brightest channel of its cell, a square of `led_pitch` pixels from the top left corner, and
    fills the cell evenly before its light spreads. The panel transmits what is missing: a share of the backlight between
    1 / panel_contrast and 1. So highlights that are small beside a cell's spread are dim, and blacks near them glow.

    Source: the two layers of Seetzen et al. 2004, doi:10.1145/1015706.1015797, with a Gaussian as the spread of a LED.
    """
    h, w = light.shape[-2:]
    cell = round(d.led_pitch)
    wanted = F.pad(light.amax(1, keepdim=True), (0, -w % cell, 0, -h % cell), mode="replicate")
    drive = F.max_pool2d(wanted, cell) / d.peak_nits
    lit = drive.repeat_interleave(cell, -2).repeat_interleave(cell, -1)
    backlight = d.peak_nits * gaussian_blur(lit, d.led_spread)[..., :h, :w]
    share = light / backlight.clamp(min=_DARK * d.peak_nits)
    return backlight * share.clamp(1 / d.panel_contrast, 1.0)


def about(d: Display) -> tuple[str, ...]:
    """How the light was made, for the row; nothing for a display of one layer."""
    if not d.led_pitch:
        return ()
    return (
        f"two layers: an LED every {d.led_pitch:g} pixels, spread {d.led_spread:g}, panel {d.panel_contrast:g}:1",
    )
