"""Pattanaik 2000: the display reproduces the responses of adapted rods and cones."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from hdrq.image.statistics import XYZ_WEIGHTS, log_mean, luminance, parameter, ratio
from hdrq.tonemapping.adaptation import scotopic
from hdrq.tonemapping.operator import OperatorCard, operator

# of the receptors' response
_N = 0.73
# references, in terms of the adaptation luminance
_WHITE, _BLACK = 5.0, 5.0 / 32
# Of pfstools, found from its images:
# divisor of the colours' exponent
_SLOPE_AT_25 = 0.138312
# adaptation of the references where every pixel has its own
_LOCAL_REFERENCE = 60.0
# weight exp(-(|ln L - ln L'| / ln 5)^6) in a disc
_RADIUS, _ALIKE, _POWER = 4, 1.6094379124341003, 6


@operator(
    OperatorCard(
        title="Time-dependent visual adaptation, at rest",
        source="Pattanaik, Tumblin, Yee & Greenberg 2000, doi:10.1145/344779.344810; variants: HDR Toolbox 5375d05, pfstools 2.2",
        reads="nits",
        tunes={"adaptation_nits": (0.01, 1e5)},
        needs={
            "local": ("variant", ("pfstools",)),
            "display_nits": ("variant", ("paper", "pfstools")),
        },
    )
)
def pattanaik(
    light: Tensor,
    *,
    adaptation_nits: float | None = None,
    display_nits: float = 25.0,
    local: bool = False,
    variant: Literal["paper", "pfstools", "hdrtoolbox"] = "paper",
) -> Tensor:
    """Receptor responses of the scene, fitted between the display's black and white, inverted for its viewer.

    They are moved so that black looks black, and scaled where the scene has more response than the display.

    adaptation_nits  G, what the eye is adapted to; auto is 5 L̄ (hdrtoolbox: 80)
    display_nits     what the viewer of the display is adapted to; its white is 5 times as bright
    local            pfstools only: every pixel is adapted to the mean of what is like it around it
    variant          hdrtoolbox shows the response itself, gives rods their own light and lacks a factor in
                     the cones' constant; pfstools: what rods see has no colour, a scene of more response than the
                     display has is scaled
    """
    if variant == "pfstools":
        return _pfstools(light, adaptation_nits, display_nits, local)
    y = luminance(light).clamp(min=1e-9)
    if variant == "hdrtoolbox":
        return _responses(light, y, 80.0 if adaptation_nits is None else adaptation_nits)
    adapted = (
        5 * log_mean(y)
        if adaptation_nits is None
        else torch.zeros_like(y[:1, :1, :1, :1]) + parameter(adaptation_nits)
    )
    viewer = torch.zeros_like(adapted[:1]) + parameter(display_nits)
    bleach, half = 2e6 / (2e6 + viewer), _cone_half(viewer)
    black, white = (bleach * _sigmoid(q * viewer, half) for q in (_BLACK, _WHITE))
    least, most = (_response(q * adapted, adapted) for q in (_BLACK, _WHITE))
    scale = ((white - black) / (most - least)).clamp(max=1)
    response = (black + scale * (_response(y, adapted) - least)).clamp(min=1e-9)
    response = torch.minimum(response, 0.9999 * bleach)
    shown = half * (response / (bleach - response)) ** (1 / _N)
    slope = _slope(y, adapted) / _display_slope(_WHITE * viewer, bleach, half)
    return (
        ratio(light, y).clamp(min=1e-9) ** slope
        * shown
        / (_WHITE * display_nits)
        * (light.amax(1, keepdim=True) > 0)
    )


def _sigmoid(nits: Tensor, half: Tensor | float) -> Tensor:
    raised = nits**_N
    return raised / (raised + half**_N)


def _cone_half(g: Tensor | float) -> Tensor | float:
    """Luminance of half response of cones adapted to g."""
    k = 1 / (5 * g + 1)
    return 12.9223 * g / (k**4 * g + 0.171 * (1 - k**4) ** 2 * g ** (1 / 3))


def _rod_half(g: Tensor | float) -> Tensor | float:
    """Luminance of half response of rods adapted to g."""
    j = 1 / (5e4 * g + 1)
    return 2.5874 * g / (19000 * j**2 * g + 0.2615 * (1 - j**2) ** 4 * g ** (1 / 6))


def _cones(nits: Tensor, g: Tensor) -> Tensor:
    """Response of cones adapted to g, bleached."""
    return 2e6 / (2e6 + g) * _sigmoid(nits, _cone_half(g))


def _rods(nits: Tensor, g: Tensor | float) -> Tensor:
    """Response of rods adapted to g, bleached."""
    return 0.04 / (0.04 + g) * _sigmoid(nits, _rod_half(g))


def _response(nits: Tensor, g: Tensor) -> Tensor:
    return _cones(nits, g) + _rods(nits, g)


def _slope(nits: Tensor, g: Tensor) -> Tensor:
    """Derivative of the cones' response by ln L: how much saturation they see."""
    return _display_slope(nits, 2e6 / (2e6 + g), _cone_half(g))


def _display_slope(nits: Tensor, bleach: Tensor | float, half: Tensor | float) -> Tensor:
    r = _sigmoid(nits, half)
    return _N * bleach * r * (1 - r)


def _responses(light: Tensor, y: Tensor, g: float) -> Tensor:
    k = 1 / (5 * g + 1)
    half = 12.9223 * g / (k**4 * g + (1 - k**4) ** 2 * g ** (1 / 3))
    bleach = 2e6 / (2e6 + g)
    dim = scotopic(light).clamp(min=1e-12) if light.shape[1] == 3 else y
    total = bleach * _sigmoid(y, half) + _rods(dim, g)
    return ratio(light, y).clamp(min=1e-12) ** _display_slope(y, bleach, half) * total


def _pfstools(light: Tensor, adaptation_nits: float | None, display_nits: float, local: bool) -> Tensor:
    y = luminance(light, XYZ_WEIGHTS).clamp(min=1e-9)
    if adaptation_nits is not None:
        g = torch.zeros_like(y[:, :, :1, :1]) + parameter(adaptation_nits)
    else:
        g = _around(y) if local else 5 * (log_mean(y, 1e-4) - 1e-4).clamp(min=1e-9)
    reference = torch.full_like(g[:, :, :1, :1], _LOCAL_REFERENCE) if local else g
    half = _cone_half(display_nits)
    # of the display, unbleached
    black, white = (_sigmoid(y.new_tensor(display_nits * q), half) for q in (_BLACK, _WHITE))
    least, most = (_response(reference * q, reference) for q in (_BLACK, _WHITE))
    scale = ((white - black) / (most - least)).clamp(max=1)
    cones, rods = _cones(y, g), _rods(y, g)
    response = (black + scale * (cones + rods - least)).clamp(1e-9, 0.9999)
    shown = half * (response / (1 - response)) ** (1 / _N) / (_WHITE * display_nits)
    dim = rods / (cones + rods)
    power = _slope(y, g) / _SLOPE_AT_25
    if display_nits != 25:
        viewer = y.new_tensor([25.0, display_nits])
        slopes = _display_slope(_WHITE * viewer, 1.0, _cone_half(viewer))
        power = power * slopes[0] / slopes[1]
    colour = ratio(light, y).clamp(min=1e-9) ** power
    return ((1 - dim) * colour + dim) * shown * (light.amax(1, keepdim=True) > 0)


def _around(y: Tensor) -> Tensor:
    """Mean over a disc of what differs little from its centre; the first row and column take no part."""
    held = torch.nn.functional.pad(y[..., 1:, 1:], (1 + _RADIUS, _RADIUS, 1 + _RADIUS, _RADIUS))
    h, w = y.shape[-2:]
    total, weights = torch.zeros_like(y), torch.zeros_like(y)
    for down in range(-_RADIUS, _RADIUS + 1):
        for across in range(-_RADIUS, _RADIUS + 1):
            if down**2 + across**2 > _RADIUS**2:
                continue
            there = held[..., _RADIUS + down :, _RADIUS + across :][..., :h, :w]
            apart = (there.clamp(min=1e-12) / y).log().abs() / _ALIKE
            weight = (-(apart**_POWER)).exp() * (there > 0)
            total, weights = total + weight * there, weights + weight
    return torch.where(weights > 0, total / weights.clamp(min=1e-30), y)
