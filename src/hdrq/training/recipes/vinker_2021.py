"""Vinker 2021 on HDR scenes: structure of the adapted logarithm, and the look of photographs of other scenes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from torch import Generator, Tensor, nn

from hdrq.image.adaptive_log import curved
from hdrq.image.color import LUMINANCE, weigh
from hdrq.training.images import exposures
from hdrq.training.images.image_recipe import ImageOutput, ImageRecipe
from hdrq.training.images.image_settings import ImageSettings
from hdrq.training.images.scenes import Scene


def example(scenes: Sequence[Scene], settings: ImageSettings, chance: Generator) -> dict[str, Tensor]:
    """light  (3, H, W) of a crop;  code  (1, H, W) its adapted logarithm;  photograph  (3, H, W) code of another crop."""
    light = exposures.scene(scenes, replace(settings, swap=False), chance)["light"]
    return {
        "light": light,
        "code": curved(weigh(light[None], LUMINANCE))[0],
        "photograph": exposures.example(scenes, settings, chance)["code"],
    }


def output(module: nn.Module, batch: Mapping[str, Tensor], settings: ImageSettings) -> ImageOutput:
    """Grey code (N, 3, H, W); its structure should be that of the logarithm, its look that of grey photographs."""
    made, wanted, real = (
        x.expand(-1, 3, -1, -1)
        for x in (module(batch["code"]), batch["code"], weigh(batch["photograph"], LUMINANCE))
    )
    return ImageOutput(made, "srgb", target=wanted, light=batch["light"], real=real)


vinker_2021 = ImageRecipe(
    name="vinker-2021",
    net="vinker-2021",
    source="Vinker, Huberman-Spiegelglas & Fattal 2021, doi:10.1109/ICCV48922.2021.01439: correlation of 5x5 patches and "
    "least-squares discriminators, both at three scales, crops of 256 pixels; photographs are virtual exposures of the scenes, "
    "not the paper's, the discriminators are those of every adversarial training here, and all scales have equal weights",
    example=example,
    output=output,
    encoding="linear",
    settings={
        "crop": 256,
        "loss": {"patch-structure,scales=3": 1.0, "lsgan": 1.0},
        "batch": 4,
        "rate": 2e-4,
        "critic_rate": 2e-4,
        "critic_scales": 3,
    },
)
