"""Exposure brackets of moving scenes: global motion of the camera, moving patches, noise and clipping in every frame."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, cos, radians, sin

import numpy as np
import torch
from torch import Generator, Tensor

from hdrq.image.warp import positions, sample
from hdrq.training.images.camera import capacity, photograph, random_index, random_scene, uniform, window
from hdrq.training.images.exposures import exposed_crop
from hdrq.training.images.image_settings import ImageSettings
from hdrq.training.images.scenes import Scene

# side of a moving patch as a share of the crop
_PATCH = (0.12, 0.4)


def example(scenes: Sequence[Scene], settings: ImageSettings, chance: Generator) -> dict[str, Tensor]:
    """A bracket with motion, and the light of its middle frame.

    stack     (K, 3, H, W) code 0..1 of the frames, from the shortest exposure
    exposure  (K,) relative to the middle frame, whose saturation is light 1.0
    response  (n, sigma) of the camera
    light     (3, H, W) of the scene at the moment of the middle frame
    """
    middle = len(settings.ev) // 2
    reach = max(middle, len(settings.ev) - 1 - middle)
    margin = ceil(reach * (settings.shift + 0.02 * settings.turn * settings.crop)) + 2
    world, response = exposed_crop(scenes, settings, chance, margin)
    patches = _patches(scenes, settings, world, margin, chance)
    step = _camera_step(settings, chance)
    electrons = capacity(settings.electrons, chance)
    frames, still = [], None
    for k, stops in enumerate(settings.ev):
        seen = _frame(_composed(world, patches, k - middle), step, k - middle, margin, settings.crop)
        still = seen if k == middle else still
        frames.append(
            photograph(
                seen * 2.0**stops,
                response,
                chance,
                electrons=electrons,
                read=settings.read,
                bits=settings.bits,
            )
        )
    if still is None:
        raise ValueError("a bracket has a middle frame")
    return {
        "stack": torch.stack(frames),
        "exposure": torch.tensor([2.0**stops for stops in settings.ev]),
        "response": response.parameters,
        "light": still,
    }


def _camera_step(settings: ImageSettings, chance: Generator) -> tuple[float, float, float]:
    """(dy, dx, degrees) between neighbouring frames."""
    dy, dx = (uniform(-settings.shift, settings.shift, chance) for _ in range(2))
    return dy, dx, uniform(-settings.turn, settings.turn, chance)


def _frame(world: Tensor, step: tuple[float, float, float], time: int, margin: int, side: int) -> Tensor:
    """The crop that the camera sees at a time (0: the middle frame), bilinear where it moved."""
    dy, dx, turn = (time * v for v in step)
    if not (dy or dx or turn):
        return world[:, margin : margin + side, margin : margin + side]
    c, s, m = cos(radians(turn)), sin(radians(turn)), margin + (side - 1) / 2
    h = np.array([[c, -s, m + dx - c * m + s * m], [s, c, m + dy - s * m - c * m], [0.0, 0.0, 1.0]])
    x, y = positions(h, margin, margin + side, margin, margin + side)
    return sample(world, x, y, "bilinear")


Patch = tuple[Tensor, Tensor, tuple[int, int], tuple[float, float]]


def _patches(
    scenes: Sequence[Scene], settings: ImageSettings, world: Tensor, margin: int, chance: Generator
) -> list[Patch]:
    """Moving patches: (light (3, s, s), mask (1, s, s), place of the middle frame, shift between frames).

    Their light comes from any scene, scaled to about the level of the crop; their masks are soft ellipses.
    """
    found = []
    for _ in range(random_index(settings.moving + 1, chance) if settings.moving else 0):
        s = max(4, round(settings.crop * uniform(*_PATCH, chance)))
        light = window(random_scene(scenes, chance).light, s, settings.zoom, chance)
        level = _mean(world) / _mean(light) * 2.0 ** uniform(-1.5, 1.5, chance)
        tall, wide = uniform(0.6, 1, chance), uniform(0.6, 1, chance)
        grid = torch.linspace(-1, 1, s)
        radius = ((grid[:, None] / tall) ** 2 + (grid[None] / wide) ** 2).sqrt()
        mask = ((1 - radius) * s / 4).clamp(0, 1)[None]
        place = (
            margin + random_index(max(settings.crop - s, 1), chance),
            margin + random_index(max(settings.crop - s, 1), chance),
        )
        speed = settings.speed
        found.append(
            (light * level, mask, place, (uniform(-speed, speed, chance), uniform(-speed, speed, chance)))
        )
    return found


def _mean(light: Tensor) -> float:
    """Geometric mean of light, dark pixels raised to a millionth of the brightest."""
    y = light.mean(0)
    return float(y.clamp(min=1e-6 * max(float(y.max()), 1e-12)).log().mean().exp())


def _composed(world: Tensor, patches: Sequence[Patch], time: int) -> Tensor:
    """The scene with its patches at a time."""
    if not patches:
        return world
    world = world.clone()
    h, w = world.shape[-2:]
    for light, mask, (top, left), (vy, vx) in patches:
        s = light.shape[-1]
        y, x = round(top + time * vy), round(left + time * vx)
        a, b, c, d = max(y, 0), min(y + s, h), max(x, 0), min(x + s, w)
        if a < b and c < d:
            m, p = mask[:, a - y : b - y, c - x : d - x], light[:, a - y : b - y, c - x : d - x]
            world[:, a:b, c:d] = world[:, a:b, c:d] * (1 - m) + p * m
    return world
