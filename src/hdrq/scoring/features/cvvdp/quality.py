"""Quality of ColorVideoVDP: differences of bands, masked, pooled and mapped to JOD, and the map drawn of them.

Source: Mantiuk et al. 2024, doi:10.1145/3658144; constants and maps of version 0.5.7 of the authors' program, see NOTICE.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from math import ceil
from typing import Literal, TypeVar

import numpy as np
import torch
from torch import Tensor

from hdrq.scoring.features.cvvdp.vision import (
    EPSILON,
    band_difference,
    base_difference,
    frequencies,
    halve,
    norm,
    rebuild,
    strips,
)

BETA_SPACE, BETA_BANDS, BETA_CHANNELS, BETA_TIME = 2.0, 4.0, 4.0, 2.0
CHANNEL_WEIGHTS = (1.0, 1.0, 1.0, 0.8081134557723999)
BASE_WEIGHTS = (0.0036334486212581396, 1.6627724170684814, 4.11874532699585, 25.25969886779785)
# of a still relative to a clip
IMAGE_WEIGHT = 0.577918291091919
JOD_A, JOD_EXPONENT, JOD_LINEAR = 0.0439569391310215, 0.9302042722702026, 0.1

FILTER_SECONDS = 0.25
TRANSIENT_HZ = 5.0
SIGMA_TF = (5.79336, 14.1255, 6.63661, 0.12314)
BETA_TF = (1.3314, 1.1196, 0.947901, 0.1898)

Padding = Literal["replicate", "symmetric"]
T = TypeVar("T")
Heatmap = Literal["raw", "threshold", "supra-threshold"]
# JOD lost / 10 and the colour there, divided by its luminance before use
NODES: dict[str, tuple[tuple[float, ...], tuple[tuple[float, float, float], ...]]] = {
    "threshold": (
        (0.0, 0.025, 0.05, 0.075, 0.1),
        ((0.2, 0.2, 1.0), (0.2, 1.0, 1.0), (0.2, 1.0, 0.2), (1.0, 1.0, 0.2), (1.0, 0.2, 0.2)),
    ),
    "supra-threshold": ((0.0, 0.15, 0.3), ((0.2, 1.0, 1.0), (1.0, 1.0, 1.0), (1.0, 1.0, 0.2))),
}
LUMINANCE = (0.212656, 0.715158, 0.072186)
# natural log units of a flat image; bins of the histogram
FLAT, BINS = 0.6, 1024


def jod(q: Tensor) -> Tensor:
    """10 for no difference, falling without end; straight below q = 0.1, where a power would be too steep."""
    curve = 10 - JOD_A * q.clamp(min=JOD_LINEAR) ** JOD_EXPONENT
    return torch.where(q > JOD_LINEAR, curve, 10 - JOD_A * JOD_LINEAR ** (JOD_EXPONENT - 1) * q)


@dataclass(frozen=True)
class Frame:
    """Result for one frame.

    q    (C, B) difference of each channel and band, pooled over the frame; the last band is the low-pass rest
    map  (1, H, W) difference pooled over channels and bands where asked for, before jod()
    """

    q: Tensor
    map: Tensor | None = None


def compare(test: Tensor, ref: Tensor, ppd: float, *, repaired: bool = False, maps: bool = False) -> Frame:
    """One frame of opponent planes (C, H, W); C is 3 (a still) or 4 (of a clip).

    repaired  pyramid borders by each direction's own parity
    """
    rho = frequencies(test.shape[-2], test.shape[-1], ppd)
    q, pictures = [], []
    for band, cycles in enumerate(rho[:-1]):
        lower_test, lower_ref = halve(test, repaired=repaired), halve(ref, repaired=repaired)
        pixels = test.shape[-2] * test.shape[-1]
        sums, rows = [], []
        for seen in band_difference((test, lower_test), (ref, lower_ref), cycles, 1.0 if band == 0 else 2.0):
            sums.append(_powers(seen))
            if maps:
                rows.append(_over_channels(seen, base=False) * (1.0 if band == 0 else 0.5))
        q.append(torch.stack(sums).sum(0) / pixels)
        if maps:
            pictures.append(torch.cat(rows, -2))
        test, ref = lower_test, lower_ref
    seen = base_difference(test, ref)
    q.append(_powers(seen) / (seen.shape[-2] * seen.shape[-1]))
    means = torch.stack(q, 1)
    root = (means + EPSILON) ** (1 / BETA_SPACE) - EPSILON ** (1 / BETA_SPACE)
    if not maps:
        return Frame(root)
    return Frame(root, rebuild([*pictures, _over_channels(seen, base=True)]))


def _powers(seen: Tensor) -> Tensor:
    """Sum over the pixels of (C, h, W) of the pooled powers."""
    result: Tensor = ((seen + EPSILON) ** BETA_SPACE).sum((1, 2)) - EPSILON**BETA_SPACE * seen[0].numel()
    return result


def _over_channels(seen: Tensor, base: bool) -> Tensor:
    """(1, h, W): differences of a band weighted and pooled over channels."""
    weights = channel_weights(seen, base) * (IMAGE_WEIGHT if len(seen) == 3 else 1.0)
    return norm(seen * weights.view(-1, 1, 1), BETA_CHANNELS, 0)[None]


def channel_weights(like: Tensor, base: bool) -> Tensor:
    """Weights of the channels of `like` (C, ...), (C,): of the base band, or of the others."""
    both = [c * (b if base else 1.0) for c, b in zip(CHANNEL_WEIGHTS, BASE_WEIGHTS)]
    return like.new_tensor(both[: len(like)])


def by_channel(q: Tensor) -> Tensor:
    """(..., C): weighted differences (..., C, B) pooled over bands."""
    c = q.shape[-2]
    weights = q.new_tensor(CHANNEL_WEIGHTS[:c])[:, None].repeat(1, q.shape[-1])
    weights[:, -1] *= q.new_tensor(BASE_WEIGHTS[:c])
    return norm(q * weights, BETA_BANDS, -1)


def pooled(q: Tensor) -> Tensor:
    """One number per frame of (..., C, B), before time."""
    return norm(by_channel(q), BETA_CHANNELS, -1)


def jod_of_still(q: Tensor) -> Tensor:
    """JOD of stills (..., 3, B)."""
    return jod(pooled(q) * IMAGE_WEIGHT)


def jod_of_clip(q: Tensor) -> Tensor:
    """JOD of a clip (F, 4, B)."""
    return jod(norm(pooled(q), BETA_TIME, 0, mean=True))


def filter_length(frame_rate: float) -> int:
    """Frames that the temporal filters span."""
    return 2 * ceil(FILTER_SECONDS * frame_rate / 2) + 1


def temporal_taps(frame_rate: float) -> np.ndarray:
    """(4, N): sustained filters of the three channels and the transient one, float64."""
    n = filter_length(frame_rate)
    omega = np.linspace(0, frame_rate / 2, n // 2 + 1)
    response = [np.exp(-(omega**b) / s) for s, b in zip(SIGMA_TF[:3], BETA_TF)]
    peak = TRANSIENT_HZ ** BETA_TF[3]
    response.append(np.exp(-((omega ** BETA_TF[3] - peak) ** 2) / SIGMA_TF[3]))
    return np.fft.fftshift(np.fft.irfft(np.stack(response), n, axis=1), axes=1)


def windows(frames: Iterable[T], n: int, padding: Padding) -> Iterator[list[T]]:
    """For each frame the last `n` frames; frames before the first one are made by `padding`.

    replicate  the first frame, again and again
    symmetric  frames 1, 2, ... backwards in time, to and fro where the clip is shorter than the filter
    """
    source = iter(frames)
    start = list(islice(source, n if padding == "symmetric" else 1))
    past = [start[_before(k, len(start), padding)] for k in range(n - 1, 0, -1)]
    for frame in chained(start, source):
        yield [*past, frame]
        past = [*past[1:], frame]


def chained(start: list[T], source: Iterator[T]) -> Iterator[T]:
    """A source whose first items were read for inspection; the list of these is consumed first."""
    while start:
        yield start.pop(0)
    yield from source


def _before(k: int, count: int, padding: Padding) -> int:
    """The index of the frame that replaces the frame k before the first one."""
    if padding == "replicate" or count == 1:
        return 0
    turns, rest = divmod(k - 1, count - 1)
    return rest + 1 if turns % 2 == 0 else -k % (count - 1)


def filtered(window: Sequence[Tensor], taps: np.ndarray, opponent: np.ndarray) -> Tensor:
    """(4, H, W): sustained A, RG, YV and transient A of the light (C, H, W) of the last frames.

    opponent  (3, C) matrix from that light to A, RG, YV
    """
    # (4, N, C)
    weights = window[0].new_tensor(taps[:, :, None] * opponent[[0, 1, 2, 0]][:, None])
    _, h, w = window[0].shape
    recording = torch.is_grad_enabled() and any(frame.requires_grad for frame in window)
    out, parts = (None if recording else window[0].new_empty(4, h, w)), []
    for rows, _ in strips(h, w, window[0], 0):
        part = weights[:, 0] @ window[0][:, rows].flatten(1)
        for n, frame in enumerate(window[1:], 1):
            part = torch.addmm(part, weights[:, n], frame[:, rows].flatten(1))
        if out is None:
            parts.append(part.view(4, -1, w))
        else:
            out[:, rows] = part.view(4, -1, w)
    return torch.cat(parts, 1) if out is None else out


def error_map(seen: Tensor, luminance: Tensor, heatmap: Heatmap, *, repaired: bool = False) -> Tensor:
    """A frame's map: (1, H, W) of JOD lost, as a share of 10, or (3, H, W) of display code 0..1.

    seen       pooled difference (1, H, W), before jod()
    luminance  (1, H, W), cd/m², of the image that colours lie over
    repaired   the program goes on in a straight line from the last colour and then clips, which shows strong errors in
               colours that the legend lacks, and rounds colours to float16 before it multiplies them by the grey image;
               repaired=True stays at the last colour and rounds nothing
    """
    raw = 1 - jod(seen) / 10
    if heatmap == "raw":
        return raw
    x = raw.clamp(0, 1)
    steps, colours = NODES[heatmap]
    rgb, nodes = x.new_tensor(colours), x.new_tensor(steps)
    rgb = rgb / ((rgb @ x.new_tensor(LUMINANCE))[:, None] + 1e-4)
    at = (torch.bucketize(x, nodes, right=True) - 1).clamp(0, len(steps) - 2)
    share = ((x - nodes[at]) / (nodes[at + 1] - nodes[at] + 1e-6)).clamp(min=0)
    if repaired:
        share = share.clamp(max=1)
    low, high = (rgb[i][0].movedim(-1, 0) for i in (at, at + 1))
    mixed = low * (1 - share) + high * share
    if not repaired:
        mixed = mixed.half().to(x.dtype)
    return (mixed * backdrop(luminance)).clamp(0, 1)


def backdrop(luminance: Tensor) -> Tensor:
    """Grey image 0.2 .. 0.8 of luminance, (1, H, W): its logarithm, or its histogram flattened by a cube root."""
    positive = luminance[luminance > 0]
    b = luminance.clamp(min=float(positive.min()) if positive.numel() else 1.0).log()
    low, high = float(b.min()), float(b.max())
    if high - low < FLAT:
        return (b - low) / (high - low + 1e-3) * 0.6 + 0.2
    counts = torch.histc(b, BINS, low, high)
    rises = (counts / counts.sum()) ** (1 / 3)
    curve = (rises / rises.sum()).cumsum(0) * 0.6 + 0.2
    at = (b - low) / (high - low) * (BINS - 1)
    index = at.int().clamp(0, BINS - 2)
    share, index = at - index, index.flatten()
    return torch.lerp(
        curve.index_select(0, index).view_as(at), curve.index_select(0, index + 1).view_as(at), share
    )
