"""What the recipes of networks that predict an operator's parameters share: metrics of the tone-mapped scene teach them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Generator, Tensor, nn

from hdrq.image.transfer import linear_to_srgb
from hdrq.registry import find
from hdrq.tonemapping.exposure import bracket
from hdrq.tonemapping.operator import Operator
from hdrq.tonemapping.parameter_search import LEVELS, Range
from hdrq.tonemapping.plan import plan
from hdrq.tonemapping.prediction import planned, ranges_of
from hdrq.tonemapping.tonemap import code_of, shown
from hdrq.training.images import exposures
from hdrq.training.images.image_recipe import ImageOutput, ImageRecipe
from hdrq.training.images.image_settings import ImageSettings
from hdrq.training.images.scenes import Scene

# of the stack that stands for the scene where a metric compares with exposures
_EXPOSURES = 6


def operator_recipe(name: str, operator: str, *, net: str, source: str, **settings: Any) -> ImageRecipe:
    """A recipe that teaches a network one operator's parameters and the levels of the finished image.

    The parameters are those of the operator's card that change luminance, with its ranges.
    """
    found: Operator = find("tonemapper", operator)
    ranges = [Range(n, *span) for n, span in found.card.tunes.items() if n not in found.card.colour]
    defaults = {n: o.default for n, o in found.options.items()}
    start = [r.place(defaults[r.name]) for r in ranges] + [r.place(v) for r, v in zip(LEVELS, (0.0, 1.0))]
    options = {
        "operator": operator,
        "parameters": [[r.name, r.low, r.high] for r in (*ranges, *LEVELS)],
        "start": [round(u, 6) for u in start],
    }
    return ImageRecipe(
        name=name,
        net=net,
        source=source,
        example=example,
        output=output,
        encoding="linear",
        settings={
            "options": options,
            "crop": 176,
            "zoom": 6.0,
            "swap": True,
            "batch": 4,
            "steps": 100,
            "epochs": 10,
            "rate": 2e-3,
            **settings,
        },
    )


def example(scenes: Sequence[Scene], settings: ImageSettings, chance: Generator) -> dict[str, Tensor]:
    """light  (3, H, W) of a window, its geometric mean 1;  stack  (6, 3, H, W) of its exposures, sRGB code."""
    made = exposures.scene(scenes, settings, chance)
    stack = bracket(made["light"][None], 1e-6, _EXPOSURES)
    return {**made, "stack": linear_to_srgb(torch.cat(stack))}


def output(module: nn.Module, batch: Mapping[str, Tensor], settings: ImageSettings) -> ImageOutput:
    """The scenes, tone-mapped with the parameters that the network predicts, as sRGB code."""
    ranges, base = ranges_of(settings.options), plan(str(settings.options["operator"]))
    light = batch["light"]
    places = module(light).double()
    images = []
    for one, place in zip(light, places):
        made = planned(base, ranges, place)
        images.append(code_of(shown(one[None], made), replace(made, dither=False)).pixels)
    return ImageOutput(torch.cat(images).to(light), "srgb", light=light, stack=batch["stack"])
