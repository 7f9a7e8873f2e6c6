"""HDR-VQM: band-pass similarity of perceptually uniform light, for stills and for sequences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import ceil, floor, radians, sqrt, tan
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from hdrq.cards import Card, Output, Reading, metric
from hdrq.errors import UsageError
from hdrq.image.arithmetic import root
from hdrq.image.caching import cached
from hdrq.image.color import weigh
from hdrq.image.resize import imresize
from hdrq.image.statistics import BT709_WEIGHTS
from hdrq.scoring.clips import frame_pairs
from hdrq.scoring.features.phase import angular, polar, radial, responses
from hdrq.scoring.features.tables import table

Adapt = Literal["none", "linear", "radiance"]
# every image is resized to this size
SIZE = (512, 896)
SCALES, ORIENTATIONS, C = 5, 4, 0.2


@metric(
    Card(
        title="HDR-VQM (stills: 20 is identical, higher is better; mode=video: 0 is identical, lower is better)",
        unit="1",
        better="higher",
        span=(0, 20),
        best=20,
        reads="nits",
        side=2,
        planes=42,
        sequence=("mode", "video"),
        streams=True,
        space="luminance",
        outputs=(Output("video", "1", "lower", (0, None), 0.0, when=(("mode", "video"),)),),
        source="Narwaria, Perreira Da Silva, Le Callet 2015, doi:10.1016/j.image.2015.04.009; "
        "numbers as the authors' version 2 (mperreir/HDR-VQM 9dcfa4d)",
    )
)
def hdrvqm(
    ref: Tensor | Iterable[Tensor],
    dist: Tensor | Iterable[Tensor],
    *,
    mode: Literal["image", "video"] = "image",
    adapt: Adapt = "none",
    min_nits: float = 0.03,
    max_nits: float = 4500.0,
    frame_rate: float = 25.0,
    fixation_s: float = 0.6,
    distance_cm: float = 178.0,
    rows: int = 1080,
    columns: int = 1920,
    area_cm2: float = 6100.0,
) -> Reading:
    """How alike two images are in 20 bands (5 scales, 4 orientations), added up and pooled over the worst places.

    mode      image: each of N stills gets a value in (0, 20], HIGHER is better; map and extra as below.
              video: N frames of one sequence get one value, at least 0, LOWER is better. It is the deviation of the
              similarity within blocks of space and time, averaged over the calmest 30 % of them, as the authors'
              code has it. More frames than one fixation lasts are needed (15 at 25/s), and the rest is not used.
              Also takes iterables of frames (C, H, W), of which it keeps those of one fixation, or with adapt all
    adapt     none: pixels are cd/m² of the display. linear: reference and test are each scaled so that the mean of
              their brightest 5 % is 4500 cd/m² (which hides a difference in exposure). radiance: the same to
              20 * 179 cd/m², as the authors' code treats .hdr files
    min_nits, max_nits    light the display can give, cd/m²; luminance is clipped to it, but black stays black
    distance_cm, rows, columns, area_cm2    of the display. They only set the block of mode=video, a power of two near
              the pixels under 2 degrees (64 as given); the bands do not depend on them
    map       sum of the 20 similarities, 512 x 896
    extra     mean similarity of each scale, summed over orientations, at most 4
    """
    if mode == "video":
        depth = ceil(frame_rate * fixation_s)
        block = _block(rows, columns, area_cm2, distance_cm)
        if isinstance(ref, Tensor) and isinstance(dist, Tensor):
            # before the work; of frames that are read one after the other nobody knows the number
            _refuse_few(min(len(ref), len(dist)), depth)
        # the brightest frame sets the scale of all
        if adapt != "none":
            ref, dist = (_adapt(torch.stack(list(side)), adapt, mode) for side in (ref, dist))
        tubes = torch.stack(list(_tubes(_totals(ref, dist, min_nits, max_nits), depth, block)))
        return Reading(_lowest(_lowest(tubes, 0.3, 1), 0.3, 0)[None])
    ref, dist = (torch.stack(list(x)) if not isinstance(x, Tensor) else x for x in (ref, dist))
    bands = _bands(_adapt(ref, adapt, mode), _adapt(dist, adapt, mode), min_nits, max_nits)
    total = bands.sum(1, keepdim=True)
    value = _lowest(_lowest(total[:, 0], 0.5, 1), 0.5, 1)
    return Reading(
        value, total, {f"scale{s}": band.mean((1, 2)) for s, band in enumerate(bands.unbind(1), 1)}
    )


def _bands(ref: Tensor, dist: Tensor, min_nits: float, max_nits: float) -> Tensor:
    """(N, 5, 512, 896): similarity of each scale of light (N, C, H, W)."""
    code = imresize(_perceived(torch.cat([ref, dist]), min_nits, max_nits), size=SIZE)
    return torch.cat([_similarity(a, b) for a, b in zip(*(half.split(1) for half in code.chunk(2)))])


def _totals(
    ref: Iterable[Tensor], dist: Iterable[Tensor], min_nits: float, max_nits: float
) -> Iterator[Tensor]:
    """(512, 896) of each frame: the similarities of its scales, added up."""
    for test, reference in frame_pairs(dist, ref):
        yield _bands(reference[None], test[None], min_nits, max_nits).sum((0, 1))


def _adapt(light: Tensor, adapt: Adapt, mode: str) -> Tensor:
    """Bring the brightest 5 % of samples to a fixed light; a sequence is scaled by its brightest frame."""
    if adapt == "none":
        return light
    light = light.clamp(min=0)
    samples = light.flatten(1)
    count = samples.shape[1]
    bright = samples.topk(count - max(floor(0.95 * count), 1) + 1, sorted=False).values.mean(1)
    if mode == "video":
        bright = bright.max()
    target = 4500.0 if adapt == "linear" else 20.0 * 179.0
    return light * (target / bright.clamp(min=1e-30)).reshape(-1, 1, 1, 1)


def _perceived(light: Tensor, min_nits: float, max_nits: float) -> Tensor:
    """PU code of displayed luminance, from the table of Aydin et al. 2008: 224.15 at 100 cd/m².

    The table is read log-log. Below its 0.0172 cd/m², hence for black, the code is 0: a surprise of the original.
    """
    luminance = weigh(light, BT709_WEIGHTS)
    shown = luminance.clamp(min_nits, max_nits)
    nits, code = (
        torch.as_tensor(np.log10(column), device=light.device) for column in table("aydin2008").values()
    )
    inside = (luminance != 0) & (shown >= 10 ** nits[0]) & (shown <= 10 ** nits[-1])
    x = shown.where(inside, shown.new_ones(())).log10()
    at = torch.searchsorted(nits, x.detach().double()).clamp(1, len(nits) - 1)
    slope = ((code[1:] - code[:-1]) / (nits[1:] - nits[:-1]))[at - 1].to(x)
    y = 10 ** (code[at - 1].to(x) + slope * (x - nits[at - 1].to(x)))
    return y.where(inside, y.new_zeros(()))


@cached(1)
def _bank() -> np.ndarray:
    """(scale, orientation, 512, 896) log-Gabor filters of wavelengths 3 to 243 pixels."""
    radius, angle = polar(*SIZE)
    directions = np.stack([angular(angle, o, ORIENTATIONS, "gaussian") for o in range(ORIENTATIONS)])
    return np.stack([radial(radius, 3.0 * 3**s, 0.55) * directions for s in range(SCALES)])


def _similarity(a: Tensor, b: Tensor) -> Tensor:
    """(1, 5, H, W): similarity of the bands' magnitudes, summed over orientations."""
    a, b = torch.fft.fft2(a), torch.fft.fft2(b)
    sums = []
    for band in _bank():
        x, y = responses(a, band).abs(), responses(b, band).abs()
        sums.append(((2 * x * y + C) / (x * x + y * y + C)).sum(1))
    return torch.stack(sums, 1)


def _lowest(x: Tensor, share: float, dim: int) -> Tensor:
    """Mean of the lowest share of the samples along one dimension."""
    count = 1 + floor((x.shape[dim] - 1) * share + 0.5)
    return x.sort(dim).values.narrow(dim, 0, count).mean(dim)


def _block(rows: int, columns: int, area_cm2: float, distance_cm: float) -> int:
    """Pixels a side under 2 degrees: the nearest power of two from 4 to 1024, the smaller on a tie."""
    side = tan(radians(2)) * distance_cm * sqrt(rows * columns / area_cm2) / 2
    result: int = min((2**k for k in range(2, 11)), key=lambda b: abs(b - side))
    return result


def _tubes(totals: Iterator[Tensor], depth: int, block: int) -> Iterator[Tensor]:
    """Deviation within tubes of block x block x depth, (blocks,) of each fixation. Edges are filled with zeros.

    A fixation is used only where a frame follows it, as in the authors' code.
    """
    count = 0
    held: list[Tensor] = []
    for total in totals:
        if len(held) == depth:
            yield _deviation(torch.stack(held), block)
            held = []
        held.append(total)
        count += 1
    _refuse_few(count, depth)


def _refuse_few(count: int, depth: int) -> None:
    if count <= depth:
        raise UsageError(
            f"hdrvqm pools fixations of {depth} frames, each with a frame after it, and got {count} frames; "
            f"give at least {depth + 1}, or a lower frame_rate"
        )


def _deviation(x: Tensor, block: int) -> Tensor:
    h, w = x.shape[-2:]
    x = F.pad(x, (0, -w % block, 0, -h % block))
    x = x.reshape(len(x), x.shape[-2] // block, block, x.shape[-1] // block, block)
    return root(x.var((0, 2, 4), correction=1)).flatten()
