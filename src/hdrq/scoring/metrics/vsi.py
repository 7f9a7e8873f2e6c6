"""VSI, weighted by saliency from simple priors (SDSP): band-pass structure, warm colours, the centre of the frame.

Source of the saliency: Zhang, Gu, Li, ICIP 2013, doi:10.1109/ICIP.2013.6738036
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from hdrq.cards import Card, Reading, metric
from hdrq.image.arithmetic import root
from hdrq.image.caching import cached, shared
from hdrq.image.color import mix
from hdrq.image.filters import SCHARR, gradient
from hdrq.image.resize import factor, imresize, shrink
from hdrq.image.transfer import srgb_to_linear
from hdrq.scoring.features.similarity import real_power, similarity, weighted_mean

C_SALIENCY, C_GRADIENT, C_CHROMA = 1.27, 386.0, 130.0
ALPHA, LAMBDA = 0.40, 0.02
# Geusebroek et al., PAMI 2001, two digits as in the paper
LMN = np.array([[0.06, 0.63, 0.27], [0.30, 0.04, -0.35], [0.34, -0.60, 0.17]])
SIDE = 256
SIGMA_F, OMEGA_0, SIGMA_D, SIGMA_C = 1.34, 0.021, 145.0, 0.001
# sRGB D65 to XYZ, seven digits, and a D50 white: the program's own mixture
TO_XYZ = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)
WHITE = np.array([0.9642, 1.0, 0.8251])


@metric(
    Card(
        title="Visual saliency-induced index",
        unit="1",
        better="higher",
        span=(0, 1),
        reads="code",
        codes=True,
        best=1.0,
        side=4,
        planes=12,
        source="Zhang, Shen, Li, IEEE TIP 2014, doi:10.1109/TIP.2014.2346028",
    )
)
def vsi(ref: Tensor, dist: Tensor) -> Reading:
    """Saliency, gradient and chroma compared, where either image is salient.

    map  the similarity, at about 256 pixels on the smaller side

    Saliency is found at 256 x 256 by MATLAB's imresize. Where the corners are aligned instead (as in piq), values differ
    by about 1e-4: .96405 in place of .96395 for piq's pair I01.
    """
    ref_s, ref_l, ref_c = _features(ref)
    dist_s, dist_l, dist_c = _features(dist)
    edges = similarity(gradient(ref_l, SCHARR), gradient(dist_l, SCHARR), C_GRADIENT)
    chroma = similarity(ref_c, dist_c, C_CHROMA).prod(1, keepdim=True)
    alike = similarity(ref_s, dist_s, C_SALIENCY) * edges**ALPHA * real_power(chroma, LAMBDA)
    return Reading(weighted_mean(alike, torch.maximum(ref_s, dist_s)), alike)


def _features(code: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Saliency, L, and MN, shrunk."""
    f = factor(*code.shape[-2:])
    light, chroma = mix(shrink(code.expand(-1, 3, -1, -1), f), LMN).split((1, 2), 1)
    return visual_saliency(code, f), light, chroma


@shared
def visual_saliency(code: Tensor, f: int = 1) -> Tensor:
    """(N, 3, H, W) code, 0..255 or PU, to saliency 0..1, box-averaged by f: (N, 1, ceil(H / f), ceil(W / f))."""
    h, w = code.shape[-2:]
    lab = _lab(imresize(code.expand(-1, 3, -1, -1), size=(SIDE, SIDE), kernel="bilinear"))
    band, centre = _priors(code.dtype, code.device)
    passed = torch.fft.irfft2(torch.fft.rfft2(lab) * band, s=(SIDE, SIDE))
    structure = root(passed.square().sum(1, keepdim=True))
    warmth = _stretch(lab[:, 1:]).square().sum(1, keepdim=True)
    colour = 1 - torch.exp(-warmth / SIGMA_C**2)
    full = imresize(structure * centre * colour, size=(h, w), kernel="bilinear")
    low, high = _ends(full)
    # averages of the stretched image; outside of the image a box finds 0, not the lowest value
    inside = _covered(h, w, f, full.dtype, full.device)
    return (shrink(full, f) - low * inside) / torch.where(high > low, high - low, 1.0)


@cached(4)
def _covered(height: int, width: int, f: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Share of each box of `shrink` that lies inside the image, (1, 1, h, w)."""
    return shrink(torch.ones(1, 1, height, width, dtype=dtype, device=device), f)


@cached(4)
def _priors(dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    """The log-Gabor band for rfft2, and the weight of the centre."""
    x, y = np.fft.rfftfreq(SIDE)[None], np.fft.fftfreq(SIDE)[:, None]
    radius = np.hypot(x, y)
    with np.errstate(divide="ignore"):
        band = np.exp(-(np.log(radius / OMEGA_0) ** 2) / (2 * SIGMA_F**2))
    band[radius > 0.5] = 0
    away = (np.arange(1, SIDE + 1) - SIDE / 2) ** 2
    centre = np.exp(-(away[:, None] + away[None]) / SIGMA_D**2)
    return torch.as_tensor(band, dtype=dtype, device=device), torch.as_tensor(
        centre, dtype=dtype, device=device
    )


def _lab(code: Tensor) -> Tensor:
    """CIE L*a*b* of 0..255 sRGB; codes above 255 (PU) go through the same formulas."""
    x = mix(srgb_to_linear(code / 255), TO_XYZ / WHITE[:, None])
    f = torch.where(x > 0.008856, x.clamp(min=0.008856) ** (1 / 3), (903.3 * x + 16) / 116)
    fx, fy, fz = f.unbind(1)
    return torch.stack((116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)), 1)


def _stretch(x: Tensor) -> Tensor:
    """Every channel from its minimum to its maximum, to 0..1; a flat one to 0."""
    low, high = _ends(x)
    return (x - low) / torch.where(high > low, high - low, 1.0)


def _ends(x: Tensor) -> tuple[Tensor, Tensor]:
    """Minimum and maximum of every channel."""
    return x.amin((-2, -1), keepdim=True), x.amax((-2, -1), keepdim=True)
