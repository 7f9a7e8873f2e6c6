"""HDR-VDP-2 (2.2.1)."""

from __future__ import annotations

from math import log, log10, sqrt
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from hdrq.cards import Card, Output, Reading, metric
from hdrq.errors import UsageError
from hdrq.image.color import mix
from hdrq.image.resize import imresize
from hdrq.scoring.features.hdrvdp.colour import GREY, Spectra, emitted, resolve
from hdrq.scoring.features.hdrvdp.contrast import (
    HIGHEST,
    LOWEST,
    Masking,
    at_each,
    curve_v2,
    hidden,
    mutual,
    root,
    tabulated_v2,
)
from hdrq.scoring.features.hdrvdp.eye import V2, across, field_frequencies, respond
from hdrq.scoring.features.hdrvdp.retina import Viewer, in_float64, receptors, surround_light
from hdrq.scoring.features.steerable import decompose, deepest, rebuild

# contrast sensitivity of Daly's model at its peak, 30 cd/m²
PEAK = 0.006894596
BY = Masking(p=10**0.544068, q=10**0.49576, own=10**0.189065, cross=10**0.449199, near=10**1.52512)
# of the psychometric function
SLOPE = 3.5

# Weight of a band's log error in Q, by its frequency in cycles per degree.
RATES = np.array([0.1172, 0.2344, 0.4688, 0.9375, 1.875, 3.75, 7.5, 15, 30, 60])
WEIGHTS = np.array([0, 0, 0.0003, 0.0003, 0.0398, 0.2690, 0.2142, 0.2832, 0.2832, 0])
TINY = 1e-12

# To BT.709, as in the program.
FROM_XYZ = np.array(
    [[3.240708, -1.537259, -0.498570], [-0.969257, 1.875995, 0.041555], [0.055636, -0.203996, 1.057069]]
)


@metric(
    Card(
        title="HDR-VDP-2 (2.2.1)",
        unit="1",
        better="higher",
        span=(None, 100.0),
        best=100.0,
        reads="nits",
        needs=("ppd",),
        side=18,
        planes=120,
        map="probability",
        space="bt709",
        outputs=(
            Output("p-det", "1", "lower", (0, 1), 0.0, when=(("output", "p-det"),)),
            Output("c-max", "thresholds", "lower", (0, None), 0.0, when=(("output", "c-max"),)),
        ),
        source="Mantiuk, Kim, Rempel & Heidrich 2011, doi:10.1145/2010324.1964935; "
        "Narwaria et al. 2015, doi:10.1117/1.JEI.24.1.010501; program 2.2.1",
    )
)
def hdrvdp2(
    ref: Tensor,
    dist: Tensor,
    *,
    ppd: float = 45.0,
    output: Literal["q", "p-det", "c-max"] = "q",
    colour: Literal["auto", "rgb-bt.709", "XYZ", "sRGB-display", "luminance", "luma-display"] = "auto",
    spectra: Literal["auto", "ccfl-lcd", "led-lcd", "crt", "d65"] = "auto",
    mtf: bool = True,
    surround: str = "1e-5",
    peak_sensitivity: float = 2.4,
    masking: bool = True,
    pooling: bool = True,
) -> Reading:
    """Visible differences and quality under all luminance conditions, the second version.

    value   quality, 100 for identical images, lower and without end for worse ones
    map     probability of seeing a difference there
    extra   q, p_det and c_max (peaks of probability, and of contrast in thresholds)

    output      another number as the value; of p-det and c-max LOWER is better
    colour      meaning of the pixels; auto: rgb-bt.709 for three channels, luminance for one
    spectra     the display whose primaries emit the light; auto: ccfl-lcd, daylight for one channel
    mtf         False: no blur by the eye's optics
    surround    light around the image in cd/m² (the program's dark 1e-5), or mean (geometric, of the reference)
    peak_sensitivity  log10; a higher value makes more differences visible
    masking     False: content hides nothing
    pooling     False: contrast is not summed up over the image
    """
    resolved = resolve(colour, ref.shape[1])
    lamp = _spectra(spectra, resolved)
    viewer = Viewer(ppd, 24.0, "hdrvdp" if mtf else "none", lamp, log10(PEAK) + peak_sensitivity)
    if surround == "none":
        raise UsageError("hdrvdp2 does not mirror the image; give surround=mean, or cd/m²")
    dtype = ref.dtype
    ref, dist = (_light(in_float64(x), resolved) for x in (ref, dist))
    around = surround_light(surround, ref)
    changed = ((dist - ref).abs() / ref > 0.001).any(1, keepdim=True).to(ref)
    response_ref, luminance_ref = _sense(ref, viewer, around)
    response, luminance = _sense(dist, viewer, around)
    log_nits = ((luminance_ref + luminance) / 2).clamp(10**LOWEST, 10**HIGHEST).log10()
    refs, outside = _bands(response_ref, luminance_ref, ppd, None)
    tests, _ = _bands(response, luminance, ppd, outside)
    del ref, dist, response_ref, response, luminance_ref, luminance
    seen, loss = _stand_out(tests, refs, log_nits, changed, ppd, masking)
    contrast = rebuild(seen, "sp3").abs()
    if pooling:
        total, peak = contrast.sum((1, 2, 3), keepdim=True), contrast.amax((1, 2, 3), keepdim=True)
        contrast = contrast * (total / (peak + TINY))
    probability = 1 - torch.exp(log(0.5) * contrast)
    numbers = {"q": 100 - loss, "p_det": probability.amax((1, 2, 3)), "c_max": contrast.amax((1, 2, 3))}
    numbers = {name: number.to(dtype) for name, number in numbers.items()}
    return Reading(numbers[output.replace("-", "_")], probability.to(dtype), numbers)


def _light(pixels: Tensor, colour: str) -> Tensor:
    return mix(pixels, FROM_XYZ) if colour == "XYZ" else emitted(pixels, colour)  # type: ignore[arg-type]


def _spectra(spectra: str, colour: str) -> Spectra:
    if spectra == "d65" and colour not in GREY:
        raise UsageError("spectra=d65 is one channel's; for colour name a display, as spectra=ccfl-lcd")
    if spectra == "auto":
        return "d65" if colour in GREY else "ccfl-lcd-2"
    return "ccfl-lcd-2" if spectra == "ccfl-lcd" else spectra  # type: ignore[return-value]


def _sense(light: Tensor, viewer: Viewer, surround: Tensor | None) -> tuple[Tensor, Tensor]:
    """Response of cones and rods, each without its mean, and luminance in cd/m²; (N, 1, H, W)."""
    caught = receptors(light, viewer, None, surround)
    cones = respond(caught[:, :2], 0, V2).sum(1, keepdim=True)
    rods = respond(caught[:, 2:], 1, V2)
    response = cones - cones.mean((-2, -1), keepdim=True) + (rods - rods.mean((-2, -1), keepdim=True))
    return response * 10**viewer.gain, caught[:, :2].sum(1, keepdim=True)


def _bands(
    response: Tensor, luminance: Tensor, ppd: float, outside: Tensor | None
) -> tuple[list[Tensor], Tensor]:
    """Bands divided by 2^b, the base band filtered by contrast sensitivity; and what lies outside of it.

    outside  mean of the reference's base band, for both images; None: this is the reference
    """
    levels = deepest(response.shape[-2], response.shape[-1], "sp3")
    bands = [band / 2**b for b, band in enumerate(decompose(response, levels, "sp3"))]
    base = bands[-1]
    outside = base.mean((-2, -1), keepdim=True) if outside is None else outside
    h, w = base.shape[-2:]
    # Departure kept for the numbers: sqrt(2), where 2 would follow from the sampling and fits worse.
    rate = ppd / 2 * 2.0 ** (1 - len(bands)) * 2 * sqrt(2)
    cpd = field_frequencies(h, w, rate).to(base.device)
    log_nits = luminance.mean((-2, -1), keepdim=True).log10().to(base)
    bands[-1] = across(base, curve_v2(cpd.to(base), log_nits), outside)
    return bands, outside


def _stand_out(
    tests: list[Tensor], refs: list[Tensor], log_nits: Tensor, changed: Tensor, ppd: float, masking: bool
) -> tuple[list[Tensor], Tensor]:
    """Bands of visible contrast, ready for reconstruction, and the loss of quality (N,). The lists are consumed."""
    count = len(tests)
    common = [mutual(test, ref) for test, ref in zip(tests, refs)]
    found = []
    total = log_nits.new_zeros(len(log_nits))
    for b in range(count):
        difference = tests.pop(0) - refs.pop(0)
        size = (difference.shape[-2], difference.shape[-1])
        cpd = ppd / 2 * 2.0**-b
        local = imresize(log_nits, size=size).clamp(LOWEST, HIGHEST)
        sensitivity = torch.ones_like(local)
        # the base band is filtered already
        if b < count - 1:
            sensitivity = at_each(tabulated_v2(cpd, local.dtype, local.device), local)
        weight = imresize(changed, size=size)
        parts = []
        # One orientation after the other, so that a frame of many megapixels fits.
        for o, part in enumerate(difference.split(1, 1)):
            gain = sensitivity**BY.p
            if masking:
                noise = hidden(common, b, BY, slice(o, o + 1)) * (2**b * sensitivity ** (BY.p + BY.q))
                gain = gain / torch.sqrt(1 + noise**2)
            size_of = part.abs()
            parts.append(part.sign() * size_of**SLOPE * gain ** (SLOPE / BY.p) * 2**b)
            error = 2**b * gain * size_of**BY.p * weight
            spread = root((error**2).sum((1, 2, 3))) / (size[0] * size[1])
            total = total + np.interp(cpd, RATES, WEIGHTS) * (torch.log(spread + TINY) - log(TINY))
        found.append(torch.cat(parts, 1))
    return found, total
