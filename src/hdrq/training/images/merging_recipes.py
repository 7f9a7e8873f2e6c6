"""What the recipes of networks that merge or fuse brackets share: synthesised exposures, and what the output is compared with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from hdrq.nn.image_networks import code_and_light
from hdrq.registry import find
from hdrq.training.images import brackets
from hdrq.training.images.camera import Response
from hdrq.training.images.image_recipe import ImageOutput, ImageRecipe
from hdrq.training.images.image_settings import ImageSettings


def merging(name: str, *, net: str, source: str, **settings: Any) -> ImageRecipe:
    """A recipe for a network of code and light of three frames; its radiance is compared with that of the middle frame."""
    return ImageRecipe(
        name=name,
        net=net,
        source=source,
        example=brackets.example,
        output=radiance,
        encoding="srgb",
        settings={"loss": {"mu:l1": 1.0}, "metrics": ("pu-psnr",), "rate": 1e-4, **settings},
    )


def merging_after_flow(name: str, *, net: str) -> ImageRecipe:
    """A recipe for a network whose frames are aligned by optical flow first: they move by what flow leaves."""
    return merging(
        name,
        net=net,
        source="Kalantari & Ramamoorthi 2017, doi:10.1145/3072959.3073609: L2 of mu-law code, Adam at 1e-4",
        loss={"mu:l2": 1.0},
        shift=1.0,
        speed=3.0,
    )


def radiance(module: nn.Module, batch: Mapping[str, Tensor], settings: ImageSettings) -> ImageOutput:
    """Radiance (N, 3, H, W), 1.0 at the white of the shortest frame, where that of the scene is clipped too."""
    stack, exposure = batch["stack"], batch["exposure"]
    light = linear(stack, batch["response"], settings.response)
    given = [code_and_light(f, e / e[0]) for f, e in zip(light, exposure)]
    target = batch["light"] * exposure[:, :1, None, None]
    return ImageOutput(module(torch.cat(given)), "linear", target=target.clamp(0, 1), stack=stack)


def linear(code: Tensor, parameters: Tensor, kind: str) -> Tensor:
    """Light 0..1 of white of code (N, K, C, H, W), by the inverse of each camera's response (N, 2), see `Response.parameters`."""
    named = "sigmoid" if kind == "random" else kind
    responses = [Response(named, float(n), float(sigma)) for n, sigma in parameters]
    return torch.stack([response.light(one) for response, one in zip(responses, code)])


def fused(module: nn.Module, batch: Mapping[str, Tensor], settings: ImageSettings) -> ImageOutput:
    """Code (N, 3, H, W) of every stack, as the network is used."""
    fuse = find("net", settings.net).use.apply
    images = torch.stack([fuse(module, frames) for frames in batch["stack"]])
    return ImageOutput(images, "srgb", stack=batch["stack"])
