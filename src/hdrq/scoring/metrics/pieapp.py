"""PieAPP, and any network of its kind re-trained on other code: `pu21:pieapp@NAME`."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from hdrq.cards import Card, Reading, metric
from hdrq.nn.weights import White, with_white
from hdrq.records import Encoding
from hdrq.scoring.features.network_scores import Cutting, Precision, Show, patchwise


@metric(
    Card(
        title="PieAPP, perceptual error learned from pairwise preference",
        unit="1",
        better="lower",
        span=(None, None),
        reads="code",
        source="doi:10.1109/CVPR.2018.00194",
        needs=("net", "encoding", "maps"),
        side=64,
        planes=40,
        net="pieapp",
    )
)
def pieapp(
    ref: Tensor,
    dist: Tensor,
    *,
    net: Any,
    encoding: Encoding | None = None,
    maps: bool = False,
    stride: int = 27,
    patches: int = 0,
    repeats: int = 1,
    seed: int = 0,
    show: Show = "score",
    white: White = "card",
    precision: Precision = "float32",
) -> Reading:
    """Weighted mean of the perceived error of 64x64 patches; about 0 for identical images.

    stride   27 is the authors' sparse grid, 6 their dense one (20 times the work)
    patches  so many patches in perturbed cells instead of the grid; seed and repeats apply to them
    white    code that the network reads as 1, as for vtamiq
    """
    net = with_white(net, encoding, white)
    cutting = Cutting(stride, patches, repeats, seed)
    return patchwise(net, ref, dist, cutting, maps=maps, show=show, precision=precision)
