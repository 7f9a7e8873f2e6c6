"""The vision transformer for image classification, from which VTAMIQ is initialised. doi:10.48550/arXiv.2010.11929"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from hdrq.nn import vit_names
from hdrq.nn.layers.transformer import Transformer
from hdrq.nn.net import Layout, Net, mix, pattern


class Vit(nn.Module):
    """A Transformer over all patches of an image and, with classes > 0, a linear head on the class token.

    The other options are those of `Transformer`.
    """

    intake = "half"

    def __init__(self, classes: int = 1000, **options: Any) -> None:
        super().__init__()
        self.transformer = Transformer(**options)
        width = self.transformer.norm.normalized_shape[0]
        self.head = nn.Linear(width, classes) if classes else None

    def tokens(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) in [-1, 1], sides multiples of the patch, to all tokens; positions are scaled to the image."""
        p = self.transformer.embed.patch.kernel_size[0]
        rows, columns = image.shape[-2] // p, image.shape[-1] // p
        patches = image.unfold(2, p, p).unfold(3, p, p).permute(0, 2, 3, 1, 4, 5).flatten(1, 2)
        y, x = (torch.arange(n, device=image.device).add(0.5) / n for n in (rows, columns))
        place = torch.cartesian_prod(y, x).expand(image.shape[0], -1, -1)
        result: Tensor = self.transformer(patches, place)
        return result

    def forward(self, image: Tensor) -> Tensor:
        """Class scores (B, classes), or the class token (B, width) without a head."""
        first = self.tokens(image)[:, 0]
        return first if self.head is None else self.head(first)


def _timm(state: Mapping[str, Tensor]) -> dict[str, Any]:
    options = vit_names.shape(
        state["patch_embed.proj.weight"],
        state["pos_embed"],
        state["blocks.0.mlp.fc1.weight"],
        vit_names.count(state, "blocks.", ".norm1.weight"),
    )
    return options | {
        "classes": _classes(state, "head.bias"),
        "registers": state["reg_token"].shape[1] if "reg_token" in state else 0,
        "layer_scale": "blocks.0.ls1.gamma" in state,
    }


def _torchvision(state: Mapping[str, Tensor]) -> dict[str, Any]:
    options = vit_names.shape(
        state["conv_proj.weight"],
        state["encoder.pos_embedding"],
        state["encoder.layers.encoder_layer_0.mlp.0.weight"],
        vit_names.count(state, "encoder.layers.encoder_layer_", ".ln_1.weight"),
    )
    return options | {"classes": _classes(state, "heads.head.bias")}


def _jax(state: Mapping[str, Tensor]) -> dict[str, Any]:
    block = "Transformer/encoderblock_0"
    options = vit_names.shape(
        state["embedding/kernel"].permute(3, 2, 0, 1),
        state["Transformer/posembed_input/pos_embedding"],
        state[f"{block}/MlpBlock_3/Dense_0/kernel"].T,
        vit_names.count(state, "Transformer/encoderblock_", "/LayerNorm_0/scale"),
    )
    heads = state[f"{block}/MultiHeadDotProductAttention_1/query/bias"].shape[0]
    return options | {"heads": heads, "classes": _classes(state, "head/bias")}


def _classes(state: Mapping[str, Tensor], key: str) -> int:
    return state[key].shape[0] if key in state else 0


def _witness(net: Any) -> Tensor:
    p = net.transformer.embed.patch.kernel_size[0]
    return mix(net(pattern(1, 3, 2 * p, 2 * p) * 2 - 1))


vit = Net(
    name="vit",
    source="Dosovitskiy et al. 2021, doi:10.48550/arXiv.2010.11929",
    build=Vit,
    layouts=(
        Layout("timm", ("patch_embed.proj.weight",), vit_names.TIMM, _timm, encoding="srgb"),
        Layout("torchvision", ("conv_proj.weight",), vit_names.TORCHVISION, _torchvision, encoding="srgb"),
        Layout("jax", ("embedding/kernel",), vit_names.jax, _jax, encoding="srgb"),
    ),
    witness=_witness,
)
