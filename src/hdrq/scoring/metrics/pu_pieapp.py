"""PU-PieAPP with its published weights, on light. Networks re-trained on PU21 code: `pu21:pieapp@NAME`."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from hdrq.cards import Card, Reading, metric
from hdrq.scoring.features.network_scores import Cutting, Precision, Show, patchwise


@metric(
    Card(
        title="PU-PieAPP, PieAPP trained on HDR and SDR images of UPIQ",
        unit="JOD",
        better="higher",
        span=(None, None),
        reads="nits",
        source="doi:10.48550/arXiv.2012.10758; github.com/gfxdisp/pu_pieapp",
        needs=("net", "maps"),
        side=64,
        planes=40,
        net="pu-pieapp",
    )
)
def pu_pieapp(
    ref: Tensor,
    dist: Tensor,
    *,
    net: Any,
    maps: bool = False,
    stride: int = 64,
    patches: int = 0,
    repeats: int = 1,
    seed: int = 0,
    show: Show = "score",
    precision: Precision = "float32",
) -> Reading:
    """Quality of the test relative to the reference, 0 for identical images and below 0 for worse ones.

    stride   64 covers the image once (a border that does not fit is left out); the authors also use 32
    patches  so many patches in perturbed cells instead of the grid; seed and repeats apply to them
    """
    cutting = Cutting(stride, patches, repeats, seed)
    return patchwise(net, ref, dist, cutting, maps=maps, show=show, precision=precision, best=1.0)
