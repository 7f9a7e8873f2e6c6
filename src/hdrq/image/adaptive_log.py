"""The logarithm whose steepness gives a scene the histogram of ordinary photographs.

Source  Vinker, Huberman-Spiegelglas & Fattal, ICCV 2021, doi:10.1109/ICCV48922.2021.01439
"""

from __future__ import annotations

import torch
from torch import Tensor

from hdrq.image.statistics import ratio

# Density of the luma of photographs, 20 bins of 0..1.
_TARGET: tuple[float, ...] = (
    *(0.875, 1.116, 1.312, 1.286, 1.238, 1.226, 1.188, 1.177, 1.156, 1.139),
    *(1.105, 1.060, 1.014, 0.973, 0.889, 0.820, 0.791, 0.715, 0.519, 0.400),
)
# pixels used by the search
_SEARCHED = 200_000


def adapted(share: Tensor, steepness: Tensor | float) -> Tensor:
    """log(1 + steepness share) / log(1 + steepness): code 0..1 of light over its maximum."""
    given = torch.as_tensor(steepness, dtype=share.dtype, device=share.device)
    return (given * share).log1p() / given.log1p()


def curved(y: Tensor, steepness: float | None = None) -> Tensor:
    """The adapted logarithm of luminance (N, 1, H, W), of each image; by its matched steepness where none is given."""
    top = y.amax((1, 2, 3), keepdim=True)
    share = ratio(y, top)
    found = [
        matched_steepness(one[one > 0]) if steepness is None and bool((one > 0).any()) else steepness or 1.0
        for one in share
    ]
    return torch.stack([adapted(one, at) for one, at in zip(share, found)])


def matched_steepness(x: Tensor) -> Tensor:
    """The steepness in 1..1e9 whose histogram of shares (n,) has the least cross-entropy with that of photographs.

    By a coarse search over its logarithm and two finer ones around the best.
    """
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
