"""The recipe of a network that fuses exposures: an index of fusion teaches it, without images to imitate."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from hdrq.registry import find
from hdrq.training.images.image_recipe import Answer
from hdrq.training.images.image_settings import ImageSettings


def fused(module: nn.Module, batch: Mapping[str, Tensor], settings: ImageSettings) -> Answer:
    """Code (N, 3, H, W) of every stack, as the network is used."""
    fuse = find("net", settings.net).use.apply
    images = torch.stack([fuse(module, frames) for frames in batch["stack"]])
    return Answer(images, "srgb", stack=batch["stack"])
