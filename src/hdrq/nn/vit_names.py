"""Tensor names of vision transformers in other programs: timm, torchvision and the JAX original."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from hdrq.nn.keys import Rule, join, rename


def heads(width: int) -> int | None:
    """Number of heads, which no shape determines: published ViTs have heads of size 64; otherwise unknown."""
    return width // 64 if width % 64 == 0 else None


def shape(patch: Tensor, places: Tensor, mlp: Tensor, depth: int) -> dict[str, Any]:
    """Build options of a Transformer from the patch convolution, the position table and the first weight of an MLP."""
    width = patch.shape[0]
    return {
        "width": width,
        "depth": depth,
        "heads": heads(width),
        "mlp": mlp.shape[0],
        "patch": patch.shape[-1],
        "grid": round((places.shape[1] - 1) ** 0.5),
    }


def count(state: Mapping[str, Tensor], before: str, after: str) -> int:
    """Number of keys of the form before + number + after."""
    pattern = re.compile(re.escape(before) + "[0-9]+" + re.escape(after))
    return sum(1 for key in state if pattern.fullmatch(key))


TIMM: tuple[Rule, ...] = (
    rename("cls_token", "transformer.embed.first"),
    rename("reg_token", "transformer.embed.registers"),
    rename("pos_embed", "transformer.embed.places"),
    rename("patch_embed.proj.{leaf}", "transformer.embed.patch.{leaf}"),
    rename("blocks.{i}.norm1.{leaf}", "transformer.blocks.{i}.norm1.{leaf}"),
    rename("blocks.{i}.norm2.{leaf}", "transformer.blocks.{i}.norm2.{leaf}"),
    rename("blocks.{i}.attn.qkv.{leaf}", "transformer.blocks.{i}.attention.qkv.{leaf}"),
    rename("blocks.{i}.attn.proj.{leaf}", "transformer.blocks.{i}.attention.out.{leaf}"),
    rename("blocks.{i}.mlp.fc1.{leaf}", "transformer.blocks.{i}.fc1.{leaf}"),
    rename("blocks.{i}.mlp.fc2.{leaf}", "transformer.blocks.{i}.fc2.{leaf}"),
    rename("blocks.{i}.ls1.gamma", "transformer.blocks.{i}.scale1"),
    rename("blocks.{i}.ls2.gamma", "transformer.blocks.{i}.scale2"),
    rename("norm.{leaf}", "transformer.norm.{leaf}"),
    rename("head.{leaf}", "head.{leaf}"),
)

_TV = "encoder.layers.encoder_layer_{i}"
TORCHVISION: tuple[Rule, ...] = (
    rename("class_token", "transformer.embed.first"),
    rename("encoder.pos_embedding", "transformer.embed.places"),
    rename("conv_proj.{leaf}", "transformer.embed.patch.{leaf}"),
    rename(f"{_TV}.ln_1.{{leaf}}", "transformer.blocks.{i}.norm1.{leaf}"),
    rename(f"{_TV}.ln_2.{{leaf}}", "transformer.blocks.{i}.norm2.{leaf}"),
    rename(f"{_TV}.self_attention.in_proj_{{leaf}}", "transformer.blocks.{i}.attention.qkv.{leaf}"),
    rename(f"{_TV}.self_attention.out_proj.{{leaf}}", "transformer.blocks.{i}.attention.out.{leaf}"),
    rename(f"{_TV}.mlp.0.{{leaf}}", "transformer.blocks.{i}.fc1.{leaf}"),
    rename(f"{_TV}.mlp.3.{{leaf}}", "transformer.blocks.{i}.fc2.{leaf}"),
    rename("encoder.ln.{leaf}", "transformer.norm.{leaf}"),
    rename("heads.head.{leaf}", "head.{leaf}"),
)


def jax(options: Mapping[str, Any]) -> tuple[Rule, ...]:
    """The Google checkpoint (.npz): kernels are (in, out), query, key and value (in, heads, head width)."""
    width, number = options["width"], options["heads"]
    block, mine = "Transformer/encoderblock_{i}", "transformer.blocks.{i}"
    attention = f"{block}/MultiHeadDotProductAttention_1"
    projections = ("query", "key", "value")
    turned = {"read": lambda t: t.T, "write": lambda t: t.T}
    rules = [
        rename("cls", "transformer.embed.first"),
        rename("Transformer/posembed_input/pos_embedding", "transformer.embed.places"),
        rename(
            "embedding/kernel",
            "transformer.embed.patch.weight",
            lambda t: t.permute(3, 2, 0, 1),
            lambda t: t.permute(2, 3, 1, 0),
        ),
        rename("embedding/bias", "transformer.embed.patch.bias"),
        join(
            tuple(f"{attention}/{part}/kernel" for part in projections),
            f"{mine}.attention.qkv.weight",
            lambda t: t.flatten(1).T,
            lambda t: t.T.reshape(width, number, width // number),
        ),
        join(
            tuple(f"{attention}/{part}/bias" for part in projections),
            f"{mine}.attention.qkv.bias",
            lambda t: t.flatten(),
            lambda t: t.reshape(number, width // number),
        ),
        rename(
            f"{attention}/out/kernel",
            f"{mine}.attention.out.weight",
            lambda t: t.flatten(0, 1).T,
            lambda t: t.T.reshape(number, width // number, width),
        ),
        rename(f"{attention}/out/bias", f"{mine}.attention.out.bias"),
        rename("head/kernel", "head.weight", **turned),
        rename("head/bias", "head.bias"),
    ]
    norms = ((f"{block}/LayerNorm_0", f"{mine}.norm1"), (f"{block}/LayerNorm_2", f"{mine}.norm2"))
    for theirs, ours in (*norms, ("Transformer/encoder_norm", "transformer.norm")):
        rules += [rename(f"{theirs}/scale", f"{ours}.weight"), rename(f"{theirs}/bias", f"{ours}.bias")]
    for k in (0, 1):
        theirs, ours = f"{block}/MlpBlock_3/Dense_{k}", f"{mine}.fc{k + 1}"
        rules += [
            rename(f"{theirs}/kernel", f"{ours}.weight", **turned),
            rename(f"{theirs}/bias", f"{ours}.bias"),
        ]
    return tuple(rules)
