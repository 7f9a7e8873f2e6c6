"""PU08: the perceptually uniform code of 2008, built from the contrast sensitivity of HDR-VDP-2."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from hdrq.image.caching import cached
from hdrq.image.sampled import running_integral
from hdrq.records import Encoding

# joint rod and cone sensitivity, HDR-VDP-2.2
_CSF = (30.162, 4.0627, 1.6596, 0.2712)
# log10 cd/m²
_RANGE = (-5.0, 10.0)
_NODES = 4096
# integrals of sensitivity at codes 0 and 255
_ZERO, _FULL = 31.9270, 149.9244


@cached(8)
def _table(dtype: torch.dtype, device: torch.device) -> Tensor:
    """Code at the nodes, equally spaced in log10 luminance."""
    decades = np.linspace(*_RANGE, _NODES)
    a, b, c, d = _CSF
    sensitivity = a * ((b / 10.0**decades) ** c + 1) ** -d
    integral = running_integral(sensitivity * np.log(10), decades)
    code = (integral - _ZERO) / (_FULL - _ZERO)
    return torch.as_tensor(code, dtype=dtype, device=device)


def _encode(nits: Tensor, white: float = 100.0) -> Tensor:
    """Code of absolute luminance in cd/m² (clamped to [1e-5, 1e10]); 1.0 is 255 codes, negative below 0.9 cd/m²."""
    table = _table(nits.dtype, nits.device)
    place = (nits.clamp(10 ** _RANGE[0], 10 ** _RANGE[1]).log10() - _RANGE[0]) * (
        (_NODES - 1) / (_RANGE[1] - _RANGE[0])
    )
    left = place.detach().long().clamp(0, _NODES - 2)
    low, high = table[left], table[left + 1]
    return low + (place - left) * (high - low)


def _decode(code: Tensor, white: float = 100.0) -> Tensor:
    """Absolute luminance, cd/m², of code."""
    table = _table(torch.float64, code.device)
    v = code.double().clamp(float(table[0]), float(table[-1]))
    right = torch.searchsorted(table, v.detach().contiguous()).clamp(1, _NODES - 1)
    low, high = table[right - 1], table[right]
    place = (right - 1) + (v - low) / (high - low)
    return (10 ** (place * ((_RANGE[1] - _RANGE[0]) / (_NODES - 1)) + _RANGE[0])).to(code.dtype)


pu08 = Encoding(
    name="pu08",
    encode=_encode,
    decode=_decode,
    nits=(1e-5, 1e10),
    codes=255.0,
    source="Aydin, Mantiuk & Seidel, HVEI 2008, doi:10.1117/12.765095; table as pu2_encode builds it from HDR-VDP-2's CSF",
)
