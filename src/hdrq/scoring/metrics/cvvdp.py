"""ColorVideoVDP: visible differences of stills and clips in colour, space and time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from hdrq.cards import Card, Reading, metric
from hdrq.errors import PixelError, UsageError
from hdrq.image.color import rgb_to_rgb, rgb_to_xyz
from hdrq.records import BT709, PRIMARIES, Display, Primaries
from hdrq.scoring.clips import frame_pairs
from hdrq.scoring.features.cvvdp.quality import (
    Heatmap,
    Padding,
    by_channel,
    chained,
    compare,
    error_map,
    filtered,
    jod_of_clip,
    jod_of_still,
    temporal_taps,
    windows,
)
from hdrq.scoring.features.cvvdp.vision import CHANNELS, LMS_TO_DKL, XYZ_TO_LMS, frequencies

# RGB to XYZ with as many digits as the authors' program has; other primaries are derived.
RGB_TO_XYZ = {
    "bt709": (
        (0.4124564, 0.3575761, 0.1804375),
        (0.2126729, 0.7151522, 0.072175),
        (0.0193339, 0.119192, 0.9503041),
    ),
    "bt2020": ((0.637, 0.1446, 0.1689), (0.2627, 0.678, 0.0593), (0.0, 0.0281, 1.061)),
    "adobe-rgb": (
        (0.5767309, 0.185554, 0.1881852),
        (0.2973769, 0.6273491, 0.0752741),
        (0.0270343, 0.0706872, 0.9911085),
    ),
    "p3": ((0.4866, 0.2657, 0.1982), (0.229, 0.6917, 0.0793), (0.0, 0.0451, 1.0437)),
}


@metric(
    Card(
        title="ColorVideoVDP (0.5.7)",
        unit="JOD",
        better="higher",
        span=(None, 10.0),
        best=10.0,
        reads="nits",
        needs=("ppd", "display", "primaries", "maps"),
        side=2,
        planes=40,
        sequence=("mode", "video"),
        streams=True,
        map="difference",
        source="Mantiuk, Hanji, Ashraf, Asano & Chapiro 2024, doi:10.1145/3658144; "
        "numbers as the authors' program cvvdp 0.5.7",
    )
)
def cvvdp(
    ref: Tensor | Iterable[Tensor],
    dist: Tensor | Iterable[Tensor],
    *,
    ppd: float = 45.0,
    mode: Literal["image", "video"] = "image",
    frame_rate: float = 0.0,
    padding: Padding = "replicate",
    variant: Literal["published", "repaired"] = "published",
    heatmap: Heatmap = "raw",
    primaries: Primaries = BT709,
    display: Display | None = None,
    maps: bool = True,
) -> Reading:
    """Quality in just-objectionable differences: 10 is identical; of two images 1 JOD apart, 75 % prefer the better.

    What it compares is contrast, each image relative to its own mean luminance, so it does NOT see a uniform change of
    brightness: a copy at half the luminance scores 10. Add a metric of absolute light where that matters.

    ref, dist   light that leaves the display, cd/m², linear RGB of `primaries`: (N, 3, H, W), or luminance (N, 1, H, W).
                mode=video also takes iterables of frames (C, H, W) and keeps as many of them as the filter is long
    mode        image: N stills, a value each. video: the frames of one clip, one value; a single frame is a still
    frame_rate  frames per second, for mode=video; the temporal filters span 0.25 s
    padding     what precedes the first frame: replicate (that frame), symmetric (the clip backwards)
    ppd         pixels per degree at the centre of the display
    variant     published: the program's numbers, with these quirks. repaired: without them
                - the pyramid asks the number of rows for the parity of the columns, which alters the last column of a
                  level of which one side is odd and the other even
                - one channel of luminance is taken for the red-green and yellow-violet channels, too
                - coloured maps lie over the test image, which the program calls the reference
                - coloured maps go on in a straight line beyond their last colour and then clip, and round colours to float16
    heatmap     raw: 1 - JOD/10 at each pixel. threshold, supra-threshold: colours for 0 to 1, or 0 to 3, JOD over the image
    extra       a, rg, yv, trans: difference in a channel (achromatic, red-green, yellow-violet, transient), weighted and
                pooled over bands. KEY_band0 .. KEY_base: the same in one band, unweighted, RMS over the frame, finest band
                first. A clip's are the means of its frames'. cpd_band0 ..: cycles per degree of a band
    map         (N, 1, H, W), or (N, 3, H, W) display code 0..1 where coloured
    raises      UsageError for mode=video without frame_rate; PixelError for clips of different lengths
    """
    if mode == "video" and frame_rate <= 0:
        raise UsageError("cvvdp compares clips in time; add frame_rate=, in frames per second, to mode=video")
    repaired = variant == "repaired"
    both = frame_pairs(dist, ref)
    space = _Space(primaries, PRIMARIES[display.primaries] if display is not None else BT709, repaired)
    planes = (
        _moments(both, space, temporal_taps(frame_rate), padding)
        if mode == "video"
        else (_both(pair, space) for pair in both)
    )
    found, pictures = [], []
    for test, reference in planes:
        frame = compare(test, reference, ppd, repaired=repaired, maps=maps)
        found.append(frame.q)
        if frame.map is not None:
            ground = (reference if repaired else test)[:1]
            pictures.append(error_map(frame.map, ground, heatmap, repaired=repaired))
    if not found:
        raise PixelError("cvvdp got a clip without frames")
    q = torch.stack(found)
    value = jod_of_clip(q)[None] if q.shape[1] == len(CHANNELS) else jod_of_still(q)
    numbers = _numbers(q, frequencies(test.shape[-2], test.shape[-1], ppd), mode == "video")
    return Reading(value, torch.stack(pictures) if pictures else None, numbers, (_seen_at(ppd, display),))


@dataclass(frozen=True)
class _Space:
    """From light to opponent channels.

    primaries  of the light
    display    the display's own, in whose colours the program computes; where these are BT.709, as most displays are without
               saying so, the light's own primaries are taken for the display's
    """

    primaries: Primaries
    display: Primaries
    repaired: bool

    def matrix(self, channels: int) -> np.ndarray:
        """(3, channels): light of a pixel to A, RG, YV."""
        if channels == 1:
            return np.array([[1.0], [0.0], [0.0]] if self.repaired else [[1.0], [1.0], [1.0]])
        native = self.primaries if self.display == BT709 else self.display
        rounded = RGB_TO_XYZ.get(native.name)
        to_xyz = rgb_to_xyz(native) if rounded is None else np.array(rounded)
        light = to_xyz if native == self.primaries else to_xyz @ rgb_to_rgb(self.primaries, native)
        result: np.ndarray = LMS_TO_DKL @ XYZ_TO_LMS @ light
        return result

    def planes(self, light: Tensor) -> Tensor:
        """(3, H, W) opponent planes of one frame of light (C, H, W)."""
        return (light.new_tensor(self.matrix(len(light))) @ light.flatten(1)).view(3, *light.shape[1:])


def _both(pair: tuple[Tensor, Tensor], space: _Space) -> tuple[Tensor, Tensor]:
    return space.planes(pair[0]), space.planes(pair[1])


def _moments(
    both: Iterable[tuple[Tensor, Tensor]],
    space: _Space,
    taps: np.ndarray,
    padding: Padding,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Channels of vision for each frame of a clip, (4, H, W) of either side; a clip of one frame is a still."""
    source = iter(both)
    begin = list(islice(source, 2))
    if len(begin) == 1:
        yield _both(begin[0], space)
        return
    for window in windows(chained(begin, source), taps.shape[1], padding):
        matrix = space.matrix(len(window[0][0]))
        test, reference = zip(*window)
        yield filtered(test, taps, matrix), filtered(reference, taps, matrix)


def _numbers(q: Tensor, cycles: list[float], moving: bool) -> dict[str, Tensor]:
    """Differences by channel, by channel and band, and the bands, of (N, C, B)."""
    names = [*(f"band{b}" for b in range(q.shape[-1] - 1)), "base"]
    pooled, bands = by_channel(q), q
    if moving:
        pooled, bands = pooled.mean(0, keepdim=True), q.mean(0, keepdim=True)
    out = {channel: pooled[:, c].clamp(min=0) for c, channel in enumerate(CHANNELS[: q.shape[1]])}
    for c, channel in enumerate(CHANNELS[: q.shape[1]]):
        out |= {f"{channel}_{name}": bands[:, c, b].clamp(min=0) for b, name in enumerate(names)}
    return out | {f"cpd_{name}": bands.new_full((len(bands),), f) for name, f in zip(names, cycles)}


def _seen_at(ppd: float, d: Display | None) -> str:
    """The line that the authors' program prints with a number."""
    screen = ""
    if d is not None:
        screen = f", peak {d.peak_nits:g}, black {d.black_nits:.4g}, reflection {d.reflected_nits:.4g} cd/m²"
    return f"cvvdp at {ppd:.4g} ppd{screen}"
