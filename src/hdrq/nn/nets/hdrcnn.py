"""HDRCNN: the light of highlights that are saturated in SDR code.

Source  Eilertsen, Kronander, Denes, Mantiuk & Unger, ACM TOG 36(6), 2017, doi:10.1145/3130800.3130816
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor, nn

from hdrq.nn.image_networks import Use, tiled
from hdrq.nn.keys import Rule, rename
from hdrq.nn.layers.tensorflow import kernel
from hdrq.nn.layers.vgg_autoencoder import STAGES, VggAutoencoder, asked, blended
from hdrq.nn.net import Layout, Net, mix, pattern


def expand(net: nn.Module, code: Tensor, *, white_nits: float = 100.0, boost: float = 1.0) -> Tensor:
    """Light of the code's square, and beyond it where a channel is above 0.95.

    white_nits  light of code 1 that is not expanded
    boost       exponent: of the code's inverse before the prediction, of the light after it; above 1, brighter highlights
    """
    bent = code.clamp(min=0) ** (1 / boost)
    predicted = tiled(net, bent, side=512, margin=160, multiple=32, needed=asked)
    return white_nits * blended(bent, bent.square(), predicted) ** boost


def _order() -> Iterator[str]:
    """Our names in the order in which the authors' program stores its parameters."""
    for s, count in enumerate(STAGES):
        yield from (f"encoder.{s}.{k}.{leaf}" for k in range(count) for leaf in ("weight", "bias"))
    yield from ("middle.weight", "middle.bias", *_norm("middle_norm"))
    for s in range(len(STAGES)):
        yield from (f"up.{s}.conv.weight", f"up.{s}.conv.bias", *_norm(f"up.{s}.norm"))
        yield from (f"joint.{s}.conv.weight", f"joint.{s}.conv.bias")
    yield from ("last.weight", "last.bias", *_norm("last_norm"), "end.conv.weight", "end.conv.bias")


def _norm(ours: str) -> tuple[str, ...]:
    return tuple(f"{ours}.{leaf}" for leaf in ("bias", "weight", "running_mean", "running_var"))


def _table() -> tuple[Rule, ...]:
    """A list of arrays; kernels are (h, w, in, out)."""
    kernels = ("conv.weight", "middle.weight", "last.weight")
    return tuple(
        kernel(f"params.{i}", ours)
        if (ours.startswith("encoder") and ours.endswith("weight")) or ours.endswith(kernels)
        else rename(f"params.{i}", ours)
        for i, ours in enumerate(_order())
    )


def _options(state: Mapping[str, Tensor]) -> dict[str, Any]:
    return {"width": state["params.0"].shape[3]}


def _build(width: int = 64) -> VggAutoencoder:
    return VggAutoencoder(width, "log", True)


hdrcnn = Net(
    name="hdrcnn",
    source="Eilertsen et al. 2017, doi:10.1145/3130800.3130816",
    build=_build,
    layouts=(
        Layout(
            name="hdrcnn",
            marks=("params.0", "params.79"),
            table=_table(),
            options=_options,
            encoding="srgb",
        ),
    ),
    witness=lambda net: mix(net(pattern(1, 3, 32, 64))),
    small={"width": 2},
    use=Use(
        "expand",
        expand,
        title="HDRCNN: highlights by an autoencoder",
        limits={"white_nits": (1, 1e5), "boost": (0.25, 4)},
    ),
)
