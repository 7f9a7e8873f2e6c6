from __future__ import annotations

import torch
from torch import Tensor

from hdrq.cards import Card, Reading, metric
from hdrq.errors import PixelError, UsageError
from hdrq.image.filters import window
from hdrq.scoring.features.complex_steerable import deepest, oriented_bands

WINDOW = 7
MOST_ORIENTATIONS = 16
SILENT = 1e-22  # energy of codes 0..255 below which a window holds rounding errors only


@metric(
    Card(
        title="Complex wavelet structural similarity",
        unit="1",
        better="higher",
        span=(0, 1),
        best=1.0,
        reads="code",
        grey=True,
        codes=True,
        side=64,
        planes=40,
        map="similarity",
        source="Sampat, Wang, Gupta, Bovik, Markey, IEEE TIP 2009, doi:10.1109/TIP.2009.2025923; numbers as CW-SSIM 1.0",
    )
)
def cw_ssim(
    ref: Tensor, dist: Tensor, *, level: int = 4, orientations: int = 8, guard: int = 0, k: float = 0.0
) -> Reading:
    """How alike the phases of one level of a complex steerable pyramid are; small shifts and rotations change it little.

    ref, dist     (N, 1, H, W), codes 0..255; worked in float64
    level         1 is the finest; a side of 2^(level + 2) pixels is needed
    orientations  1..16
    guard         pixels of the image left out along its borders
    k             added to numerator and denominator
    map           similarity of 7x7 windows, averaged over the orientations, at the size of the level
    raises        UsageError for other options; PixelError where the image is too small for the level
    """
    if not (1 <= orientations <= MOST_ORIENTATIONS and level >= 1 and guard >= 0 and k >= 0):
        raise UsageError("cw-ssim needs level >= 1, orientations of 1..16, guard >= 0 and k >= 0")
    height, width = ref.shape[-2:]
    if level > deepest(height, width):
        raise PixelError(
            f"cw-ssim's level {level} needs {2 ** (level + 2)} pixels a side, not {width}x{height}"
        )
    pairs = zip(*(oriented_bands(code.double(), level, orientations) for code in (ref, dist)))
    edge = guard // 2 ** (level - 1)
    maps = torch.stack([_similarity(_inside(a, edge), _inside(b, edge), k) for a, b in pairs]).mean(0)
    value = (maps * _centre(maps, (maps.shape[-2] + WINDOW - 1) / 4)).sum((1, 2, 3))
    return Reading(value.to(ref.dtype), maps.to(ref.dtype))


def _inside(band: Tensor, edge: int) -> Tensor:
    band = band[..., edge : band.shape[-2] - edge, edge : band.shape[-1] - edge]
    if min(band.shape[-2:]) < WINDOW:
        raise PixelError("cw-ssim's guard leaves less than 7 pixels of the level; choose a smaller one")
    return band


def _similarity(a: Tensor, b: Tensor, k: float) -> Tensor:
    """(2 |sum a b*| + k) / (sum |a|² + |b|² + k) of windows; 1 where both are silent."""
    taps = (1 / WINDOW,) * WINDOW
    product = a * b.conj()
    real, imaginary = window(product.real.contiguous(), taps), window(product.imag.contiguous(), taps)
    energy = window(torch.view_as_real(a).square().sum(-1) + torch.view_as_real(b).square().sum(-1), taps)
    textured = energy > SILENT
    joint = torch.complex(real, imaginary).abs()
    return torch.where(textured, (2 * joint + k) / torch.where(textured, energy + k, 1.0), 1.0)


def _centre(like: Tensor, sigma: float) -> Tensor:
    """A Gaussian over the map, sum 1; values below 2e-16 of the maximum are 0, as in MATLAB's fspecial."""
    squares = []
    for n in like.shape[-2:]:
        squares.append((torch.arange(n, dtype=like.dtype, device=like.device) - (n - 1) / 2).square())
    g = torch.exp(-(squares[0][:, None] + squares[1][None]) / (2 * sigma**2))
    g = torch.where(g < torch.finfo(torch.float64).eps * g.max(), 0.0, g)
    return g / g.sum()
