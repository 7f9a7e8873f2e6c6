"""Virtual exposures of scenes, kept where 50 to 75 % of the pixels are well exposed, and examples of one photograph."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Generator, Tensor

from hdrq.training.images.camera import (
    Response,
    capacity,
    crop,
    photograph,
    random_response,
    random_scene,
    uniform,
    well_exposed,
)
from hdrq.training.images.image_settings import ImageSettings
from hdrq.training.images.scenes import Scene

_TRIES = 20
# quantiles of a crop's brightest channel that an exposure may bring to saturation
_CLIPPED = (0.3, 0.99)


def exposed_crop(
    scenes: Sequence[Scene],
    settings: ImageSettings,
    chance: Generator,
    margin: int = 0,
) -> tuple[Tensor, Response]:
    """A crop of light that is 1.0 where the sensor saturates, and the camera's response.

    Scene, window and exposure are drawn until the share of well-exposed pixels is within settings.exposed; of 20 without
    success the nearest is taken.

    margin  further pixels on every side, which are not counted
    """
    low, high = settings.exposed
    response = random_response(settings.response, chance)
    best: tuple[float, Tensor] | None = None
    for _ in range(_TRIES):
        light = crop(
            random_scene(scenes, chance), settings.crop + 2 * margin, settings.zoom, chance, settings.swap
        )
        inner = light[:, margin : margin + settings.crop, margin : margin + settings.crop]
        top = float(torch.quantile(inner.amax(0), uniform(*_CLIPPED, chance)))
        if top <= 0:
            continue
        share = well_exposed(response.code(inner / top))
        distance = max(low - share, share - high, 0.0)
        if best is None or distance < best[0]:
            best = (distance, light / top)
        if distance == 0:
            break
    if best is None:
        raise ValueError("the scenes are black")
    return best[1], response


def example(scenes: Sequence[Scene], settings: ImageSettings, chance: Generator) -> dict[str, Tensor]:
    """One photograph of a scene and its light.

    code      (3, H, W) of the photograph, 0..1
    response  (n, sigma) of the camera
    light     (3, H, W), 1.0 where the photograph saturates
    """
    light, response = exposed_crop(scenes, settings, chance)
    code = photograph(
        light,
        response,
        chance,
        electrons=capacity(settings.electrons, chance),
        read=settings.read,
        bits=settings.bits,
    )
    return {"code": code, "response": response.parameters, "light": light}


def scene(scenes: Sequence[Scene], settings: ImageSettings, chance: Generator) -> dict[str, Tensor]:
    """light  (3, H, W) of a crop alone, its geometric mean 1."""
    light = crop(random_scene(scenes, chance), settings.crop, settings.zoom, chance, settings.swap)
    mean = light.mean(0)
    lit = mean[mean > 0]
    return {"light": light / (lit.log().mean().exp() if len(lit) else 1.0)}
