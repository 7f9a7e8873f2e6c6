"""DRIM: visible contrast that is lost, made visible, or reversed, whatever the dynamic ranges of the two images.

Its channels are those of the visual cortex: bands of one octave in six orientations, as complex numbers. Watson, "The cortex
transform", 1987, doi:10.1016/S0734-189X(87)80184-6; shapes of the filters after Daly, "The visible differences predictor",
1993. The filters of all channels and of the base band add up to 1. The real part of a channel is its signal; the magnitude is
the amplitude of the wave there, which does not fall to zero where the signal crosses zero. The Nyquist frequency, which has
no direction, is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import log, pi
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from hdrq.cards import Card, Output, Reading, metric
from hdrq.scoring.features.hdrvdp.civdm import SLOPE, VISIBLE
from hdrq.scoring.features.hdrvdp.contrast import HIGHEST, LOWEST, at_each, tabulated_v3
from hdrq.scoring.features.hdrvdp.eye import Mtf
from hdrq.scoring.features.hdrvdp.retina import Viewer, retinal_response

KINDS = ("loss", "amplification", "reversal")
# of KINDS, as in the paper's maps
COLOURS = ((0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (1.0, 0.0, 0.0))
# largest probability of one channel
CERTAIN = 1 - 1e-6
# brightness of a colour where the test image is darkest
SHADE = 0.35
ORIENTATIONS = 6
# of a low-pass filter's half-amplitude frequency
TRANSITION = 2 / 3


@metric(
    Card(
        title="Dynamic range independent metric (DRIM)",
        unit="1",
        better="lower",
        span=(0, 1),
        best=0.0,
        reads="nits",
        grey=True,
        needs=("ppd",),
        side=16,
        planes=160,
        trainable=False,
        map="error",
        outputs=tuple(Output(k, "1", "lower", (0, 1), 0.0, when=(("output", k),)) for k in KINDS),
        source="Aydin, Mantiuk, Myszkowski & Seidel 2008, doi:10.1145/1360612.1360668, with the eye of HDR-VDP 3",
    )
)
def drim(
    ref: Tensor,
    dist: Tensor,
    *,
    output: Literal["auto", "loss", "amplification", "reversal"] = "auto",
    ppd: float = 45.0,
    lowest_cpd: float = 2.0,
    sensitivity: float = 0.0,
    mtf: Mtf = "hdrvdp",
    age: float = 24.0,
) -> Reading:
    """Mean probability that a pixel shows a distortion of contrast; 0 for identical images.

    loss           contrast that is visible in the reference is invisible in the test image
    amplification  contrast that is invisible in the reference is visible in the test image
    reversal       contrast that is visible in both has the opposite sign

    A channel is one octave and one of six orientations of the cortex transform. Contrast is visible where it is detected
    with a probability of at least 0.5. A pixel has a distortion where any channel has it.

    map          three colours over a grey test image: green loss, blue amplification, red reversal, of each pixel the most
                 probable one, the stronger the more probable; of output=loss and so on the probability alone
    extra        loss, amplification and reversal
    output       one of the three as the value and the map
    lowest_cpd   channels of lower frequencies, in cycles per degree, are ignored; 0 uses all
    sensitivity  log10 added to that of the eye
    mtf, age     as of hdrvdp3
    ref, dist    luminance, cd/m²

    Departures from the paper: optics, retina and contrast sensitivity are those of HDR-VDP 3, from 0.0002 cd/m² on. Amplitude
    and phase of a channel are compared instead of its value at a pixel, so that no distortion is found where a wave that
    moved a little crosses zero; contrast is reversed where phases differ by more than a quarter of a period.
    """
    viewer = Viewer(ppd, age, mtf, "d65", sensitivity)
    # In float64, so that samples at the threshold fall on the right side of it.
    seen = [retinal_response(image, viewer, None) for image in (ref, dist)]
    maps = [m.to(ref.dtype) for m in distorted(seen, viewer, lowest_cpd)]
    any_of = 1 - torch.stack([1 - m for m in maps]).prod(0)
    numbers = {kind: m.mean((1, 2, 3)) for kind, m in zip(KINDS, maps)}
    if output != "auto":
        return Reading(numbers[output], maps[KINDS.index(output)], numbers)
    return Reading(any_of.mean((1, 2, 3)), in_colours(maps, dist), numbers)


def distorted(seen: list[tuple[Tensor, Tensor]], viewer: Viewer, lowest_cpd: float) -> list[Tensor]:
    """Probabilities of loss, amplification and reversal, each (N, 1, H, W).

    seen  (response, adapting luminance in cd/m²) of reference and test image
    """
    h, w = seen[0][0].shape[-2:]
    levels = 0
    while channel_rate(levels, viewer.ppd) > lowest_cpd and 2 ** (levels + 2) <= min(h, w):
        levels += 1
    # logarithms of probabilities
    unharmed = [torch.zeros_like(seen[0][0]) for _ in range(3)]
    if levels == 0:
        return unharmed
    (a, margin), (b, _) = (padded(response, levels) for response, _ in seen)
    logs = [padded(light.log10().clamp(LOWEST, HIGHEST), levels)[0] for _, light in seen]
    for (level, step, refs), (_, _, tests) in zip(channels(a, levels), channels(b, levels)):
        curve = tabulated_v3(channel_rate(level, viewer.ppd), viewer.mtf, viewer.age, a.dtype, a.device)
        gains = [at_each(curve, x[..., ::step, ::step]) for x in logs]
        found = [torch.zeros_like(gains[0]) for _ in range(3)]
        for one, two in zip(refs, tests):
            for total, p in zip(found, changes(one * gains[0], two * gains[1])):
                total += torch.log1p(-p.clamp(max=CERTAIN))
        for k, total in enumerate(found):
            unharmed[k] = unharmed[k] + refined(total, step)[..., margin : margin + h, margin : margin + w]
    return [-torch.expm1(u) for u in unharmed]


def changes(ref: Tensor, dist: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Probabilities of loss, amplification and reversal in one channel, from complex contrast in thresholds."""
    p, q = (detected(x.abs()) for x in (ref, dist))
    here, there = (torch.where(x >= VISIBLE, x, 0.0) for x in (p, q))
    gone_here, gone_there = (torch.where(x < VISIBLE, 1 - x, 0.0) for x in (p, q))
    opposite = ref.real * dist.real + ref.imag * dist.imag < 0
    return here * gone_there, gone_here * there, torch.where(opposite, here * there, 0.0)


def detected(contrast: Tensor) -> Tensor:
    """Probability of detecting contrast given in thresholds; 0.5 at 1."""
    return -torch.expm1(log(1 - VISIBLE) * contrast**SLOPE)


def in_colours(maps: list[Tensor], light: Tensor) -> Tensor:
    """(N, 3, H, W) display code: the most probable distortion of each pixel over the test image in grey."""
    grey = backdrop(light)
    together = torch.cat(maps, 1)
    probability, kind = together.max(1, keepdim=True)
    table = torch.tensor(COLOURS, dtype=light.dtype, device=light.device)
    colours = table[kind[:, 0]].movedim(-1, 1)
    return grey + probability * (colours * (SHADE + (1 - SHADE) * grey) - grey)


def backdrop(light: Tensor) -> Tensor:
    """Code 0..1 of luminance, by its logarithm between the darkest and the brightest hundredth of the pixels."""
    logs = light.clamp(min=1e-5).log()
    flat = logs.flatten(1)
    n = flat.shape[1]
    low, high = (flat.kthvalue(max(1, round(share * n)), dim=1).values for share in (0.01, 0.99))
    low, high = (x.view(-1, 1, 1, 1) for x in (low, high))
    return ((logs - low) / (high - low).clamp(min=1e-6)).clamp(0, 1)


def channel_rate(level: int, ppd: float) -> float:
    """Frequency in the middle of an octave, cycles per degree; level 0 is the finest, up to the Nyquist frequency."""
    return ppd / 2 * float(2.0 ** -(level + 0.5))


def padded(x: Tensor, levels: int) -> tuple[Tensor, int]:
    """(N, 1, H, W) mirrored to a size that every level divides, and the margin above and to the left of it.

    The edge pixel is repeated; a margin is at least one period of the coarsest level where the image is as large.
    """
    grid = 2 ** max(levels - 1, 1)
    h, w = x.shape[-2:]
    margin = min(4 * grid, h, w) // grid * grid
    rows, columns = (_mirrored(n, margin, -(n + 2 * margin) % grid, x.device) for n in (h, w))
    return x.index_select(-2, rows).index_select(-1, columns), margin


def _mirrored(n: int, before: int, more: int, device: torch.device) -> Tensor:
    """Indices of 0 .. n - 1 with mirrored margins."""
    place = torch.arange(-before, n + before + more, device=device) % (2 * n)
    return torch.where(place < n, place, 2 * n - 1 - place)


def channels(x: Tensor, levels: int) -> Iterator[tuple[int, int, Iterator[Tensor]]]:
    """(level, step, its six channels) of (N, 1, H, W) with sides that 2^(levels - 1) divides.

    A channel is (N, 1, H / step, W / step), samples of the full band at every `step`-th pixel from the first.
    """
    spectrum = torch.fft.fft2(x)
    for level in range(levels):
        step = max(1, 2 ** (level - 1))
        part = _cropped(spectrum, step)
        yield level, step, _oriented(part, level, step)


def _oriented(spectrum: Tensor, level: int, step: int) -> Iterator[Tensor]:
    # of the Nyquist frequency of the image
    down, across = (
        torch.fft.fftfreq(n, 1.0, dtype=torch.float64, device=spectrum.device) * 2 / step
        for n in spectrum.shape[-2:]
    )
    radius = torch.hypot(down[:, None], across)
    band = low_pass(radius, level) - low_pass(radius, level + 1)
    band = band * ((down > -1)[:, None] & (across > -1))
    angle = torch.atan2(down[:, None].expand_as(radius), across.expand_as(radius))
    for k in range(ORIENTATIONS):
        fan = analytic_fan(angle, k)
        yield torch.fft.ifft2(spectrum * (band * fan).to(spectrum.real.dtype))


def low_pass(radius: Tensor, level: int) -> Tensor:
    """1 below an octave's upper end, half at it, 0 above; everything for level 0. `radius` 1 is the Nyquist frequency."""
    if level == 0:
        return torch.ones_like(radius)
    half = 2.0**-level
    width = TRANSITION * half
    place = ((radius - half + width / 2) / width).clamp(0, 1)
    return (1 + torch.cos(pi * place)) / 2


def analytic_fan(angle: Tensor, orientation: int) -> Tensor:
    """Twice an orientation's share of the half plane around its direction, 0 in the other half plane."""
    width = pi / ORIENTATIONS
    far = (angle - orientation * width + pi).remainder(2 * pi) - pi
    return torch.where(far.abs() <= width, 1 + torch.cos(pi * far / width), 0.0)


def _cropped(spectrum: Tensor, step: int) -> Tensor:
    """The spectrum of every step-th sample of an image without frequencies above the new Nyquist frequency."""
    if step == 1:
        return spectrum
    for dim in (-2, -1):
        n = spectrum.shape[dim] // step
        wave = torch.fft.fftfreq(n, 1 / n, dtype=torch.float64, device=spectrum.device).round().long()
        spectrum = spectrum.index_select(dim, wave % spectrum.shape[dim])
    return spectrum / step**2


def refined(x: Tensor, step: int) -> Tensor:
    """(N, 1, h, w) at every step-th pixel from the first, linear in between; (N, 1, h * step, w * step).

    Behind the last sample its value goes on.
    """
    if step == 1:
        return x
    x = F.pad(x, (0, 1, 0, 1), mode="replicate")
    h, w = x.shape[-2:]
    size = ((h - 1) * step + 1, (w - 1) * step + 1)
    return F.interpolate(x, size, mode="bilinear", align_corners=True)[..., :-1, :-1]
