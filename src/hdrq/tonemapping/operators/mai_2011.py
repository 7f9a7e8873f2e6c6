"""Mai 2011: the tone curve whose code reconstructs the scene with the smallest error."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from hdrq.image.statistics import XYZ_WEIGHTS, counted, follow, log_mean, luminance
from hdrq.tonemapping.operator import OperatorCard, operator

# log10 units of a bin
_STEP = 0.1
# bins on either side of the middle
_SPAN = 100


@operator(
    OperatorCard(
        title="Optimizing a tone curve for backward-compatible compression",
        source="Mai, Mansour, Mantiuk, Nasiopoulos, Ward & Heidrich 2011, doi:10.1109/TIP.2010.2095866, the closed-form "
        "solution; variant as pfstools 2.2, found from its output",
        gives="code",
        tunes={"power": (0.1, 1)},
        limits={"power": (0, 3)},
    )
)
def mai_2011(
    light: Tensor, *, power: float = 1 / 3, variant: Literal["paper", "pfstools"] = "paper"
) -> Tensor:
    """Code of every channel, by a curve of log10 C whose slope in a bin is p^power over the sum of these.

    p        share of the image's luminance in a bin of 0.1 log10 units
    power    1/3 gives the least squared error of the reconstructed log luminance; 1 equalises the histogram
    variant  paper: bins are centred on the geometric mean; pfstools: bins begin at powers of ten, and the curve lies one
             bin early
    """
    program = variant == "pfstools"
    y = luminance(light, XYZ_WEIGHTS).clamp(min=1e-30)
    middle = torch.zeros_like(y[:, :, :1, :1]) if program else log_mean(y, 0.0).log10()
    # of the bins, where the middle lies
    centre = _SPAN + (0.0 if program else 0.5)
    place = ((y.log10() - middle) / _STEP + centre).detach()
    counts = torch.stack([_histogram(frame) for frame in place]).to(light)
    share = follow("histogram", counts / counts.sum(1, keepdim=True))
    some = share > 0
    slope = torch.where(some, torch.where(some, share, 1.0) ** power, 0.0)
    slope = slope / slope.sum(1, keepdim=True)
    knots = torch.nn.functional.pad(slope.cumsum(1), (1, 0))
    at = (light.clamp(min=1e-30).log10() - middle) / _STEP + centre + (1 if program else 0)
    low = at.detach().clamp(0, 2 * _SPAN - 1).long()
    rows = torch.arange(len(light), device=light.device).view(-1, 1, 1, 1)
    return knots[rows, low] + slope[rows, low] * (at - low).clamp(0, 1)


def _histogram(place: Tensor) -> Tensor:
    """Pixels that count in each of the bins."""
    index = counted(place).flatten().floor().clamp(0, 2 * _SPAN - 1).long()
    return torch.bincount(index, minlength=2 * _SPAN)
