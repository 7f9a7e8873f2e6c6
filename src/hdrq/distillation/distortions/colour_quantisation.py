"""Colours reduced to a small palette by median cut."""

from math import ceil

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from hdrq.distillation.distortion import DistortionCard, distortion


@distortion(
    DistortionCard(
        title="Colour quantisation",
        source="Lin, Hosu & Saupe, QoMEX 2019, doi:10.1109/QoMEX.2019.8743252 (KADID-10k), palette by Pillow's median cut",
        acts="code",
        amount="share of 256 colours that is removed",
        levels=(0, 0.75, 0.82, 0.88, 0.94, 0.97),
    )
)
def colour_quantisation(code: Tensor, lost: float, top: float) -> Tensor:
    if code.shape[1] < 3:
        return code
    colours = max(2, ceil(256 * (1 - lost)))
    frames = (code * (255 / top)).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
    made = [
        np.asarray(
            Image.fromarray(f)
            .quantize(colours, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
            .convert("RGB")
        )
        for f in frames
    ]
    return torch.from_numpy(np.stack(made)).permute(0, 3, 1, 2).to(code) * (top / 255)
