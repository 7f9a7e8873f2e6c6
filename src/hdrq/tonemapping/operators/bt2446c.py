"""BT.2446 method C: HDR to SDR that preserves skin and diffuse tones and is invertible."""

from __future__ import annotations

from math import log

import torch
from torch import Tensor

from hdrq.image.color import from_bt2020, from_lab, mix, rgb_to_xyz, to_bt2020, to_lab
from hdrq.image.statistics import parameter, relight
from hdrq.records import BT2020
from hdrq.tonemapping.operator import OperatorCard, operator

_K1, _K3 = 0.83802, 0.74204
# percent of SDR; the report's k2 and k4 are the ones that make the curve and its slope continuous here
_KNEE = 58.535
_FROM = _KNEE / _K1
_K2 = _K1 * _FROM * (1 - _K3)
_K4 = _KNEE - _K2 * log(1 - _K3)


@operator(
    OperatorCard(
        title="BT.2446 method C",
        source="ITU-R BT.2446-1, section 6",
        reads="nits",
        # no statistics
        temporal=False,
        tunes={"crosstalk": (0, 0.33), "desaturation": (0, 1)},
        limits={
            "crosstalk": (0, 0.33),
            "desaturation": (0, 1),
            "white_nits": (1, 10000),
            "source_nits": (1, 10000),
        },
    )
)
def bt2446c(
    light: Tensor,
    *,
    crosstalk: float = 0.04,
    desaturation: float = 0.33,
    white_nits: float = 203.0,
    source_nits: float = 1000.0,
) -> Tensor:
    """Light of an HDR display to SDR: linear to the knee at 58.5 %, a logarithm above it.

    crosstalk     share of every channel that the others get while the curve is applied, 0..0.33
    desaturation  share of chroma lost at `source_nits`, none below `white_nits`
    """
    hdr = to_bt2020(light).clamp(max=source_nits)
    share = parameter(crosstalk).to(hdr)
    swap = share + (1 - 3 * share) * torch.eye(3, dtype=hdr.dtype, device=hdr.device)
    y_row = rgb_to_xyz(BT2020)[1:2]
    mixed = mix(hdr, swap)
    mixed = _less_chroma(mixed, desaturation, white_nits, source_nits)
    y = mix(mixed, y_row)
    log_part = _K2 * (y.clamp(min=_FROM) / _FROM - _K3).log() + _K4
    sdr = torch.where(y < _FROM, _K1 * y, log_part) / 100
    shown = mix(relight(mixed, y, sdr), torch.linalg.inv(swap))
    return from_bt2020(shown, light.shape[1])


def _less_chroma(rgb: Tensor, share: float, white: float, peak: float) -> Tensor:
    """Chroma of CIELAB lowered above the reference white, linearly in L*."""
    lab = to_lab(mix(rgb, rgb_to_xyz(BT2020)) / white)
    start, end = (
        100.0,
        float(to_lab(torch.full((1, 3, 1, 1), peak / white, dtype=torch.float64) * _WHITE)[0, 0, 0, 0]),
    )
    keep = 1 - share * ((lab[:, :1] - start) / max(end - start, 1e-6)).clamp(0, 1)
    xyz = from_lab(torch.cat([lab[:, :1], lab[:, 1:] * keep], 1)) * white
    return mix(xyz, torch.linalg.inv(torch.as_tensor(rgb_to_xyz(BT2020)))).clamp(min=0)


_WHITE = torch.as_tensor(rgb_to_xyz(BT2020)).sum(1).view(1, 3, 1, 1)
