"""Where differences are seen, in colour over a calm grey picture of the scene.

Source: the colour scales and the tone curve of HDR-VDP 2 and 3 (Mantiuk et al. 2011, doi:10.1145/2010324.1964935).
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from hdrq.ops.colour import LUMINANCE
from hdrq.ops.visibility.gaussian import blur
from hdrq.ops.visibility.lookup import lookup

Scale = Literal["trichromatic", "dichromatic", "monochromatic"]
SCALES = {  # sRGB code of probabilities evenly spread over 0..1
    "trichromatic": ((0.2, 0.2, 1.0), (0.2, 1.0, 1.0), (0.2, 1.0, 0.2), (1.0, 1.0, 0.2), (1.0, 0.2, 0.2)),
    "dichromatic": ((0.2, 1.0, 1.0), (1.0, 1.0, 1.0), (1.0, 1.0, 0.2)),
    "monochromatic": ((0.1, 0.1, 0.1), (0.9, 0.9, 0.9)),
}
SHOWN = 0.6  # share of the code range that the scene takes
DETAIL = 0.2  # the same of its fine detail, where grey itself means probability
BINS = 1024


def overlay(probability: Tensor, luminance: Tensor | None = None, scale: Scale = "trichromatic") -> Tensor:
    """(N, 1, H, W) probability of detection, 0..1, as (N, 3, H, W) sRGB code, 0..1.

    luminance  of the scene, any positive unit, (N, 1, H, W); None: an even grey
    scale      trichromatic   blue, cyan, green, yellow, red
               dichromatic    cyan, white, yellow: for observers who confuse red and green
               monochromatic  black to white, with only fine detail of the scene
    """
    places = probability.clamp(0, 1)
    nodes = torch.tensor(SCALES[scale], dtype=probability.dtype, device=probability.device)
    colours = torch.cat([lookup(node, places * (len(nodes) - 1)) for node in nodes.T], 1)
    if scale == "monochromatic":
        detail = 0.0 if luminance is None else _detail(luminance)
        return (colours + detail).clamp(0, 1)
    weights = torch.tensor(LUMINANCE, dtype=probability.dtype, device=probability.device)
    brightness = (colours * weights[:, None, None]).sum(1, keepdim=True)
    scene = 0.5 if luminance is None else calm(luminance.clamp(min=1e-9).log(), SHOWN)
    return (colours / brightness * scene).clamp(0, 1)


def calm(log_light: Tensor, share: float) -> Tensor:
    """Code within `share` of 0..1 around 0.5, (N, 1, H, W).

    Each level gets range by the cube root of how common it is, so that no part of the scene is lost.
    """
    tones = []
    for picture in log_light:
        low, high = picture.min(), picture.max()
        places = (picture - low) / (high - low).clamp(min=1e-9) * (BINS - 1)
        common = torch.histc(places.float(), BINS, -0.5, BINS - 0.5).to(picture) ** (1 / 3)
        tones.append(lookup(common.cumsum(0) / common.sum() * share + (1 - share) / 2, places))
    return torch.stack(tones)


def _detail(luminance: Tensor) -> Tensor:
    """What a blur of two pixels takes away, as code around 0."""
    logs = luminance.clamp(min=1e-9).log()
    return calm(logs - blur(logs, 2.0, "replicate"), DETAIL) - 0.5
