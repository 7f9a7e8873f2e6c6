"""SSIMULACRA 2: three error maps at every scale, of lost structure, artefacts and lost detail of a blurred plane."""

from __future__ import annotations

from collections.abc import Iterator
from math import cos, exp, pi, sin, tan

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from hdrq.cards import Card, Reading, metric
from hdrq.encoding.display_model import with_white
from hdrq.image.arithmetic import power
from hdrq.image.caching import cached, shared
from hdrq.image.color import mix
from hdrq.image.filters import strips, window
from hdrq.records import Display
from hdrq.scoring.features.tables import table

# cd/m² of a linear value of 1
WHITE = 255.0
SCALES, SMALLEST = 6, 8
OPSIN = np.array(
    [
        [0.30, 0.622, 0.078],
        [0.23, 0.692, 0.078],
        [0.24342268924547819, 0.20476744424496821, 0.55180986650954361],
    ]
)
BIAS = 0.0037930732552754493
SCALE = 0.9562382616834844
# of the weighted sum of errors
CUBIC = (2.326765642916932, -0.020884521182843837, 6.248496625763138e-5)
EXPONENT = 0.6276336467831387
# of the recursive filter; its outermost taps are 0
SIGMA, RADIUS = 1.5, 5
# as SSIM's, of planes between 0 and 1
C2 = 0.0009


@metric(
    Card(
        title="SSIMULACRA 2.1, structural similarity unveiling local and compression related artifacts",
        unit="1",
        better="higher",
        span=(None, 100),
        best=100.0,
        reads="nits",
        needs=("display", "maps"),
        map="difference",
        side=SMALLEST,
        planes=34,
        source="Sneyers, Cloudinary 2022; numbers as libjxl aea3a06, whose 108 weights it has",
    )
)
def ssimulacra2(
    ref: Tensor,
    dist: Tensor,
    *,
    intensity_target: float | None = WHITE,
    display: Display | None = None,
    maps: bool = True,
) -> Reading:
    """Quality of compressed images: 100 identical, 90 visually lossless, 70 high, 50 medium, 10 very low; no lower end.

    ref, dist  (N, 1 or 3, H, W), cd/m², BT.709; light L enters as L / 255, HDR as the program reads PQ files
    intensity_target  cd/m² at which the white of an SDR display counts, its black as none: 255 as the program reads SDR
                      files, whatever the display's own peak. Light of HDR displays is taken as it is
    map        weighted error, (N, 1, H, W): contribution of each pixel to the sum that the score is made of; the
               mean of the map is that sum where the sides are multiples of 32
    extra      error: that sum, 0 for identical images; the score is 100 - 10 (its cubic)^0.628

    Six scales, X, Y and B of the opsin space. Below 128 pixels a side there are fewer, and the weights of the later planes
    are then those of other values, as in the program. Not symmetric. The program computes in float32 and scores up to 0.1
    lower (0.9 near identity); here float32 is within 1e-3 of float64.
    """
    white = float(intensity_target) if intensity_target is not None else None
    ref, dist = (with_white(x, display, white).expand(-1, 3, -1, -1) / WHITE for x in (ref, dist))
    norms, seen = [], []
    for scale in range(SCALES):
        if min(ref.shape[-2:]) < SMALLEST:
            break
        if scale:
            ref, dist = _halve(ref), _halve(dist)
        norm, found = _norms(_planes(ref), _planes(dist), maps)
        norms.append(norm)
        seen.append(found)
    values = torch.stack(norms, 2)
    weights = torch.as_tensor(table("ssimulacra2")["weights"][: values[0].numel()]).to(values)
    weights = weights.reshape(values.shape[1:])
    total = (values * weights).sum((1, 2, 3, 4))
    image = _map(seen, values, weights) if maps else None
    return Reading(_score(total), image, {"error": total})


@shared
def _planes(rgb: Tensor) -> Tensor:
    """X, Y and B, brought to about 0 .. 1, of linear light whose 1 is 255 cd/m²."""
    absorbed = mix(rgb, OPSIN) + BIAS
    cones = power(absorbed, 1 / 3) - BIAS ** (1 / 3)
    long, middle, short = cones.unbind(1)
    y = (long + middle) / 2
    return torch.stack((7 * (long - middle) + 0.42, y + 0.01, short - y + 0.55), 1)


@shared
def _halve(rgb: Tensor) -> Tensor:
    """Mean of 2 x 2 pixels; a last odd row or column counts twice."""
    h, w = rgb.shape[-2:]
    rgb = F.pad(rgb, (0, w % 2, 0, h % 2), mode="replicate")
    rows = rgb[..., ::2, :] + rgb[..., 1::2, :]
    return (rows[..., ::2] + rows[..., 1::2]) / 4


def _norms(ref: Tensor, dist: Tensor, keep: bool) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
    """(N, 3 planes, mean and 4-norm, 3 errors), and the error maps themselves if asked to keep them."""
    count = ref.shape[-2] * ref.shape[-1]
    sums, seen = [], []
    for structure, edge in errors(ref, dist):
        if keep:
            seen.append((structure, edge))
        parts = (structure, edge.clamp(min=0), (-edge).clamp(min=0))
        sums.append(torch.stack([_moments(x) for x in parts], -1))
    means, fourths = (torch.stack(sums).sum(0) / count).unbind(2)
    return torch.stack((means, power(fourths, 0.25)), 2), seen


def _moments(x: Tensor) -> Tensor:
    """Sum and sum of fourth powers of each plane, (N, 3, 2)."""
    return torch.stack((x.sum((-2, -1)), x.square().square().sum((-2, -1))), 2)


def _score(total: Tensor) -> Tensor:
    t = total * SCALE
    t = t * (CUBIC[0] + t * (CUBIC[1] + t * CUBIC[2]))
    return 100 - 10 * power(t, EXPONENT)


def _map(seen: list[list[tuple[Tensor, Tensor]]], values: Tensor, weights: Tensor) -> Tensor:
    """Each 4-norm is shared out by fourth powers, so that the mean of its map is the norm."""
    total = values.new_zeros(())
    for scale, parts_of_strips in enumerate(seen):
        structure, edge = (torch.cat(part, -2) for part in zip(*parts_of_strips))
        parts = (structure, edge.clamp(min=0), (-edge).clamp(min=0))
        here = torch.zeros_like(structure[:, :1])
        for kind, x in enumerate(parts):
            norm = values[:, :, scale, 1, kind, None, None]
            mean_weight, norm_weight = weights[:, scale, :, kind, None, None].unbind(1)
            fourth = x.square().square() / torch.where(norm > 0, norm, 1.0) ** 3
            here = here + (mean_weight * x + norm_weight * fourth).sum(1, keepdim=True)
        size = (total if scale else here).shape[-2:]
        wide = here.repeat_interleave(2**scale, -2).repeat_interleave(2**scale, -1)
        total = total + wide[..., : size[0], : size[1]]
    return total


@cached(1)
def cosine_taps() -> tuple[float, ...]:
    """Nine taps, sum 1, that the recursive Gaussian of sums of cosines amounts to.

    Source: Charalampidis, IEEE TSP 2016, doi:10.1109/TSP.2016.2549985, as in libjxl aea3a06
    """
    omega = [k * pi / (2 * RADIUS) for k in (1, 3, 5)]
    p = [sign / tan(w / 2) for sign, w in zip((1, -1, 1), omega)]
    r = [sign * a * a / sin(w) for sign, a, w in zip((1, -1, 1), p, omega)]
    rho = [exp(-(SIGMA**2) * w * w / 2) / RADIUS for w in omega]
    d13, d35, d51 = (p[i] * r[j] - r[i] * p[j] for i, j in ((0, 1), (1, 2), (2, 0)))
    z1, z3 = d35 / d13, d51 / d13
    system = np.array([p, r, [z1, z3, 1.0]])
    beta = np.linalg.solve(system, [1.0, RADIUS**2 - SIGMA**2, z1 * rho[0] + z3 * rho[1] + rho[2]])
    reach = RADIUS - 1
    return tuple(sum(float(b) * cos(w * n) for b, w in zip(beta, omega)) for n in range(-reach, reach + 1))


def errors(ref: Tensor, dist: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """(structure error, signed edge error) of planes (N, C, H, W), a strip of rows at a time.

    The first is 0 or more: one minus contrast-structure similarity, whose covariances are taken from the difference of
    the planes, which is the same number and keeps its digits where the planes nearly agree. The second is above 0 for
    edges that only the test image has and below 0 for those it lost, at most 1 below. Outside the frame is zero.
    """
    taps = cosine_taps()
    reach = len(taps) // 2
    n, c, h, w = ref.shape
    ref, dist = (F.pad(x, (reach, reach, reach, reach)) for x in (ref, dist))
    for rows in strips(h, 4 * n * c * w, ref, 2 * reach):
        x, y = (z[..., rows.start : rows.stop + 2 * reach, :] for z in (ref, dist))
        mx, my, apart, power = window(torch.stack((x, y, (x - y).square(), x * x + y * y)), taps).unbind()
        shift = (mx - my).square()
        apart = (apart - shift) / (power - mx * mx - my * my + C2)
        inner = (..., slice(reach, -reach), slice(reach, -reach))
        edge_ref, edge_dist = (x[inner] - mx).abs(), (y[inner] - my).abs()
        yield (shift + apart - shift * apart).clamp(min=0), (edge_dist - edge_ref) / (1 + edge_ref)
