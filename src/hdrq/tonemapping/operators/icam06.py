"""iCAM06: an image appearance model that renders HDR images."""

from __future__ import annotations

from functools import partial
from math import log
from typing import Literal

import torch
from torch import Tensor

from hdrq.image.arithmetic import in_strips, power
from hdrq.image.blur import blur
from hdrq.image.color import mix, rgb_to_xyz, working_space
from hdrq.image.edge_preserving import bilateral, bilateral_grid
from hdrq.image.statistics import (
    FRAME,
    GREY,
    brightest,
    longer_side,
    ranked,
    relight,
    stretched,
    without_contrast,
)
from hdrq.tonemapping.operator import OperatorCard, operator

_CAT02 = ((0.7328, 0.4296, -0.1624), (-0.7036, 1.6975, 0.0061), (0.0030, -0.0136, 0.9834))
_HPE = ((0.38971, 0.68898, -0.07868), (-0.22981, 1.18340, 0.04641), (0.0, 0.0, 1.0))
_LMS = ((0.4002, 0.7075, -0.0807), (-0.2280, 1.1500, 0.0612), (0.0, 0.0, 0.9184))
_IPT = ((0.4, 0.4, 0.2), (4.4550, -4.8510, 0.3960), (0.8056, 0.3572, -1.1628))
_D65 = (95.047, 100.0, 108.883)
# of I by the surround, Bartleson 1975 as in iCAM06
_GAMMAS = {"average": 1.0, "dim": 1.25, "dark": 1.5}
_TINY = 1e-8


@operator(
    OperatorCard(
        title="iCAM06: a refined image appearance model for HDR image rendering",
        source="Kuang, Johnson & Fairchild 2007, doi:10.1016/j.jvcir.2007.06.003",
        robust=False,
        tunes={"power": (0.6, 0.85), "detail": (0.0, 2.0)},
        limits={
            "power": (0.3, 1.5),
            "peak": (1, 1e6),
            "detail": (0, 3),
            "sigma_range": (0.05, 10),
            "surround_share": (0.01, 4),
        },
    )
)
def icam06(
    light: Tensor,
    *,
    power: float = 0.75,
    surround: Literal["average", "dim", "dark"] = "average",
    peak: float = 20_000.0,
    detail: float = 1.0,
    sigma_range: float = 0.35,
    surround_share: float = 0.4,
    filter: Literal["grid", "exact"] = "grid",
) -> Tensor:
    """Base of X, Y, Z through chromatic adaptation, cones and rods; details back; IPT for surround; ranks 1 and 99 % cut.

    The brightest pixel is put at `peak` cd/m² and sets what the eye is adapted to.

    power           of the cones' and rods' response; 0.6 to 0.85 in the paper
    surround        of the viewer: gamma of lightness 1, 1.25, 1.5
    detail          exponent of the detail layer, times (F_L + 0.8)^0.25
    sigma_range     of the bilateral filter in log10; its sigma in space is 2 % of the longer side
    surround_share  sigma of the low-pass image that is taken for the white, as a share of the longer side
    """
    colour = light if light.shape[1] == 3 else light.expand(-1, 3, -1, -1)
    xyz = mix(colour, rgb_to_xyz(working_space()))
    y = xyz[:, 1:2]
    xyz = (xyz * (peak / brightest(y).clamp(min=1e-30))).clamp(min=_TINY)
    sigma = max(0.02 * longer_side(xyz[:, :1]), 1e-3)
    smooth = bilateral if filter == "exact" else bilateral_grid
    logs = xyz.log10()
    smoothed = torch.cat([smooth(logs[:, k : k + 1], sigma, sigma_range) for k in range(3)], 1)
    base = _exponential(smoothed)
    white = blur(base, max(surround_share * longer_side(base[:, :1]), 1e-3)).clamp(min=_TINY)
    brightest_white = white[:, 1:2].amax(FRAME, keepdim=True)
    ipt = torch.cat(
        [
            in_strips(partial(_appearance, top, power, detail), *one)
            for top, *one in zip(*(x.split(1) for x in (brightest_white, logs, smoothed, base, white)))
        ]
    )
    lightest = ipt[:, :1].amax(FRAME, keepdim=True).clamp(min=1e-9)
    rendered = torch.cat(
        [
            in_strips(partial(_rendered, top, _GAMMAS[surround]), *one)
            for top, *one in zip(*(x.split(1) for x in (lightest, ipt, white)))
        ]
    )
    rendered = rendered if light.shape[1] == 3 else rendered.mean(1, keepdim=True)
    shown = stretched(rendered, ranked(rendered, 0.01), ranked(rendered, 0.99))
    flat = without_contrast(y)
    if not bool(flat.any()):
        return shown
    # Without contrast, the range of all channels is one between colours.
    return torch.where(flat, relight(light, y, torch.full_like(y, GREY)), shown)


def _appearance(
    brightest_white: Tensor,
    exponent: float,
    detail: float,
    logs: Tensor,
    smoothed: Tensor,
    base: Tensor,
    white: Tensor,
) -> Tensor:
    """I, P, T of the base under its white, with the details (logs - smoothed) put back."""
    level = 0.2 * white[:, 1:2]
    seen = _toned(_adapted(base, white, level), white, level, brightest_white, exponent)
    steep = detail * power(_luminance_level(level) + 0.8, 0.25)
    sharp = seen * _exponential(steep * (logs - smoothed))
    return mix(_signed(mix(sharp, _LMS), 0.43), _IPT)


def _exponential(x: Tensor) -> Tensor:
    """10^x."""
    return (x * log(10)).exp()


def _inverse(matrix: tuple[tuple[float, ...], ...]) -> Tensor:
    result: Tensor = torch.linalg.inv(torch.tensor(matrix, dtype=torch.float64))
    return result


def _adapted(base: Tensor, white: Tensor, level: Tensor) -> Tensor:
    """CIECAM02's adaptation of X, Y, Z to D65, with three tenths of its degree."""
    degree = 0.3 * (1 - torch.exp((-level - 42) / 92) / 3.6)
    cones, cones_of_white = mix(base, _CAT02), mix(white, _CAT02)
    target = mix(base.new_tensor(_D65).view(1, 3, 1, 1), _CAT02)
    return mix((target * degree / cones_of_white.clamp(min=_TINY) + 1 - degree) * cones, _inverse(_CAT02))


def _luminance_level(level: Tensor) -> Tensor:
    """F_L of CIECAM02."""
    k = 1 / (5 * level + 1)
    result: Tensor = 0.2 * k**4 * 5 * level + 0.1 * (1 - k**4) ** 2 * power(5 * level, 1 / 3)
    return result


def _response(x: Tensor, exponent: float) -> Tensor:
    """400 x^p / (27.13 + x^p), odd in x."""
    t = power(x.abs().clamp(min=1e-12), exponent)
    result: Tensor = x.sign() * 400 * t / (27.13 + t)
    return result


def _toned(adapted: Tensor, white: Tensor, level: Tensor, brightest_white: Tensor, exponent: float) -> Tensor:
    """X, Y, Z of the responses of cones and rods."""
    cones = _response(_luminance_level(level) * mix(adapted, _HPE) / white[:, 1:2], exponent) + 0.1
    # 5 L_AS / 2.26
    dim = 5 * level
    j = 1e-5 / (dim + 1e-5)
    scotopic = 3800 * j**2 * dim + 0.2 * (1 - j**2) ** 4 * power(dim, 1 / 6)
    share = adapted[:, 1:2].clamp(min=_TINY) / brightest_white
    bleached = 0.5 / (1 + 0.3 * power(dim * share, 0.3)) + 0.5 / (1 + 5 * dim)
    rods = 3.05 * bleached * _response(scotopic * share, exponent) + 0.03
    return mix(cones + rods, _inverse(_HPE))


def _signed(x: Tensor, exponent: float) -> Tensor:
    result: Tensor = x.sign() * power(x.abs().clamp(min=1e-12), exponent)
    return result


def _rendered(top: Tensor, gamma: float, ipt: Tensor, white: Tensor) -> Tensor:
    """Linear RGB of the working space: Hunt's effect on chroma and the surround's on lightness. top  the greatest lightness"""
    level = _luminance_level(0.2 * white[:, 1:2])
    lightness, chroma = ipt[:, :1], ipt[:, 1:]
    c = (chroma.square().sum(1, keepdim=True) + 1e-12).sqrt()
    chroma = chroma * power(level + 1, 0.2) * (1.29 * c**2 - 0.27 * c + 0.42) / (c**2 - 0.31 * c + 0.42)
    lightness = top * power(lightness.abs().clamp(min=1e-12) / top, gamma)
    lms = _signed(mix(torch.cat([lightness, chroma], 1), _inverse(_IPT)), 1 / 0.43)
    return mix(
        mix(lms, _inverse(_LMS)), torch.linalg.inv(torch.as_tensor(rgb_to_xyz(working_space())).double())
    )
