"""NoR-VDPNet++: a small network that predicts HDR-VDP or TMQI scores from the test image alone.

Source  Banterle, Artusi, Moreo, Carrara & Cignoni, IEEE Access 2023, doi:10.1109/ACCESS.2023.3263496
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from torch import Tensor

from hdrq.nn.keys import Rule, rename
from hdrq.nn.layers.quality_stages import TRAINING, WIDTHS, Norm, QualityStages
from hdrq.nn.net import Layout, Net, pattern

Kind = Literal["plain", "batch", "rezero", "layer", "instance"]


def _build(
    channels: int = 1, kind: Kind = "layer", sigmoid: bool = True, widths: tuple[int, ...] = WIDTHS
) -> QualityStages:
    """Normalisation `kind`: plain (type C, last stride 2), batch, rezero (default), or layer and instance norm."""
    norms: dict[str, Norm] = {"batch": "batch", "layer": "layer", "instance": "instance"}
    return QualityStages(
        channels,
        norms.get(kind, "none"),
        kind == "rezero",
        2 if kind == "plain" else 1,
        sigmoid,
        tuple(widths),
    )


def _options(state: Mapping[str, Tensor]) -> dict[str, Any]:
    kind = "plain"
    if "conv.1.alpha" in state:
        kind = "rezero"
    elif "conv.0.conv.1.running_mean" in state:
        kind = "batch"
    return {"channels": state["conv.0.conv.0.weight"].shape[1], "kind": kind}


def _table(options: Mapping[str, Any]) -> tuple[Rule, ...]:
    rules: list[Rule] = []
    for stage in range(5):
        one, two, ours = f"conv.{3 * stage}", f"conv.{3 * stage + 1}", f"stages.{stage}"
        rules.append(rename(f"{one}.conv.0.{{leaf}}", f"{ours}.first.{{leaf}}"))
        if options["kind"] == "rezero":
            rules.append(rename(f"{two}.alpha", f"{ours}.alpha", lambda t: t.reshape(1)))
            rules.append(rename(f"{two}.conv.{{leaf}}", f"{ours}.second.{{leaf}}"))
        else:
            rules.append(rename(f"{two}.conv.0.{{leaf}}", f"{ours}.second.{{leaf}}"))
        if options["kind"] == "batch":
            rules.append(rename(f"{one}.conv.1.{{leaf}}", f"{ours}.norm1.{{leaf}}"))
            rules.append(rename(f"{two}.conv.1.{{leaf}}", f"{ours}.norm2.{{leaf}}"))
    return (*rules, rename("regressor.regressor.{k}.{leaf}", "head.{k}.{leaf}"))


def _unknown(state: Mapping[str, Tensor]) -> str:
    """A line for the two variants of the authors' code that cannot be used."""
    if any(name.startswith("resnet") for name in state):
        return (
            "this is NoR-VDPNet++ with a ResNet-18 backbone (Res18), which the program initialises at random "
            "and never trains; import weights of type C, BN or RZ"
        )
    # one per stage in type RZ
    if sum(name.endswith(".alpha") for name in state) > 5:
        return (
            "this is NoR-VDPNet++ with doubled ReZero blocks (RZF), which no published weights use; "
            "import weights of type C, BN or RZ"
        )
    return ""


norvdpnetpp = Net(
    name="norvdpnetpp",
    source="Banterle et al. 2023, doi:10.1109/ACCESS.2023.3263496",
    build=_build,
    layouts=(
        Layout(
            name="norvdpnetpp",
            marks=("conv.0.conv.0.weight", "conv.3.conv.0.weight", "regressor.regressor.0.weight"),
            table=_table,
            options=_options,
            encoding="log1p",
        ),
    ),
    witness=lambda net: net(pattern(1, net.channels, 64, 96)),  # type: ignore[arg-type]
    training=TRAINING,
    small={"widths": [4, 4, 8, 8, 8]},
    unknown=_unknown,
)
