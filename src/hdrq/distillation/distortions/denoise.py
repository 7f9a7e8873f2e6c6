"""Noise added and then removed by a local Wiener filter."""

import torch
from torch import Tensor

from hdrq.distillation.distortion import DistortionCard, distortion, normal
from hdrq.image.filters import box, separable


@distortion(
    DistortionCard(
        title="Denoising by an adaptive Wiener filter",
        source="Lin, Hosu & Saupe, QoMEX 2019, doi:10.1109/QoMEX.2019.8743252 (KADID-10k); "
        "filter: Lim, Two-Dimensional Signal and Image Processing, 1990",
        acts="code",
        amount="standard deviation of the noise, in SDR whites of code",
        levels=(0, 0.02, 0.04, 0.08, 0.15, 0.3),
        chance=True,
    )
)
def denoise(code: Tensor, deviation: float, random: torch.Generator) -> Tensor:
    noisy = code + deviation * normal(code, random)
    five = box(5, noisy)
    mean = separable(noisy, five, border="symmetric")
    variance = separable(noisy**2, five, border="symmetric") - mean**2
    gain = (variance - deviation**2).clamp(min=0) / variance.clamp(min=max(deviation**2, 1e-12))
    return mean + gain * (noisy - mean)
