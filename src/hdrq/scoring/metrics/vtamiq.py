"""VTAMIQ: patches of both images through one transformer. On HDR: `pu21:vtamiq`, short pu-vtamiq."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor

from hdrq.cards import Card, Reading, metric
from hdrq.errors import UsageError
from hdrq.nn.input_scaling import scaled_input
from hdrq.nn.quality_input import official
from hdrq.records import Encoding
from hdrq.scoring.features.patchwise import Precision
from hdrq.scoring.sampling import Plan, cut, joined, plan
from hdrq.scoring.sampling.focus import Focus, focus
from hdrq.scoring.sampling.gather import Curve, spread

_REPEATS = 4  # samplings of 512 patches: a standard deviation near 0.013
_AT_ONCE = 256  # patches of each image that are gathered before they become tokens


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
    The map shows the network's attention: 1 is a uniform share.
    """
    drawn = net.sampling if sampler == "card" else sampler
    size = (int(ref.shape[-2]), int(ref.shape[-1]))
    if focus_on != "even" and not aligned:
        raise UsageError("focus_on uses both images at once; leave aligned at true")
    if net.trunk is not None and not aligned:
        raise UsageError("these weights compare patches at the same positions; leave aligned at true")
    found, looks = [], []
    theirs = official(net, "card")
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
