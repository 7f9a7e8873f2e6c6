"""HDR-VDP-3 (3.0.7)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from math import ceil, exp, log, log2
from typing import Literal

import torch
from torch import Tensor

from hdrq.cards import Card, Output, Reading, metric
from hdrq.errors import UsageError
from hdrq.image.arithmetic import power
from hdrq.image.color import convert
from hdrq.image.resize import imresize
from hdrq.records import BT709, BT2020, Primaries
from hdrq.scoring.features.hdrvdp.civdm import lost_and_added
from hdrq.scoring.features.hdrvdp.colour import Colour, default_spectra, emitted, native, resolve
from hdrq.scoring.features.hdrvdp.contrast import (
    HIGHEST,
    LOWEST,
    QUALITY,
    STRUCTURE_GAIN,
    TASKS,
    Masking,
    Task,
    at_each,
    averaged,
    curve_v3,
    hidden,
    tabulated_v3,
)
from hdrq.scoring.features.hdrvdp.eye import Mtf
from hdrq.scoring.features.hdrvdp.retina import Viewer, blur, in_float64, retinal_response, surround_light
from hdrq.scoring.features.pixel_errors import by_rows
from hdrq.scoring.features.steerable import Filters, decomposed, deepest, rebuild

# Q of identical images; smallest ln of a difference
BEST, FLOOR = 10.0, -4.0
# from Q
JOD = (0.52, 1.2812)
# exponent of the mean over a band
POOL = 0.8
# degrees, standard deviation of the smoothing before the search of a peak
PEAK = 0.25


@metric(
    Card(
        title="HDR-VDP-3 (3.0.7)",
        unit="JOD",
        better="higher",
        span=(None, BEST),
        best=BEST,
        reads="nits",
        needs=("ppd", "primaries"),
        side=16,
        planes=90,
        map="probability",
        outputs=(
            Output("structure", "1", "higher", (0, 1), 1.0, when=(("task", "civdm"),)),
            Output("q", "1", "higher", (None, BEST), BEST, when=(("output", "q"),)),
            Output("p-det", "1", "lower", (0, 1), 0.0, when=(("output", "p-det"),)),
            Output("c-max", "thresholds", "lower", (0, None), 0.0, when=(("output", "c-max"),)),
        ),
        source="Mantiuk, Hammou & Hanji 2023, arXiv:2304.13625; program 3.0.7 of 30 April 2023",
    )
)
def hdrvdp3(
    ref: Tensor,
    dist: Tensor,
    *,
    ppd: float = 45.0,
    task: Literal["quality", "side-by-side", "flicker", "detection", "civdm"] = "quality",
    output: Literal["auto", "jod", "q", "p-det", "c-max", "loss", "amplification"] = "auto",
    colour: Colour = "auto",
    spectra: Literal["auto", "led-lcd-srgb", "led-lcd-wcg", "oled", "ccfl-lcd", "crt", "d65"] = "auto",
    mtf: Mtf = "hdrvdp",
    age: float = 24.0,
    surround: str = "none",
    sensitivity: float = 0.0,
    masking: bool = True,
    mask_p: float | None = None,
    mask_q: float | None = None,
    lowest_cpd: float = 0.0,
    pixel_threshold: bool = False,
    filters: Literal["auto", "sp0", "sp3", "sp5"] = "auto",
    primaries: Primaries = BT709,
) -> Reading:
    """Visible differences and quality under all luminance conditions.

    value   quality in just-objectionable differences, 10 for identical images, for every task;
            of civdm the share of structure kept, 0..1
    map     probability of seeing a difference there; of civdm that structure is lost or added there
    extra   q (10 best), jod, p_det and c_max (peaks of probability, and of contrast in thresholds);
            of civdm loss and amplification

    task        task of the observers: quality (= side-by-side), flicker (images swapped in place), detection
                (one difference, forced choice), civdm (structure, independent of dynamic range)
    output      another number as the value; of p-det and c-max LOWER is better. loss, amplification: of civdm,
                the value and the map of one kind
    colour      meaning of the pixels; auto: rgb-bt.709 of BT.709 light, rgb-bt.2020 of light in wider primaries, luminance
                of one channel
    spectra     the display whose primaries emit the light; auto: by colour
    mtf         optics of the eye: hdrvdp, cie (glare grows with age, CIE 135), none
    age         years; the lens yellows, the pupil shrinks and, over 24, neurons lose contrast (best with mtf=cie)
    surround    light around the image: none (it mirrors), mean (geometric, of the reference), or cd/m²
    sensitivity     log10 added to the task's
    masking         False: content hides nothing
    mask_p, mask_q  log10 of the exponents of excitation and masking, instead of the task's
    lowest_cpd      bands below are ignored
    pixel_threshold whether a pixel must differ by 1 % of its adapting luminance to be visible
    filters         steerable pyramid; auto: the task's
    """
    known = TASKS.get(task, QUALITY)
    if colour == "auto" and primaries != BT709 and ref.shape[1] == 3:
        colour = "rgb-bt.2020"
        ref, dist = (convert(x, primaries, BT2020) for x in (ref, dist))
    resolved = resolve(colour, ref.shape[1])
    gain = (STRUCTURE_GAIN if task == "civdm" else known.gain) + sensitivity
    viewer = Viewer(ppd, age, mtf, default_spectra(spectra, resolved), gain)
    ref, dist = emitted(ref, resolved), emitted(dist, resolved)
    around = surround_light(surround, ref)
    shown = partial(native, colour=resolved, spectra=viewer.spectra)
    changed = by_rows(lambda a, b: _changed(shown(a), shown(b)), ref, dist)
    response_ref, adapting_ref = retinal_response(ref, viewer, around, shown)
    response, adapting = retinal_response(dist, viewer, around, shown)
    if task == "civdm":
        lost, added = lost_and_added((response_ref, response), (adapting_ref, adapting), ppd, mtf, age)
        return _structure(lost.to(ref.dtype), added.to(ref.dtype), output)

    by = Masking(
        p=10 ** (known.p if mask_p is None else float(mask_p)),
        q=10 ** (known.q if mask_q is None else float(mask_q)),
        own=10**known.own,
        cross=None if known.cross is None else 10**known.cross,
        near=None if known.near is None else 10**known.near,
    )
    pyramid: Filters = known.filters if filters == "auto" else filters
    log_nits = by_rows(lambda a, b: _log_mean(a, b).to(changed), adapting_ref, adapting)
    step = (adapting_ref - adapting).abs() / adapting_ref if pixel_threshold else None
    del ref, dist, adapting_ref, adapting
    tests, refs = _bands([response], ppd, pyramid), _bands([response_ref], ppd, pyramid)
    del response, response_ref
    differences, common = _compared(tests, refs, log_nits)
    seen, error = _stand_out(differences, common, log_nits, changed, viewer, by, known, masking, lowest_cpd)
    q = BEST + FLOOR - torch.log(exp(FLOOR) + error)
    numbers = {"q": q, "jod": BEST - JOD[0] * (BEST - q).clamp(min=0) ** JOD[1]}

    del differences, common, log_nits
    contrast = rebuild(seen, pyramid, in_float64).abs_().to(changed)
    if known.reach is None:
        pooled = contrast.sum((1, 2, 3), keepdim=True) / (contrast.amax((1, 2, 3), keepdim=True) + 1e-12)
        contrast = contrast * pooled
    probability = _probability(contrast)
    if known.reach is not None:
        joint = torch.log(1 - probability + 1e-4)
        probability = 1 - torch.exp(blur(joint, 10**known.reach * ppd, "zero"))
        # the program's is -0.0001 where nothing is seen
        probability = probability.clamp(min=0)
    if step is not None:
        probability = probability * _probability((step / 0.01) ** 3.5).to(probability)
    for name, image in (("p_det", probability), ("c_max", contrast)):
        smooth = image if known.reach is None else blur(image, PEAK * ppd, "zero")
        numbers[name] = smooth.amax((1, 2, 3))
    return Reading(_chosen(numbers, "jod" if output == "auto" else output), probability, numbers)


def _changed(ref: Tensor, dist: Tensor) -> Tensor:
    """1 where a channel differs by more than 0.1 %, else 0."""
    return ((dist - ref).abs() / ref > 0.001).any(1, keepdim=True).to(ref.dtype)


def _log_mean(a: Tensor, b: Tensor) -> Tensor:
    """log10 of the mean of two luminances."""
    return ((a + b) / 2).log10().clamp(LOWEST, HIGHEST)


def _bands(response: list[Tensor], ppd: float, pyramid: Filters) -> Iterator[Tensor]:
    """Steerable bands, fine to coarse, divided by 2^b; the base band without its mean.

    response  alone in its list, which is emptied, so that the response is kept no longer than it is needed
    """
    h, w = response[0].shape[-2:]
    levels = max(0, min(ceil(log2(ppd)) - 2, deepest(h, w, pyramid)))
    for b, band in enumerate(decomposed(response, levels, pyramid)):
        base = b == levels + 1
        yield (band - band.mean((-2, -1), keepdim=True) if base else band) / 2**b


def _compared(
    tests: Iterator[Tensor], refs: Iterator[Tensor], like: Tensor
) -> tuple[list[Tensor], list[Tensor]]:
    """Differences and common activity of bands, in the type of `like` once they are subtracted."""
    differences, common = [], []
    while (test := next(tests, None)) is not None:
        ref = next(refs)
        differences.append(by_rows(lambda a, b: (a - b).to(like), test, ref))
        least = by_rows(lambda a, b: torch.minimum(a.to(like).abs(), b.to(like).abs()), test, ref)
        del test, ref
        common.append(averaged(least))
    return differences, common


def _stand_out(
    differences: list[Tensor],
    common: list[Tensor],
    log_nits: Tensor,
    changed: Tensor,
    viewer: Viewer,
    by: Masking,
    task: Task,
    masking: bool,
    lowest_cpd: float,
) -> tuple[list[Tensor], Tensor]:
    """Bands of visible contrast, ready to be rebuilt, and the error (N,) that quality is made of.

    The differences are used up, so that a frame of many megapixels is not kept in several forms.
    """
    count = len(differences)
    slope = 10**task.slope
    found = []
    total = log_nits.new_zeros(len(log_nits))
    error = total[:, None]
    for b in range(count):
        # bands are released after use
        difference = differences.pop(0)
        size = (difference.shape[-2], difference.shape[-1])
        cpd = viewer.ppd / 2 * 2.0**-b
        local = imresize(log_nits, size=size).clamp(LOWEST, HIGHEST)
        if b == count - 1:
            sensitivity = _base_sensitivity(difference, 4 * cpd, local, viewer)
        else:
            curve = tabulated_v3(cpd, viewer.mtf, viewer.age, local.dtype, local.device)
            sensitivity = by_rows(partial(at_each, curve), local)
        # |d|^p / sqrt(1/s^2p + noise²), written so that no sensitivity and no difference have gradients.
        gain = power(sensitivity, by.p)
        if masking:
            gain = gain / torch.sqrt(1 + (hidden(common, b, by) * gain) ** 2)
        size_of = difference.abs()
        if cpd >= lowest_cpd:
            found.append(difference.sign() * power(size_of, slope) * power(gain, slope / by.p) * 2**b)
            weight = power(imresize(changed, size=size).abs(), POOL)
            error = (power(size_of, POOL * by.p) * power(gain, POOL) * weight).mean((-2, -1)) ** (1 / POOL)
        # as in the program, the error of the last band is added again
        else:
            found.append(torch.zeros_like(difference))
            error = error[:, -1:].expand(-1, difference.shape[1])
        total = total + error.sum(1) / count
    return found, total


def _base_sensitivity(difference: Tensor, rate: float, log_nits: Tensor, viewer: Viewer) -> Tensor:
    """Sensitivity (N, 1, 1, 1) to the frequency that is strongest in the difference; `rate` samples per degree.

    Not quite 0 where all is equal, so that powers of it have gradients.
    """
    h, w = difference.shape[-2:]
    strength = torch.fft.rfft2(difference.detach()).abs().flatten(1)
    strength[:, 0] = 0
    y, x = (f(n, dtype=log_nits.dtype) for f, n in ((torch.fft.fftfreq, h), (torch.fft.rfftfreq, w)))
    cpd = (torch.hypot(y[:, None], x) * rate).to(log_nits.device).flatten()[strength.argmax(1)]
    found = curve_v3(cpd, log_nits.mean((1, 2, 3)), viewer.mtf, viewer.age)
    return found.clamp(min=1e-12)[:, None, None, None]


def _probability(contrast: Tensor) -> Tensor:
    """Of detection, 0.5 at threshold."""
    return 1 - torch.exp(log(0.5) * contrast)


def _structure(loss: Tensor, amplification: Tensor, output: str) -> Reading:
    """The reading of civdm: lost structure, added structure, and either."""
    maps = {"loss": loss, "amplification": amplification, "auto": 1 - (1 - loss) * (1 - amplification)}
    shares = {name: m.mean((1, 2, 3)) for name, m in maps.items()}
    value = 1 - _chosen(shares, output)
    return Reading(value, maps[output], {name: shares[name] for name in ("loss", "amplification")})


def _chosen(numbers: dict[str, Tensor], output: str) -> Tensor:
    name = output.replace("-", "_")
    if name not in numbers:
        raise UsageError(f"hdrvdp3 has no output={output} with this task; it has {', '.join(numbers)}")
    return numbers[name]
