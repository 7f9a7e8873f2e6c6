"""DIQM: a small network that predicts the HDR-VDP score from a reference and a test image.

Source  Artusi, Banterle, Carrara & Moreo, IEEE TIP 2020, doi:10.1109/TIP.2019.2944079
"""

from __future__ import annotations

from torch import Tensor, nn

from hdrq.nn.keys import rename
from hdrq.nn.layers.quality_stages import TRAINING, WIDTHS, Norm, QualityStages
from hdrq.nn.net import Layout, Net, pattern
from hdrq.nn.network_input import paired_view


def _build(channels: int = 6, norm: Norm = "none", widths: tuple[int, ...] = WIDTHS) -> QualityStages:
    return QualityStages(channels, norm, False, 1, True, tuple(widths))


def _witness(net: nn.Module) -> Tensor:
    half = int(net.channels) // 2  # type: ignore[arg-type]
    result: Tensor = net(pattern(1, half, 64, 96), pattern(1, half, 64, 96) * 0.9)
    return result


diqm = Net(
    name="diqm",
    source="Artusi et al. 2020, doi:10.1109/TIP.2019.2944079",
    build=_build,
    layouts=(
        Layout(
            name="diqm",
            marks=("conv.0.conv.0.weight", "conv.0.conv.2.weight"),
            table=(
                *tuple(
                    rename(f"conv.{stage}.conv.{place}.{{leaf}}", f"stages.{stage}.{name}.{{leaf}}")
                    for stage in range(5)
                    for place, name in ((0, "first"), (2, "second"))
                ),
                rename("regressor.regressor.{k}.{leaf}", "head.{k}.{leaf}"),
            ),
            encoding="log1p",
        ),
    ),
    witness=_witness,
    view=paired_view,
    training=TRAINING,
    small={"widths": [4, 4, 8, 8, 8]},
)
