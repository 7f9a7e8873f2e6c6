"""VTAMIQ: patches of both images through one transformer. On HDR: `pu21:vtamiq`, short pu-vtamiq.

Patches are spread evenly or by a map of saliency. The mixture is that of VTAMIQ's context-aware sampling (2022): a map counts
2 and an even spread 0.5, each with mean 1. Its saliency was a file of DeepGaze II; here it is computed.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from hdrq.cards import Card, Reading, metric
from hdrq.errors import UsageError
from hdrq.nn.network_input import as_authors, scaled_input
from hdrq.nn.weights import White, with_white
from hdrq.records import Encoding
from hdrq.scoring.features.network_scores import Precision
from hdrq.scoring.sampling import Plan, cut, joined, plan
from hdrq.scoring.sampling.gather import Curve, spread

# samplings of 512 patches: a standard deviation near 0.013
_REPEATS = 4
# patches of each image that are gathered before they become tokens
_AT_ONCE = 256
Focus = Literal["even", "difference", "saliency", "centre", "context"]
_MAP, _EVEN = 2.0, 0.5
# of the mean magnitude: what a flat image lacks is no surprise
_FLOOR = 1e-2
# maps are made of images shrunk to about this many pixels, so that single pixels do not count
_SIDE = 128


@metric(
    Card(
        title="VTAMIQ, vision transformer with channel attention",
        unit="1",
        better="lower",
        span=(None, None),
        reads="code",
        source="doi:10.48550/arXiv.2110.01655; on HDR doi:10.48550/arXiv.2405.00670",
        needs=("net", "encoding", "maps"),
        side=16,
        planes=30,
        net="vtamiq",
        map="attention",
    )
)
def vtamiq(
    ref: Tensor,
    dist: Tensor,
    *,
    net: Any,
    encoding: Encoding | None = None,
    maps: bool = False,
    patches: int = 512,
    repeats: int = 0,
    seed: int = 0,
    ratio: float = 1.75,
    aligned: bool = True,
    sampler: Literal["card", "mended", "authors"] = "card",
    average: Literal["card", "light", "code"] = "card",
    focus_on: Focus = "even",
    white: White = "card",
    precision: Precision = "float32",
) -> Reading:
    """Loss of quality from patches at all scales; 0 as good as the reference, larger is worse.

    Weights of the authors give their program's numbers. Of others, such as the students distributed with hdrq, the
    score of identical images is subtracted, so that these give 0.

    patches   of each image, more of them fine than coarse: each level 2^ratio times as many as the next
    repeats   number of samplings that are averaged, with seeds seed + 0, 1, ...; 0: 1 for weights of the authors and for
              those with a stem, and 4 for others, whose scores of one sampling differ by 0.03 (standard deviation)
    aligned   the same positions for both images
    sampler   of the weights' card, or hdrq's own, or the authors' with its flaws (see hdrq.scoring.sampling.plan)
    average   coarse patches are means of light, or of code, or as the weights' training had it
    focus_on  where patches lie denser: the difference, salient parts, the centre, or their mixture
    white     code that the network reads as 1: as in its training (card), 1.0 (sdr), that of 100 cd/m² (255) or of
              10,000 cd/m² (pmax); for the last two, the code of 0.005 cd/m² is 0
    The map shows the network's attention: 1 is a uniform share.
    """
    net = with_white(net, encoding, white)
    drawn = net.sampling if sampler == "card" else sampler
    size = (int(ref.shape[-2]), int(ref.shape[-1]))
    if focus_on != "even" and not aligned:
        raise UsageError("focus_on uses both images at once; leave aligned at true")
    if net.trunk is not None and not aligned:
        raise UsageError("these weights compare patches at the same positions; leave aligned at true")
    found, looks = [], []
    theirs = as_authors(net, "card")
    for number in range(repeats or (1 if theirs or net.trunk is not None else _REPEATS)):
        plans = [
            plan(
                size,
                patches,
                patch=net.patch,
                scales=net.levels,
                ratio=ratio,
                seed=seed + number,
                sets=1 if aligned else 2,
                sampler=drawn,
                weight=focus(a[None], b[None], focus_on),
            )
            for a, b in (zip(ref, dist) if focus_on != "even" else [(ref[0], dist[0])])
        ]
        where = joined(plans) if len(plans) > 1 else plans[0]
        places = (where, where) if aligned else (where.of(0), where.of(1))
        with torch.autocast(ref.device.type, torch.bfloat16, enabled=precision == "bfloat16"):
            light = _curves(net, encoding, average)
            first, seen = net.transformer.summarise(_tokens(net, (ref, dist), places, light), look=maps)
            found.append(net.predict(*first.chunk(2)).q.float())
        if seen is not None:
            looks.append(torch.stack([_attention(s, at) for s, at in zip(seen.chunk(2), places)]).mean(0))
    value = torch.stack(found).mean(0)
    if not theirs:
        nothing = torch.zeros_like(first.chunk(2)[0][:1])
        value = value - net.predict(nothing, nothing).q.float()
    return Reading(value, torch.stack(looks).mean(0).to(value) if looks else None)


def _curves(net: Any, encoding: Encoding | None, average: str) -> tuple[Curve, Curve] | None:
    """To light and back for averaging, or None to average code. The authors averaged sRGB as code, HDR as light."""
    relative = encoding is None or not encoding.absolute
    if (
        average == "code"
        or encoding is None
        or (average == "card" and net.sampling == "authors" and relative)
    ):
        return None
    return encoding.decode, encoding.encode


def _tokens(
    net: Any, images: tuple[Tensor, Tensor], places: tuple[Plan, Plan], light: tuple[Curve, Curve] | None
) -> Tensor:
    """Patch tokens (2 N, patches, width) of both images, made in pieces so that large images need little memory."""
    made = []
    for parts in zip(*(where.parts(_AT_ONCE) for where in places)):
        (ref, place, scale), (dist, *others) = (_cut(net, *each, light) for each in zip(images, parts))
        made.append(net.tokens(ref, dist, place, scale, *others))
    return torch.cat(made, 1)


def _cut(
    net: Any, image: Tensor, part: Plan, light: tuple[Curve, Curve] | None
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Patches as the network reads them, their positions, and their levels where it knows more than one."""
    n, device = image.shape[0], image.device
    patches = scaled_input(cut(image.to(net.transformer.norm.weight), part, light), net)
    place = torch.from_numpy(part.places).to(device).expand(n, -1, -1)
    scale = torch.from_numpy(part.scales).to(device).expand(n, -1) if net.levels > 1 else None
    return patches, place, scale


def _attention(seen: Tensor, where: Plan) -> Tensor:
    """Attention (N, patches) spread over the pixels of each patch, (N, 1, H, W); its mean is about 1."""
    area = torch.from_numpy(where.patch**2 * 4.0**where.scales).to(seen.device)
    h, w = where.size
    return spread(seen / area * (h * w), where)


def focus(ref: Tensor, dist: Tensor, kind: Focus) -> np.ndarray | None:
    """Density (h, w) for one pair (1, C, H, W) of code; None for an even spread."""
    if kind == "even":
        return None
    ref, dist = _small(ref.detach()), _small(dist.detach())
    parts = {
        "difference": lambda: (ref - dist).abs(),
        "saliency": lambda: saliency(ref),
        "centre": lambda: centre(ref),
    }
    chosen = ("difference", "centre") if kind == "context" else (kind,)
    total = torch.stack([_EVEN + _MAP * _even_out(parts[name]()) for name in chosen]).sum(0)
    return total[0, 0].double().cpu().numpy()


def centre(like: Tensor) -> Tensor:
    """A Gaussian of a quarter of each side around the middle: where viewers look when nothing calls them."""
    h, w = like.shape[-2:]
    y, x = (torch.linspace(-0.5, 0.5, n, dtype=like.dtype, device=like.device) / 0.25 for n in (h, w))
    return torch.exp(-(y[:, None].square() + x.square()) / 2)[None, None]


def saliency(image: Tensor) -> Tensor:
    """Spectral residual: what a log spectrum has beyond its local mean, back in space, squared and blurred.

    Source  Hou & Zhang, CVPR 2007, doi:10.1109/CVPR.2007.383267
    """
    spectrum = torch.fft.fft2(image)
    size = (spectrum.abs() + _FLOOR * spectrum.abs().mean()).log()
    padded = F.pad(size, (1, 1, 1, 1), mode="circular")
    residual = size - F.avg_pool2d(padded, 3, 1)
    found = torch.fft.ifft2(torch.polar(residual.exp(), spectrum.angle())).abs().square()
    return F.avg_pool2d(
        F.avg_pool2d(found, 9, 1, 4, count_include_pad=False), 9, 1, 4, count_include_pad=False
    )


def _small(image: Tensor) -> Tensor:
    """(1, C, H, W) to (1, 1, h, w): mean of the channels, shrunk to a side of about 128."""
    grey = image.mean(1, keepdim=True)
    factor = max(1, min(grey.shape[-2:]) // _SIDE)
    return F.avg_pool2d(grey, factor) if factor > 1 else grey


def _even_out(part: Tensor) -> Tensor:
    """The same with mean 1; a map that is zero everywhere becomes even."""
    mean = part.mean()
    return part / mean if mean > 0 else torch.ones_like(part)
