"""From light to the retina's response: optics, cones and rods, adaptation (HDR-VDP 3)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from hdrq.errors import UsageError
from hdrq.image.color import mix
from hdrq.scoring.features.hdrvdp.eye import V3, Mtf, pupil, respond, scatter
from hdrq.scoring.features.hdrvdp.gaussian import blur
from hdrq.scoring.features.hdrvdp.spectra import Spectra, receptor_matrix

ADAPTATION = 10**-0.781367  # degrees, standard deviation of the pool that adapts
REFERENCE_AGE = 28.0


class Viewer(NamedTuple):
    """The observer: pixels per degree, age in years, optics, spectra, log10 gain."""

    ppd: float
    age: float
    mtf: Mtf
    spectra: Spectra
    gain: float


def receptors(light: Tensor, viewer: Viewer, age: float | None, surround: Tensor | None) -> Tensor:
    """(N, C, H, W) cd/m² of display channels to (N, 3, H, W): L cones, M cones, rods."""
    if viewer.mtf != "none":
        around = (None,) * light.shape[1] if surround is None else surround.split(1, 1)
        seen = [scatter(c, viewer.ppd, viewer.mtf, viewer.age, s) for c, s in zip(light.split(1, 1), around)]
        light = torch.cat(seen, 1).clamp(1e-5, 1e10)
    matrix = receptor_matrix(viewer.spectra, light.shape[1], age)[:, [0, 1, 3]]
    return mix(light, matrix.T.copy()).clamp(1e-8, 1e10)


def precise(x: Tensor) -> Tensor:
    """In float64 where the device has it: in float32, Fourier rounding errors of bright regions exceed dark ones."""
    return x if x.device.type == "mps" else x.double()


def sense(light: Tensor, viewer: Viewer, surround: Tensor | None) -> tuple[Tensor, Tensor]:
    """Response of cones and rods together, and the adapting luminance in cd/m²; both (N, 1, H, W), float64."""
    caught = receptors(precise(light), viewer, viewer.age, surround)
    luminance = caught[:, :2].sum(1, keepdim=True)
    log_adapting = blur(luminance.clamp(min=1e-6).log(), ADAPTATION * viewer.ppd, "replicate")
    area = light.shape[-2] * light.shape[-1] / viewer.ppd**2
    mean = log_adapting.mean((-2, -1), keepdim=True).exp()
    caught = caught * (pupil(mean, area, viewer.age) / pupil(mean, area, REFERENCE_AGE)) ** 2
    response = respond(caught[:, :2], 0, V3).sum(1, keepdim=True) + respond(caught[:, 2:], 1, V3)
    return response * 10**viewer.gain, log_adapting.exp()


def surround_light(surround: str | float, reference: Tensor) -> Tensor | None:
    """Light around the frame, (N, C, 1, 1): None mirrors it ("none"), "mean" is the reference's geometric mean."""
    if surround == "none":
        return None
    if surround == "mean":
        return reference.log().mean((-2, -1), keepdim=True).exp()
    try:
        nits = float(surround)
    except ValueError:
        raise UsageError(f"surround={surround} is not a luminance; give none, mean or cd/m²") from None
    return reference.new_full((reference.shape[0], reference.shape[1], 1, 1), nits)
