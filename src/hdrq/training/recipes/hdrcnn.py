"""HDRCNN on virtual exposures: light of the highlights of one photograph."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from hdrq.nn.layers.vgg_autoencoder import asked_share, blended, predicted_light
from hdrq.training.images import exposures
from hdrq.training.images.image_recipe import ImageOutput, ImageRecipe
from hdrq.training.images.image_settings import ImageSettings


def output(module: nn.Module, batch: Mapping[str, Tensor], settings: ImageSettings) -> ImageOutput:
    """Light (N, 3, H, W), 1.0 where the photograph saturates; the target itself where the network is not asked.

    Errors of the image are so those of highlights alone, whatever the response of the camera.
    """
    light, code = batch["light"], batch["code"]
    found = module(code)
    return ImageOutput(
        blended(code, light, found),
        "linear",
        target=light,
        predicted=predicted_light(found),
        mask=asked_share(code),
    )


hdrcnn = ImageRecipe(
    name="hdrcnn",
    net="hdrcnn",
    source="Eilertsen et al. 2017, doi:10.1145/3130800.3130816: squared differences of the illumination and of the "
    "reflectance of highlights, crops of 320 pixels, Adam at 5e-5",
    example=exposures.example,
    output=output,
    encoding="srgb",
    settings={
        "crop": 320,
        "exposed": (0.6, 0.95),
        "loss": {"illumination-reflectance": 1.0},
        "batch": 8,
        "rate": 5e-5,
    },
)
