"""What entries of encodings/ share: encodings of SDR code relative to a white, and the PU21 curve.

The PU21 curve is in a form that keeps precision near black. The published form is
V = p7·(((p1 + p2·x)/(1 + p3·x))^p5 - p6) with x = Y^p4. Near black the power is almost p6 and single precision loses the
difference, so it is expanded around the luminance x0 where V = 0:
V = p7·p6·(((1 + p2'·(x - x0))/(1 + p3·x))^p5 - 1), evaluated by log1p and expm1. The curve is the same.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from hdrq.records import Encoding

# PU units of code 1.0; 100 cd/m² is 256.38 in the default variant
WHITE = 256.0
# cd/m², the fitted range
DARKEST, BRIGHTEST = 0.005, 10_000.0
# values computed at a time, to fit the second-level cache
_BLOCK = 1 << 16
Parameters = tuple[float, float, float, float, float, float, float]
Curve = Callable[[Tensor], Tensor]


def pu21_encoding(name: str, parameters: Parameters, note: str) -> Encoding:
    """One fitted variant as an Encoding, code 1.0 = 256 PU units."""
    return Encoding(
        name=name,
        encode=_encoder(parameters),
        decode=_decoder(parameters),
        nits=(DARKEST, BRIGHTEST),
        codes=WHITE,
        source=f"Mantiuk & Azimi, PCS 2021, doi:10.1109/PCS50896.2021.9477471; {note}; gfxdisp/pu21 78340c0",
    )


def _encoder(parameters: Parameters) -> Callable[..., Tensor]:
    p1, p2, p3, p4, p5, p6, p7 = parameters
    root = p6 ** (1 / p5)
    slope = (p2 - root * p3) / root
    x0 = (root - p1) / (p2 - root * p3)

    def curve(nits: Tensor) -> Tensor:
        x = nits.clamp(DARKEST, BRIGHTEST).log2().mul(p4).exp2()
        lift = (x - x0) * slope / (1 + p3 * x)
        result: Tensor = (lift.log1p() * p5).expm1().mul(p7 * p6 / WHITE).clamp(min=0)
        return result

    def encode(nits: Tensor, white: float = 100.0) -> Tensor:
        """Code of absolute luminance.

        nits     any shape, cd/m², clamped to [0.005, 10 000]
        returns  same shape; 0 at 0.005 cd/m², 1.0 is 256 PU units (about 100 cd/m²)
        """
        if nits.requires_grad or nits.numel() <= _BLOCK:
            return curve(nits)
        flat = nits.reshape(-1)
        code = torch.empty_like(flat)
        for light, out in zip(flat.split(_BLOCK), code.split(_BLOCK)):
            x = torch.clamp(light, DARKEST, BRIGHTEST, out=out).log2_().mul_(p4).exp2_()
            below = torch.add(1, x, alpha=p3)
            x.sub_(x0).mul_(slope).div_(below).log1p_().mul_(p5).expm1_().mul_(p7 * p6 / WHITE).clamp_(min=0)
        return code.reshape(nits.shape)

    return encode


def _decoder(parameters: Parameters) -> Callable[..., Tensor]:
    p1, p2, p3, p4, p5, p6, p7 = parameters

    least = DARKEST**p4 * 1e-9

    def curve(code: Tensor) -> Tensor:
        v = (code * (WHITE / p7) + p6).clamp(min=0) ** (1 / p5)
        return ((v - p1).clamp(min=least) / (p2 - p3 * v)) ** (1 / p4)

    def decode(code: Tensor, white: float = 100.0) -> Tensor:
        """Absolute luminance, cd/m², of code (1.0 = 256 PU units); computed in float64, for precision near black."""
        if code.requires_grad or code.numel() <= _BLOCK:
            return curve(code.double()).to(code.dtype)
        flat = code.reshape(-1)
        nits = torch.empty_like(flat)
        for part, out in zip(flat.split(_BLOCK), nits.split(_BLOCK)):
            v = part.double().mul_(WHITE / p7).add_(p6).clamp_(min=0).log2_().mul_(1 / p5).exp2_()
            below = v.mul(-p3).add_(p2)
            out.copy_(v.sub_(p1).clamp_(min=least).div_(below).log2_().mul_(1 / p4).exp2_())
        return nits.reshape(code.shape)

    return decode


def relative(name: str, curve: Curve, inverse: Curve, source: str) -> Encoding:
    """An encoding whose code is 1.0 at white, above 1 for brighter light (no clipping) and 0 below black.

    curve    relative light (at least 0) to code
    inverse  code (at least 0) to relative light
    """
    return Encoding(
        name=name,
        encode=partial(_encode, curve),
        decode=partial(_decode, inverse),
        nits=(0.0, float("inf")),
        codes=255.0,
        absolute=False,
        grey="luma",
        source=source,
    )


def _encode(curve: Curve, nits: Tensor, white: float = 100.0) -> Tensor:
    """Code of light, cd/m²."""
    return curve((nits / white).clamp(min=0))


def _decode(inverse: Curve, code: Tensor, white: float = 100.0) -> Tensor:
    """Light, cd/m², of code."""
    return white * inverse(code.clamp(min=0))
