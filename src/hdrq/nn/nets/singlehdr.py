"""SingleHDR: light of SDR code by undoing quantisation, camera response and clipping, each with a network of its own.

Source  Liu, Lai, Chen, Kao, Yang, Chuang & Huang, CVPR 2020, doi:10.1109/CVPR42600.2020.00172
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hdrq.nn.image_networks import Use, tiled, to_multiple
from hdrq.nn.keys import Many, Rule, drop, rename
from hdrq.nn.layers.inverse_camera import BLOCKS, CURVES, InverseResponse, Unet, through
from hdrq.nn.layers.tensorflow import kernel, norm_rules
from hdrq.nn.layers.vgg_autoencoder import STAGES, VggAutoencoder, ramp
from hdrq.nn.net import Layout, Net, mix, pattern

# light below white over which the prediction is added
_RAMP = 0.12
# longest side at which the response is estimated; the authors use the whole image
_RESPONSE_SIDE = 1024
_MARGIN, _STRIDE = 128, 32


class SingleHdr(nn.Module):
    """(B, 3, H, W) code 0..1 to light (B, 3, H, W) of which 1 is the white of the code; sides are multiples of 32.

    width   channels of the first stage of the highlights' encoder;  small  of the U-Nets
    refine  whether a last U-Net corrects the result
    """

    def __init__(self, width: int = 64, small: int = 16, refine: bool = False) -> None:
        super().__init__()
        self.dequantise = Unet(3, small, 16 * small)
        self.response = InverseResponse()
        self.highlights = VggAutoencoder(width, "linear", transposed=False)
        self.refine = Unet(9, small, 8 * small) if refine else None

    def continuous(self, code: Tensor) -> Tensor:
        """Code without steps, 0..1."""
        return (code + torch.tanh(self.dequantise(code))).clamp(0, 1)

    def restored(self, smooth: Tensor, curve: Tensor) -> Tensor:
        """Light of continuous code, given the inverse response of the image."""
        light = through(curve, smooth)
        found = light + ramp(light, _RAMP) * F.relu(self.highlights(light))
        if self.refine is None:
            return found
        stacked = torch.cat([found, light, smooth], 1)
        return F.relu(found + self.refine(stacked))

    def forward(self, code: Tensor) -> Tensor:
        smooth = self.continuous(code)
        return self.restored(smooth, self.response(smooth))


def expand(net: SingleHdr, code: Tensor, *, white_nits: float = 100.0) -> Tensor:
    """Light of the image; white_nits is that of code 1 where nothing is added. The response is one of the whole image."""
    smooth = tiled(net.continuous, code, side=512, margin=_MARGIN, multiple=_STRIDE)
    h, w = smooth.shape[-2:]
    given = smooth
    if max(h, w) > _RESPONSE_SIDE:
        ratio = _RESPONSE_SIDE / max(h, w)
        size = max(1, round(h * ratio)), max(1, round(w * ratio))
        given = F.interpolate(smooth, size, mode="bilinear", antialias=True)
    curve = net.response(to_multiple(given, _STRIDE))
    light = tiled(lambda part: net.restored(part, curve), smooth, side=512, margin=_MARGIN, multiple=_STRIDE)
    return white_nits * light


def _unet(theirs: str, ours: str) -> Iterator[Rule]:
    """Convolutions in the order of their numbers: conv2d, conv2d_1, ..."""
    places = [f"down.{k}.{i}" for k in range(5) for i in range(2)]
    places += [f"up.{k}.{i}" for k in range(4) for i in range(2)] + ["end"]
    for number, place in enumerate(places):
        name = f"{theirs}/conv2d" + (f"_{number}" if number else "")
        yield kernel(f"{name}/kernel", f"{ours}.{place}.weight")
        yield rename(f"{name}/bias", f"{ours}.{place}.bias")


def _autoencoder(theirs: str, ours: str) -> Iterator[Rule]:
    pairs = [
        (f"encoder/h{s + 1}/conv_{k + 1}", f"encoder.{s}.{k}")
        for s, count in enumerate(STAGES)
        for k in range(count)
    ]
    pairs += [("encoder/h6/conv", "middle"), ("decoder/h7/conv2d", "last")]
    pairs += [(f"decoder/h{s + 1}/decon2d", f"up.{s}.conv") for s in range(len(STAGES))]
    pairs += [(f"decoder/h{s + 2}/fuse_skip_connection", f"joint.{s}.conv") for s in range(len(STAGES))]
    pairs += [("decoder/h7/fuse_skip_connection", "end.conv")]
    for a, b in pairs:
        yield kernel(f"{theirs}/{a}/W_conv2d", f"{ours}.{b}.weight")
        yield rename(f"{theirs}/{a}/b_conv2d", f"{ours}.{b}.bias")
    norms = [("encoder/h6/batch_norm", "middle_norm"), ("decoder/h7/batch_norm", "last_norm")]
    norms += [(f"decoder/h{s + 1}/decon2d/batch_norm_dc", f"up.{s}.norm") for s in range(len(STAGES))]
    for a, b in norms:
        yield from norm_rules(f"{theirs}/{a}", f"{ours}.{b}")


def _response() -> Iterator[Rule]:
    theirs, ours = "crf_feature_net", "response"
    yield kernel(f"{theirs}/conv1/weights", f"{ours}.enter.weight")
    yield rename(f"{theirs}/conv1/biases", f"{ours}.enter.bias")
    yield from norm_rules(f"{theirs}/bn_conv1/BatchNorm", f"{ours}.enter_norm")
    for number, name in enumerate(BLOCKS):
        parts = [(f"branch2{letter}", f"convs.{k}", f"norms.{k}") for k, letter in enumerate("abc")]
        parts += [("branch1", "shortcut", "shortcut_norm")] if name.endswith("a") else []
        for branch, conv, norm in parts:
            block = f"{ours}.blocks.{number}"
            yield kernel(f"{theirs}/res{name}_{branch}/weights", f"{block}.{conv}.weight")
            yield from norm_rules(f"{theirs}/bn{name}_{branch}/BatchNorm", f"{block}.{norm}")
    decode = "ae_invcrf_decode_net/dense"
    yield rename(f"{decode}/kernel", f"{ours}.weigh.weight", lambda t: t.mT, lambda t: t.mT)
    yield rename(f"{decode}/bias", f"{ours}.weigh.bias")
    yield rename("g0", f"{ours}.mean_curve")
    yield Rule(tuple(f"hinv({k + 1})" for k in range(CURVES)), f"{ours}.curves", _stacked, _unstacked)
    # the database has 25 principal curves
    yield drop("hinv({k})")
    # the codes of the curves, evenly spaced
    yield drop("B")


def _stacked(curves: Many) -> Tensor:
    return torch.stack(curves, 1)


def _unstacked(curves: Tensor | None) -> Many:
    return () if curves is None else curves.unbind(1)


def _table(options: Mapping[str, Any]) -> tuple[Rule, ...]:
    return (
        *_unet("Dequantization_Net", "dequantise"),
        *_response(),
        *_autoencoder("Hallucination_Net", "highlights"),
        *(_unet("Refinement_Net", "refine") if options["refine"] else ()),
    )


def _options(state: Mapping[str, Tensor]) -> dict[str, Any]:
    return {
        "width": state["Hallucination_Net/encoder/h1/conv_1/W_conv2d"].shape[3],
        "small": state["Dequantization_Net/conv2d/kernel"].shape[3],
        "refine": "Refinement_Net/conv2d/kernel" in state,
    }


def _unknown(state: Mapping[str, Tensor]) -> str:
    if any(name.startswith("crf_feature_net") for name in state) and "g0" not in state:
        return (
            "SingleHDR needs its principal curves too: give invemor.txt of the authors' program with the checkpoints "
            "of dequantisation, linearisation and hallucination"
        )
    return ""


singlehdr = Net(
    name="singlehdr",
    source="Liu et al. 2020, doi:10.1109/CVPR42600.2020.00172",
    build=SingleHdr,
    layouts=(
        Layout(
            name="singlehdr",
            marks=(
                "Dequantization_Net/conv2d/kernel",
                "crf_feature_net/conv1/weights",
                "Hallucination_Net/encoder/h1/conv_1/W_conv2d",
            ),
            table=_table,
            options=_options,
            encoding="srgb",
        ),
    ),
    witness=lambda net: mix(net(pattern(1, 3, 32, 64))),
    small={"width": 2, "small": 2},
    unknown=_unknown,
    use=Use(
        "expand",
        expand,
        title="SingleHDR: quantisation, response and clipping undone by networks",
        limits={"white_nits": (1, 1e5)},
    ),
)
