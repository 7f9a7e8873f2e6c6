"""Camera-response correction of the SI-HDR protocol: fits a reconstruction's tone and colour to the reference.

Source: Hanji et al., "Comparison of single image HDR reconstruction methods: the caveats of quality
assessment", SIGGRAPH 2022, doi:10.1145/3528233.3530729; constants as in gfxdisp/pu21 78340c0.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from hdrq.encoding.photometry import Photometry, emit_for, working_primaries
from hdrq.image.color import mix, rgb_to_xyz
from hdrq.records import BT709, Image, Primaries
from hdrq.scoring.comparison import factors_of, sides_of

# cd/m², and of u′v′
_FLOOR = 0.005
_TO_XYZ = torch.tensor(
    [[0.412424, 0.357579, 0.180464], [0.212656, 0.715158, 0.072186], [0.019332, 0.119193, 0.950444]],
    dtype=torch.float64,
)
# scale of u′v′, as in 8-bit LogLuv
_UV = 410 / 255
# PQ with the program's rounding
_M, _N, _C1, _C2, _C3 = 78.8438, 0.1593, 0.8359, 18.8516, 18.6875
_RIDGE = 0.01


def _pq(y: Tensor) -> Tensor:
    x = (y / 1e4).clamp(min=0) ** _N
    return ((_C1 + _C2 * x) / (1 + _C3 * x)) ** _M


def _pq_inverse(v: Tensor) -> Tensor:
    x = v.clamp(min=0) ** (1 / _M)
    return 1e4 * ((x - _C1).clamp(min=0) / (_C2 - _C3 * x)) ** (1 / _N)


def _to_xyz(primaries: Primaries) -> Tensor:
    """The program's matrix for BT.709; others are derived."""
    return _TO_XYZ if primaries == BT709 else torch.from_numpy(rgb_to_xyz(primaries))


def _split(light: Tensor, primaries: Primaries = BT709) -> tuple[Tensor, Tensor]:
    """(N, 3, H, W) cd/m² to PQ code of Y (N, P, 1) and scaled u′v′ (N, P, 2)."""
    x, y, z = mix(light.clamp(min=_FLOOR), _to_xyz(primaries)).clamp(1e-4, 1e8).flatten(2).unbind(1)
    below = x + 15 * y + 3 * z
    return _pq(y).unsqueeze(-1), torch.stack([4 * x / below, 9 * y / below], -1) * _UV


def _join(y: Tensor, uv: Tensor, shape: torch.Size, primaries: Primaries = BT709) -> Tensor:
    """Luminance (N, P, 1), cd/m², and scaled u′v′ (N, P, 2) to light (N, 3, H, W) of that shape."""
    u, v = (uv / _UV).unbind(-1)
    y = y[..., 0]
    xyz = torch.stack([y * 9 * u / (4 * v), y, y * (12 - 3 * u - 20 * v) / (4 * v)], 1)
    return mix(xyz.unflatten(2, shape[-2:]), torch.linalg.inv(_to_xyz(primaries))).clamp(min=0)


def _tone_terms(x: Tensor) -> Tensor:
    return torch.cat([x**3, x**2, x, torch.ones_like(x)], -1)


def _colour_terms(uv: Tensor) -> Tensor:
    u, v = uv.split(1, -1)
    return torch.cat([u**3, v**3, u**2, v**2, u * v, u, v, torch.ones_like(u)], -1)


def fit_response(ref: Tensor, dist: Tensor, primaries: Primaries = BT709) -> tuple[Tensor, Tensor]:
    """Coefficients that map `dist` to `ref`, both (N, 3, H, W) cd/m² in `primaries`.

    returns  tone (N, 4, 1): PQ of Y from [x³ x² x 1];  colour (N, 8, 2): u′v′ from [u³ v³ u² v² uv u v 1],
             by ridge regression towards identity
    """
    y_ref, uv_ref = _split(ref.double(), primaries)
    y_dist, uv_dist = _split(dist.double(), primaries)
    return _fit_tone(y_ref, y_dist), _fit_colour(uv_ref, uv_dist)


def _fit_tone(ref: Tensor, dist: Tensor) -> Tensor:
    tone: Tensor = torch.linalg.lstsq(_tone_terms(dist), ref).solution
    return tone


def _fit_colour(ref: Tensor, dist: Tensor) -> Tensor:
    terms = _colour_terms(dist)
    ridge = _RIDGE * terms.shape[1] / terms.shape[2]
    identity = torch.zeros(8, 2, dtype=terms.dtype, device=terms.device)
    identity[5, 0] = identity[6, 1] = 1
    gram = terms.mT @ terms + ridge * torch.eye(8, dtype=terms.dtype, device=terms.device)
    colour: Tensor = torch.linalg.solve(gram, terms.mT @ ref + ridge * identity)
    return colour


def match_response(ref: Tensor, dist: Tensor, primaries: Primaries = BT709) -> Tensor:
    """`dist` with its tone curve and colours fitted to `ref`: (N, 1 or 3, H, W), cd/m² in `primaries`, dtype of `dist`.

    An image of one channel is luminance: where either has one, only the tone curve is fitted and colours stay.
    Equal images need no fit and are unchanged.
    """
    if torch.equal(ref, dist):
        return dist
    (y_ref, uv_ref), (y, uv) = _parts(ref.double(), primaries), _parts(dist.double(), primaries)
    floor = _pq(torch.tensor(_FLOOR, dtype=torch.float64)).item()
    y = _pq_inverse((_tone_terms(y) @ _fit_tone(y_ref, y)).clamp(min=floor))
    if uv is None:
        return y.mT.reshape(dist.shape).to(dist.dtype)
    if uv_ref is not None:
        uv = (_colour_terms(uv) @ _fit_colour(uv_ref, uv)).clamp(min=_FLOOR)
    return _join(y, uv, dist.shape, primaries).to(dist.dtype)


def _parts(light: Tensor, primaries: Primaries) -> tuple[Tensor, Tensor | None]:
    """PQ code of luminance (N, P, 1), and scaled u′v′ (N, P, 2) of an image of three channels."""
    if light.shape[1] == 3:
        return _split(light, primaries)
    return _pq(light.clamp(_FLOOR, 1e8)).flatten(2).mT, None


def matched_light(ref: Image | None, dist: Image, photometry: Photometry) -> tuple[Image | None, Image]:
    """Both images as displayed light, the test image's response fitted to the reference's light.

    The light is in the smallest primaries that contain both, also where the call's working primaries do not.
    """
    if ref is None:
        return ref, dist
    sides = [replace(side, primaries=None) for side in sides_of(photometry, 2)]
    factors = factors_of((ref, dist), photometry)
    primaries = working_primaries((ref, dist), sides, factors)
    target, light = (
        replace(lit, notes=lit.notes[len(i.notes) :])
        for i, p, f in zip((ref, dist), sides, factors, strict=True)
        for lit in (emit_for(i, p, f, primaries),)
    )
    return target, light.with_pixels(match_response(target.pixels, light.pixels, primaries))
