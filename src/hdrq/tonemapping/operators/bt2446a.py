"""BT.2446 method A: HDR to SDR by a perceptual curve on luma."""

from __future__ import annotations

import torch
from torch import Tensor

from hdrq.image.color import from_bt2020, join_luma, split_luma, to_bt2020
from hdrq.image.statistics import parameter, ratio
from hdrq.tonemapping.operator import OperatorCard, operator

_GAMMA = 2.4


@operator(
    OperatorCard(
        title="BT.2446 method A",
        source="ITU-R BT.2446-1, section 4",
        reads="nits",
        # no statistics
        temporal=False,
        display=("peak_nits",),
        tunes={"peak_nits": (50, 400), "source_nits": (200, 10000)},
        limits={"peak_nits": (1, 10000), "source_nits": (1, 10000)},
    )
)
def bt2446a(light: Tensor, *, peak_nits: float = 100.0, source_nits: float = 1000.0) -> Tensor:
    """Light of an HDR display of `source_nits` on an SDR display, over its peak. Brighter light is cut."""
    scene = (to_bt2020(light) / source_nits).clamp(0, 1)
    luma, cb, cr = split_luma(scene.clamp(min=1e-12) ** (1 / _GAMMA))
    rho_hdr = 1 + 32 * (source_nits / 10000) ** (1 / _GAMMA)
    rho_sdr = 1 + 32 * (peak_nits / 10000) ** (1 / _GAMMA)
    p = ((rho_hdr - 1) * luma).log1p() / parameter(rho_hdr).log()
    c = torch.where(
        p <= 0.7399, 1.077 * p, torch.where(p < 0.9909, -1.151 * p**2 + 2.7811 * p - 0.6302, 0.5 * p + 0.5)
    )
    sdr = (rho_sdr**c - 1) / (rho_sdr - 1)
    gain = ratio(sdr, 1.1 * luma)
    cb, cr = gain * cb, gain * cr
    code = join_luma(sdr - (0.1 * cr).clamp(min=0), cb, cr)
    return from_bt2020(code.clamp(1e-12, 1) ** _GAMMA, light.shape[1])
