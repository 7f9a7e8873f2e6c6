"""HDRCNN on virtual exposures: light of the highlights of one photograph."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from hdrq.nn.layers.vgg_autoencoder import blended
from hdrq.training.images import exposures
from hdrq.training.images.image_recipe import ImageOutput, ImageRecipe
from hdrq.training.images.image_settings import ImageSettings


def output(module: nn.Module, batch: Mapping[str, Tensor], settings: ImageSettings) -> ImageOutput:
    """Light (N, 3, H, W), 1.0 where the photograph saturates; the target itself where the network is not asked.

    Errors are so those of highlights alone, whatever the response of the camera, as in equation 3 of the paper.
    """
    light, code = batch["light"], batch["code"]
    return ImageOutput(blended(code, light, module(code)), "linear", target=light)


hdrcnn = ImageRecipe(
    name="hdrcnn",
    net="hdrcnn",
    source="Eilertsen et al. 2017, doi:10.1145/3130800.3130816: squared differences of logarithms in highlights (equation 3, "
    "not its division into illumination and reflectance), crops of 320 pixels, Adam at 5e-5",
    example=exposures.example,
    output=output,
    encoding="srgb",
    settings={
        "crop": 320,
        "exposed": (0.6, 0.95),
        "loss": {"log10:l2": 1.0},
        "batch": 8,
        "rate": 5e-5,
    },
)
