"""The recipe of a network that fuses the luma of exposures: an index of fusion teaches it, without images to imitate."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from hdrq.nn.nets.deepfuse import chroma, luma, rgb
from hdrq.training.images.image_recipe import Answer
from hdrq.training.images.image_settings import ImageSettings


def fused(module: nn.Module, batch: Mapping[str, Tensor], settings: ImageSettings) -> Answer:
    """Code (N, 3, H, W): the network's luma, and chroma of the frames weighted by its distance from grey."""
    images = []
    for frames in batch["stack"]:
        y = luma(frames)
        images.append(rgb(module(y), chroma(frames, y)))
    return Answer(torch.cat(images), "srgb", stack=batch["stack"])
