"""Weighted mean of log radiance."""

from __future__ import annotations

from torch import Tensor

from hdrq.merging.cards import RuleCard, Terms, entry

# smallest exposure in a logarithm; 8-bit black is about 1e-4 of white
DARK = 1e-12


@entry(
    RuleCard(
        title="Weighted mean of log radiance: exp(Σ w ln(f/t) / Σ w)",
        source="Debevec & Malik, SIGGRAPH 1997, doi:10.1145/258734.258884, eq. 6",
        logarithmic=True,
    )
)
def log_mean(light: Tensor, weight: Tensor, seconds: float, *, offset: float = 0.0) -> Terms:
    """Terms of one frame. offset: added to exposures before the logarithm (HDR Toolbox: 1/65535)."""
    return Terms(weight * ((light + offset).clamp(min=DARK) / seconds).log(), weight)
