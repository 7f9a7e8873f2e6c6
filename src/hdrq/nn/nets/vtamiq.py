"""VTAMIQ: patches of both images through one transformer, and a decoder of the difference of class tokens.

Source  Chubarau & Clark, VTAMIQ, doi:10.48550/arXiv.2110.01655
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from hdrq.nn import vit_names
from hdrq.nn.keys import Rule, State, join, rename
from hdrq.nn.layers.channel_attention import Activation, QualityDecoder
from hdrq.nn.layers.feature_tokens import FeatureTokens, channels_of, features
from hdrq.nn.layers.inverted_residuals import backbone_named
from hdrq.nn.layers.transformer import Transformer
from hdrq.nn.net import Layout, Net, pattern
from hdrq.nn.network_input import Convention


class VtamiqOutput(NamedTuple):
    """q (B,), 0 for the quality of the reference, larger is worse; class tokens (B, D) of both, and their difference."""

    q: Tensor
    ref: Tensor
    dist: Tensor
    difference: Tensor


class Vtamiq(nn.Module):
    """Transformer, gain per channel, quality decoder and a two-layer head without final activation.

    scales      pyramid levels with an embedding; 1: patches of full resolution only
    diff_scale  whether the difference of the class tokens is scaled channel by channel
    intake      normalisation of its patches
    sampling    patch sampling in its training: "authors" or "mended", see hdrq.scoring.sampling.plan
    stem        "": the authors' linear embedding of the patches of one image. The name of a backbone: a layout of ours, whose
                tokens hold statistics of the backbone's first `stages` stages over the patches of both images at the same
                places, see hdrq.nn.layers.feature_tokens; all that follows is the authors'. The backbone is not trained
    """

    def __init__(
        self,
        width: int = 768,
        depth: int = 6,
        heads: int = 12,
        mlp: int = 3072,
        patch: int = 16,
        grid: int = 24,
        scales: int = 5,
        registers: int = 8,
        layer_scale: bool = True,
        class_scale: bool = False,
        diff_scale: bool = True,
        groups: int = 4,
        blocks: int = 4,
        reduction: int = 16,
        activation: Activation = "relu",
        drop_path: float = 0.1,
        encoder_drop_path: float = 0.0,
        dropout: float = 0.1,
        intake: Convention = "half",
        sampling: Literal["authors", "mended"] = "mended",
        stem: str = "",
        stages: int = 4,
    ) -> None:
        super().__init__()
        self.patch, self.levels, self.intake, self.sampling = patch, scales, intake, sampling
        self.trunk: Any = None
        self.stages, embed = stages, None
        if stem:
            body = backbone_named(stem, "vtamiq")
            self.intake, self.trunk = body.intake, body.trunk.requires_grad_(False)
            channels = channels_of(body.trunk, stages)
            embed = FeatureTokens(width, channels, grid, scales, registers, class_scale)
        self.transformer = Transformer(
            width,
            depth,
            heads,
            mlp,
            patch,
            grid,
            scales,
            registers,
            layer_scale,
            class_scale,
            encoder_drop_path,
            embed,
        )
        self.diff_scale = nn.Parameter(torch.ones(width)) if diff_scale else None
        self.decoder = QualityDecoder(width, groups, blocks, reduction, activation, drop_path)
        self.head = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(width, width // 4),
            nn.PReLU(),
            nn.Dropout(dropout),
            nn.Linear(width // 4, 1),
        )

    def predict(self, ref: Tensor, dist: Tensor) -> VtamiqOutput:
        """The score from the class tokens (B, D) of both images."""
        gap = ref - dist
        difference = self.decoder(gap if self.diff_scale is None else gap * self.diff_scale)
        return VtamiqOutput(self.head(difference)[:, 0], ref, dist, difference)

    def compare(
        self,
        ref: Tensor,
        dist: Tensor,
        place: Tensor,
        scale: Tensor | None = None,
        place_dist: Tensor | None = None,
        scale_dist: Tensor | None = None,
    ) -> VtamiqOutput:
        """The score from patches of both images; see `tokens` for the arguments."""
        tokens = self.tokens(ref, dist, place, scale, place_dist, scale_dist)
        return self.predict(*self.transformer.summarise(tokens)[0].chunk(2))

    def tokens(
        self,
        ref: Tensor,
        dist: Tensor,
        place: Tensor,
        scale: Tensor | None = None,
        place_dist: Tensor | None = None,
        scale_dist: Tensor | None = None,
    ) -> Tensor:
        """Tokens of the references, then of the test images, (2 B, N, width).

        ref, dist  patches (B, N, 3, p, p), at positions (B, N, 2) in [0, 1) and scales (B, N). The patches of the test
                   image are at those of the reference unless given separately, which a stem cannot use.
        """
        if self.trunk is not None:
            return torch.cat(self.transformer.embed.pair(*self.statistics(ref, dist), place, scale))
        place_dist = place if place_dist is None else place_dist
        scale_dist = scale if scale_dist is None else scale_dist
        scales = None if scale is None or scale_dist is None else torch.cat([scale, scale_dist])
        result: Tensor = self.transformer.embed.tokens(
            torch.cat([ref, dist]), torch.cat([place, place_dist]), scales
        )
        return result

    def statistics(self, ref: Tensor, dist: Tensor) -> tuple[Tensor, Tensor]:
        """Of the stem's features of patches (B, N, 3, p, p): (of the reference (B, N, 2 C), of the difference (B, N, 4 C))."""
        found = [features(self.trunk, patches.flatten(0, 1), self.stages) for patches in (ref, dist)]
        content, change = self.transformer.embed.statistics(*found)
        return content.unflatten(0, ref.shape[:2]), change.unflatten(0, ref.shape[:2])

    def forward(self, ref: Tensor, dist: Tensor, place: Tensor, scale: Tensor | None = None) -> Tensor:
        """The score, (B,)."""
        return self.compare(ref, dist, place, scale).q


def _encoder(block: str) -> tuple[Rule, ...]:
    """Rules shared by both generations of the authors' code; `block` names an encoder block."""
    theirs, ours, mine = "transformer.embeddings.", "transformer.embed.", "transformer.blocks.{i}"
    projections = ("query", "key", "value")
    return (
        rename(f"{theirs}cls_token", f"{ours}first"),
        rename(f"{theirs}patch_embeddings.{{leaf}}", f"{ours}patch.{{leaf}}"),
        rename(f"{theirs}positional_embeddings.positional_embeddings", f"{ours}places"),
        rename(f"{theirs}scale_embeddings.scale_embeddings", f"{ours}scales"),
        rename("transformer.encoder.encoder_norm.{leaf}", "transformer.norm.{leaf}"),
        rename(f"{block}.attention_norm.{{leaf}}", f"{mine}.norm1.{{leaf}}"),
        rename(f"{block}.ffn_norm.{{leaf}}", f"{mine}.norm2.{{leaf}}"),
        join(tuple(f"{block}.attn.{part}.weight" for part in projections), f"{mine}.attention.qkv.weight"),
        join(tuple(f"{block}.attn.{part}.bias" for part in projections), f"{mine}.attention.qkv.bias"),
        rename(f"{block}.attn.out.{{leaf}}", f"{mine}.attention.out.{{leaf}}"),
        rename(f"{block}.ffn.fc1.{{leaf}}", f"{mine}.fc1.{{leaf}}"),
        rename(f"{block}.ffn.fc2.{{leaf}}", f"{mine}.fc2.{{leaf}}"),
        rename("q_predictor.{k}.{leaf}", "head.{k}.{leaf}"),
    )


def _decoder(name: str, ones: int, squeeze: int, expand: int, options: Mapping[str, Any]) -> tuple[Rule, ...]:
    """Rules for the decoder, whose 1x1 convolutions have `ones` trailing dimensions of 1; the last module is a convolution."""
    block, mine = f"{name}.{{g}}.body.{{b}}.body", "decoder.groups.{g}.blocks.{b}"
    pairs = (
        (f"{block}.2", f"{mine}.linear"),
        (f"{block}.4.conv_du.{squeeze}", f"{mine}.attention.squeeze"),
        (f"{block}.4.conv_du.{expand}", f"{mine}.attention.expand"),
        (f"{name}.{{g}}.body.{options['blocks']}", "decoder.groups.{g}.linear"),
        (f"{name}.{options['groups']}", "decoder.linear"),
    )
    shapes: dict[str, Any] = {
        "read": lambda t: t.flatten(1),
        "write": lambda t: t.reshape(*t.shape, *[1] * ones),
    }
    return (
        rename(f"{block}.1.weight", f"{mine}.slope.weight"),
        *(rename(f"{theirs}.weight", f"{ours}.weight", **shapes) for theirs, ours in pairs),
        *(rename(f"{theirs}.bias", f"{ours}.bias") for theirs, ours in pairs),
    )


def _names_2024(options: Mapping[str, Any]) -> tuple[Rule, ...]:
    block, mine = "transformer.encoder.layers.{i}", "transformer.blocks.{i}"
    return (
        *_encoder(block),
        rename("transformer.embeddings.extra_tokens", "transformer.embed.registers"),
        rename(f"{block}.ls1.gamma", f"{mine}.scale1"),
        rename(f"{block}.ls2.gamma", f"{mine}.scale2"),
        rename("diff_scale.gamma", "diff_scale"),
        *_decoder("quality_decoder", 1, 1, 4, options),
    )


def _names_2022(options: Mapping[str, Any]) -> tuple[Rule, ...]:
    activation = "body.4.conv_du.1.weight", "attention.activation.weight"
    return (
        *_encoder("transformer.encoder.layer.{i}"),
        *_decoder("diff_net", 2, 0, 2, options),
        rename(
            f"diff_net.{{g}}.body.{{b}}.{activation[0]}", f"decoder.groups.{{g}}.blocks.{{b}}.{activation[1]}"
        ),
    )


def _shape(state: Mapping[str, Tensor], layers: str, decoder: str, squeeze: int) -> dict[str, Any]:
    embeddings = "transformer.embeddings."
    options = vit_names.shape(
        state[f"{embeddings}patch_embeddings.weight"],
        state[f"{embeddings}positional_embeddings.positional_embeddings"],
        state[f"{layers}0.ffn.fc1.weight"],
        vit_names.count(state, layers, ".attention_norm.weight"),
    )
    table = state.get(f"{embeddings}scale_embeddings.scale_embeddings")
    extra = state.get(f"{embeddings}extra_tokens")
    blocks = vit_names.count(state, f"{decoder}.0.body.", ".body.1.weight")
    squeezed = state[f"{decoder}.0.body.0.body.4.conv_du.{squeeze}.bias"].shape[0]
    return options | {
        "scales": 1 if table is None else table.shape[1] - 1,
        "registers": 0 if extra is None else extra.shape[1],
        "layer_scale": f"{layers}0.ls1.gamma" in state,
        "diff_scale": "diff_scale.gamma" in state,
        "groups": vit_names.count(state, f"{decoder}.", f".body.{blocks}.weight"),
        "blocks": blocks,
        "reduction": options["width"] // squeezed,
    }


def _witness(net: Any) -> Tensor:
    p = net.patch
    ref, dist = pattern(2, 1, 4, 3, p, p).unbind()
    place = torch.tensor([[[0.1, 0.2], [0.3, 0.8], [0.6, 0.4], [0.9, 0.7]]])
    result: Tensor = net(ref * 2 - 1, dist * 2 - 1, place, torch.arange(4)[None])[0]
    return result


def from_vit(state: State) -> State:
    """The transformer from a ViT's tensors (our names), without its classifier."""
    return {name: t for name, t in state.items() if name.startswith("transformer.")}


def from_backbone(state: State) -> State:
    """The stem from a backbone's tensors (our names), without its classifier."""
    return {name: t for name, t in state.items() if name.startswith("trunk.")}


_2022 = {"class_scale": True, "activation": "prelu", "intake": "imagenet", "sampling": "authors"}
vtamiq = Net(
    name="vtamiq",
    source="Chubarau & Clark 2021, doi:10.48550/arXiv.2110.01655",
    build=Vtamiq,
    layouts=(
        Layout(
            name="vtamiq-2024",
            marks=(
                "quality_decoder.0.body.0.body.2.weight",
                "transformer.encoder.layers.0.attn.query.weight",
            ),
            table=_names_2024,
            options=lambda state: _shape(state, "transformer.encoder.layers.", "quality_decoder", 1),
            fixed={"sampling": "authors"},
        ),
        Layout(
            name="vtamiq-2022",
            marks=("diff_net.0.body.0.body.2.weight", "transformer.encoder.layer.0.ffn.fc1.weight"),
            table=_names_2022,
            options=lambda state: _shape(state, "transformer.encoder.layer.", "diff_net", 0),
            fixed=_2022,
            encoding="srgb",
        ),
    ),
    witness=_witness,
    grows={"vit": from_vit, "efficientnet-lite2": from_backbone, "mobilenet-v2": from_backbone},
    patch=16,
    head=("head", "decoder"),
    features=lambda options: int(options.get("width", 768)),
    small={"width": 48, "depth": 2, "heads": 3, "mlp": 96, "reduction": 8},
    training={"input": "patches", "patches": 64, "test_patches": 128, "batch": 8, "options": {"scales": 1}},
)
