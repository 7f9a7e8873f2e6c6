"""BT.2446 method A, SDR to HDR."""

from __future__ import annotations

import torch
from torch import Tensor

from hdrq.image.color import from_bt2020, join_luma, split_luma, to_bt2020
from hdrq.tonemapping.expansion import Transfer, linearise
from hdrq.tonemapping.operator import OperatorCard, operator

_GAMMA, _PEAK = 2.4, 1000.0
# of 255
_KNEE = 70.0
_BRIGHT = (2.8305e-6, -7.4622e-4, 1.2528)
_DIM = (1.8712e-5, -2.7334e-3, 1.3141)


@operator(
    OperatorCard(
        title="BT.2446 method A, inverse",
        source="ITU-R BT.2446-1, section 4",
        reads="code",
        gives="nits",
    )
)
def bt2446a_inverse(code: Tensor, *, transfer: Transfer = "2.4") -> Tensor:
    """Luma of 255 steps to the power of a parabola of itself; light of a display of 1000 cd/m²."""
    sdr = to_bt2020(linearise(code, transfer)).clamp(1e-12, 1) ** (1 / _GAMMA)
    y, cb, cr = split_luma(255 * sdr)
    y = y.clamp(min=1e-6)
    power = torch.where(y > _KNEE, _parabola(y, _BRIGHT), _parabola(y, _DIM))
    hdr = y**power
    gain = 1.075 * hdr / y
    stretched = join_luma(hdr, gain * cb, gain * cr).clamp(min=0) / _PEAK
    return from_bt2020(_PEAK * stretched.clamp(1e-12, 1) ** _GAMMA, code.shape[1]).clamp(min=0)


def _parabola(x: Tensor, abc: tuple[float, float, float]) -> Tensor:
    return abc[0] * x**2 + abc[1] * x + abc[2]
