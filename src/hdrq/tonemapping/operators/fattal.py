"""Fattal 2002: large gradients attenuated, small ones kept."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from hdrq.image.filters import separable
from hdrq.image.statistics import (
    XYZ_WEIGHTS,
    brightest,
    darkest,
    luminance,
    mean,
    ordered,
    ratio,
    stretched,
)
from hdrq.tonemapping.operator import OperatorCard, operator
from hdrq.tonemapping.solvers.poisson import divergence, forward_difference, solve_poisson

# pixels, the least side of the coarsest level
_SMALLEST = 8
# gradients below this are left alone
_STEEP = 1e-4
_DARKEST = 1e-4
_DEFAULTS: dict[str, dict[str, float]] = {
    "paper": {"alpha": 0.1, "gamma": 1.0, "noise": 0.0, "detail": 0, "saturation": 0.6},
    "pfstools": {"alpha": 1.0, "gamma": 0.8, "noise": 0.002, "detail": 3, "saturation": 0.8},
}


@operator(
    OperatorCard(
        title="Gradient domain compression",
        source="Fattal, Lischinski & Werman 2002, doi:10.1145/566654.566573; steps and variant as pfstools 2.2",
        tunes={"alpha": (0.02, 3), "beta": (0.75, 0.99), "saturation": (0.3, 1)},
        colour=("saturation",),
        limits={
            "alpha": (1e-3, 100),
            "beta": (0.1, 1.5),
            "noise": (0, 1),
            "detail": (0, 20),
            "black": (0, 0.4),
            "white": (0, 0.4),
        },
    )
)
def fattal(
    light: Tensor,
    *,
    alpha: float | None = None,
    beta: float = 0.9,
    gamma: float | None = None,
    noise: float | None = None,
    detail: int | None = None,
    saturation: float | None = None,
    black: float = 0.001,
    white: float = 0.005,
    variant: Literal["paper", "pfstools"] = "paper",
) -> Tensor:
    """Gradients of H times Π_k (|∇H_k| / (alpha mean|∇H_k|))^(beta - 1), integrated by Poisson's equation.

    H is ln L; with pfstools ln(100 L + 1e-4), L stretched to 0..1.

    alpha         gradients steeper than alpha times their mean are attenuated; auto 0.1 (pfstools 1)
    gamma         contrast of the result's logarithm; auto 1 (pfstools 0.8)
    noise         added to |∇H_k| so that flat areas are not blown up; auto 0 (pfstools 0.002)
    detail        how many of the finest levels do not attenuate; auto 0 (pfstools 3)
    saturation    exponent of C / L; auto 0.6 (pfstools 0.8)
    black, white  shares of pixels that become black and white
    """
    given = {"alpha": alpha, "gamma": gamma, "noise": noise, "detail": detail, "saturation": saturation}
    now = _DEFAULTS[variant] | {name: value for name, value in given.items() if value is not None}
    y = luminance(light, XYZ_WEIGHTS)
    height = _as_pfstools(y) if variant == "pfstools" else y.clamp(min=1e-30).log()
    keep = _attenuation(height, now["alpha"], beta, now["noise"], int(now["detail"]))
    field = [_between(keep, dim) * forward_difference(height, dim) for dim in (-1, -2)]
    u = now["gamma"] * solve_poisson(divergence(*field))
    new = (u - brightest(u, name="brightest integral")).exp()
    low, high = ordered(new, black), ordered(new, 1 - white)
    new = stretched(new, low, high).clamp(min=_DARKEST)
    return ratio(light, y).clamp(min=1e-9) ** now["saturation"] * new * (y > 0)


def _as_pfstools(y: Tensor) -> Tensor:
    """ln(100 L + 1e-4), L between its least and its greatest value at 0 and 1."""
    low, high = darkest(y), brightest(y)
    return (100 * (y - low) / (high - low).clamp(min=1e-12) + 1e-4).log()


def _attenuation(height: Tensor, alpha: float, beta: float, noise: float, detail: int) -> Tensor:
    """Product over levels of the factor at every pixel, coarse to fine."""
    levels = [height]
    while min(levels[-1].shape[-2:]) // 2 >= _SMALLEST:
        levels.append(_halve(_soften(levels[-1])))
    product = None
    for k in range(len(levels) - 1, -1, -1):
        steep = _steepness(levels[k]) / 2 ** (k + 1)
        usual = alpha * mean(steep, name=f"mean steepness {k}")
        factor = ratio(steep + noise, usual).clamp(min=1e-6) ** (beta - 1)
        factor = torch.where(steep > _STEEP, factor, 1.0) if k >= detail else torch.ones_like(steep)
        product = factor if product is None else _soften(_double(product, factor)) * factor
    return product if product is not None else torch.ones_like(height)


def _soften(x: Tensor) -> Tensor:
    return separable(x, x.new_tensor([0.25, 0.5, 0.25]), border="replicate")


def _halve(x: Tensor) -> Tensor:
    return F.avg_pool2d(x, 2)


def _double(x: Tensor, like: Tensor) -> Tensor:
    """Every pixel four times, the last ones again where the finer level is odd."""
    h, w = like.shape[-2:]
    rows = (torch.arange(h, device=x.device) // 2).clamp(max=x.shape[-2] - 1)
    columns = (torch.arange(w, device=x.device) // 2).clamp(max=x.shape[-1] - 1)
    return x.index_select(-2, rows).index_select(-1, columns)


def _steepness(x: Tensor) -> Tensor:
    """Length of the gradient from the neighbours on both sides (times two), borders repeated."""
    wide = F.pad(x, (1, 1, 1, 1), mode="replicate")
    across = wide[..., 1:-1, 2:] - wide[..., 1:-1, :-2]
    down = wide[..., 2:, 1:-1] - wide[..., :-2, 1:-1]
    return (across**2 + down**2 + 1e-30).sqrt()


def _between(x: Tensor, dim: int) -> Tensor:
    """Mean with the next pixel."""
    n = x.shape[dim]
    following = torch.cat([x.narrow(dim, 1, n - 1), x.narrow(dim, n - 1, 1)], dim)
    return (x + following) / 2
