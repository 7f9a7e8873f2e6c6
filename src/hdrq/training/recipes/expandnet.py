"""ExpandNet on virtual exposures: light of one photograph, up to a factor."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from hdrq.training.images import exposures
from hdrq.training.images.image_recipe import ImageOutput, ImageRecipe
from hdrq.training.images.image_settings import ImageSettings


def output(module: nn.Module, batch: Mapping[str, Tensor], settings: ImageSettings) -> ImageOutput:
    """Light (N, 3, H, W), 1.0 at the brightest value of the scene."""
    light = batch["light"]
    top = light.amax((1, 2, 3), keepdim=True).clamp(min=1e-6)
    return ImageOutput(module(batch["code"]), "linear", target=light / top)


expandnet = ImageRecipe(
    name="expandnet",
    net="expandnet",
    source="Marnerides et al. 2018, doi:10.1111/cgf.13340: L1 and 5 times the cosine, crops of 256 pixels, Adam at 7e-5",
    example=exposures.example,
    output=output,
    encoding="srgb",
    settings={
        "crop": 256,
        "exposed": (0.5, 0.95),
        "loss": {"l1": 1.0, "colour-cosine": 5.0},
        "batch": 8,
        "rate": 7e-5,
    },
)
