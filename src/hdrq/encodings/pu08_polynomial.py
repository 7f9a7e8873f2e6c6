"""PU08 as PU-PieAPP was trained on it: two polynomials fitted to the table its authors published.

Another curve than `pu08`, which is built from HDR-VDP-2's sensitivity: this one gives 100 cd/m² code 225.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from hdrq.types import Encoding

# Coefficients from the highest power down, of log10 luminance; they change over at 10^0.8 cd/m².
_DARK = (2.5577829, 17.73608751, 48.96952155, 45.55950728)
_BRIGHT = (-2.76770417e-3, 5.45782779e-2, -1.31306184e-1, -4.05827702, 37.4004810, 28.4345651, 51.5162034)
_CHANGE = 0.8
_RANGE = (-1.7647, 8.9979)  # log10 cd/m²
_CODES = 255.0


def _horner(x: Tensor, coefficients: tuple[float, ...]) -> Tensor:
    y = torch.full_like(x, coefficients[0])
    for c in coefficients[1:]:
        y = y * x + c
    return y


def _curve(decades: Tensor) -> Tensor:
    return torch.where(decades < _CHANGE, _horner(decades, _DARK), _horner(decades, _BRIGHT))


def _encode(nits: Tensor, white: float = 100.0) -> Tensor:
    """Code of absolute luminance in cd/m², clamped to [0.0172, 9.95e8]; 1.0 is 255 codes."""
    return _curve(nits.clamp(min=1e-8).log10().clamp(*_RANGE)) / _CODES


@lru_cache(maxsize=8)
def _table(device: torch.device) -> tuple[Tensor, Tensor]:
    """Evenly spaced decades and their codes, made to rise strictly where the polynomials meet."""
    decades = torch.linspace(*_RANGE, 1 << 16, dtype=torch.float64, device=device)
    code = _curve(decades).cummax(0).values / _CODES
    return decades, code + torch.linspace(0, 1e-9, len(code), dtype=torch.float64, device=device)


def _decode(code: Tensor, white: float = 100.0) -> Tensor:
    """Absolute luminance, cd/m², of code; by interpolation in a table, to about 1e-8 decades."""
    decades, table = _table(code.device)
    v = code.double().clamp(float(table[0]), float(table[-1]))
    right = torch.searchsorted(table, v.detach().contiguous()).clamp(1, len(table) - 1)
    low, high = table[right - 1], table[right]
    place = decades[right - 1] + (v - low) / (high - low) * (decades[1] - decades[0])
    return (10**place).to(code.dtype)


pu08_polynomial = Encoding(
    name="pu08-polynomial",
    encode=_encode,
    decode=_decode,
    nits=(10 ** _RANGE[0], 10 ** _RANGE[1]),
    codes=_CODES,
    source="gfxdisp/pu_pieapp, fitted to Aydin, Mantiuk & Seidel, HVEI 2008, doi:10.1117/12.765095",
)
