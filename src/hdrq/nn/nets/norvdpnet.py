"""NoR-VDPNet: a small network that predicts the HDR-VDP-2 score from the test image alone.

Source  Banterle, Artusi, Moreo & Carrara, ICIP 2020, doi:10.1109/ICIP40778.2020.9191202
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from hdrq.nn.keys import rename
from hdrq.nn.layers.quality_stages import TRAINING, QualityStages
from hdrq.nn.net import Layout, Net, pattern
from hdrq.nn.network_input import fitting, spanned
from hdrq.records import Encoding

# exponent from SDR code to relative light, as in the authors' program
GAMMA = 2.2
# index of the first convolution of each stage in the layout of 2020
_FLAT = (0, 5, 10, 15, 20)


def _view(code: Tensor, net: Any, encoding: Encoding | None) -> Tensor:
    """Code of luminance unchanged; SDR code as relative light."""
    code = fitting(code, net, encoding)
    absolute = encoding is not None and encoding.absolute
    return spanned(code if absolute else code.clamp(min=0) ** GAMMA, net)


def _build(channels: int = 1, last_stride: int = 2, sigmoid: bool = True) -> QualityStages:
    return QualityStages(channels, "none", False, last_stride, sigmoid)


def _of_2020(state: Mapping[str, Tensor]) -> dict[str, Any]:
    return {"channels": state["conv.0.weight"].shape[1]}


def _of_2024(state: Mapping[str, Tensor]) -> dict[str, Any]:
    return {"channels": state["conv.0.conv.0.weight"].shape[1]}


norvdpnet = Net(
    name="norvdpnet",
    source="Banterle et al. 2020, doi:10.1109/ICIP40778.2020.9191202",
    build=_build,
    layouts=(
        Layout(
            name="2020",
            marks=("conv.0.weight", "regressor.0.weight"),
            table=(
                *tuple(
                    rename(f"conv.{place + 2 * part}.{{leaf}}", f"stages.{stage}.{name}.{{leaf}}")
                    for stage, place in enumerate(_FLAT)
                    for part, name in enumerate(("first", "second"))
                ),
                rename("regressor.{k}.{leaf}", "head.{k}.{leaf}"),
            ),
            options=_of_2020,
            fixed={"last_stride": 1, "sigmoid": False},
            encoding="ln1p",
        ),
        Layout(
            name="2024",
            marks=("conv.0.conv.0.weight", "conv.1.conv.0.weight", "regressor.regressor.0.weight"),
            table=(
                *tuple(
                    rename(f"conv.{3 * stage + part}.conv.0.{{leaf}}", f"stages.{stage}.{name}.{{leaf}}")
                    for stage in range(5)
                    for part, name in enumerate(("first", "second"))
                ),
                rename("regressor.regressor.{k}.{leaf}", "head.{k}.{leaf}"),
            ),
            options=_of_2024,
            fixed={"last_stride": 2, "sigmoid": True},
            encoding="ln1p",
        ),
    ),
    witness=lambda net: net(pattern(1, net.channels, 64, 96)),  # type: ignore[arg-type]
    view=_view,
    training=TRAINING,
)
