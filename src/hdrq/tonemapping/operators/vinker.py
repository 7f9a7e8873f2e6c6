"""Vinker 2021: the logarithm whose steepness gives the histogram of ordinary photographs."""

from __future__ import annotations

import torch
from torch import Tensor

from hdrq.image.statistics import brightest, counted, luminance, ratio, relight
from hdrq.image.transfer import srgb_to_linear
from hdrq.tonemapping.operator import OperatorCard, operator

# Density of the luma of photographs, 20 bins of 0..1.
_TARGET: tuple[float, ...] = (
    *(0.875, 1.116, 1.312, 1.286, 1.238, 1.226, 1.188, 1.177, 1.156, 1.139),
    *(1.105, 1.060, 1.014, 0.973, 0.889, 0.820, 0.791, 0.715, 0.519, 0.400),
)
# pixels used by the search
_SEARCHED = 200_000


@operator(
    OperatorCard(
        title="Histogram-matched logarithm",
        source="Vinker, Huberman-Spiegelglas & Fattal 2021, Unpaired Learning for High Dynamic Range Image Tone Mapping, "
        "doi:10.1109/ICCV48922.2021.01439: its curve, without the network",
        differentiable=False,
        robust=False,
        tunes={"steepness": (1, 1e9)},
        limits={"steepness": (1e-3, 1e12)},
    )
)
def vinker(light: Tensor, *, steepness: float | None = None) -> Tensor:
    """Code log10(1 + steepness L / L_max) / log10(1 + steepness), shown by sRGB; colours as in the scene.

    steepness  auto is the value in 1..1e9 whose histogram has the least cross-entropy with photographs
    """
    y = luminance(light)
    x = ratio(y, brightest(y))
    if steepness is None:
        found = torch.stack([_match(counted(frame).detach().flatten()) for frame in x]).view(-1, 1, 1, 1)
    else:
        found = torch.as_tensor(steepness, dtype=x.dtype, device=x.device)
    code = (found * x).log1p() / found.log1p()
    return relight(light, y, srgb_to_linear(code))


def _match(x: Tensor) -> Tensor:
    """The steepness, by a coarse search over its logarithm and two finer ones around the best."""
    x = x[:: -(-x.numel() // _SEARCHED)]
    low, high = 0.0, 9.0
    for _ in range(3):
        tried = torch.linspace(low, high, 19, dtype=torch.float64)
        losses = torch.stack([_loss(x, 10 ** float(t)) for t in tried])
        best = float(tried[int(losses.argmin())])
        step = (high - low) / 18
        low, high = max(best - step, 0.0), min(best + step, 9.0)
    return torch.tensor(10**best, dtype=x.dtype, device=x.device)


def _loss(x: Tensor, steepness: float) -> Tensor:
    y = (steepness * x).log1p() / torch.tensor(steepness, dtype=x.dtype).log1p().item()
    counts = torch.histc(y.float(), len(_TARGET), 0, 1).double()
    density = counts * len(_TARGET) / x.numel() + 1e-6
    return -(density.new_tensor(_TARGET) * density.log()).mean()
